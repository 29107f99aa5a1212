//! Copies of files that are not as long as they were listed, or take for ever.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::faults::{at_every_message, reconnecting};
use qga_commands::guest::copy::CopyFault;
use qga_commands::{Guest, GuestError};
use qga_core::Execution;
use qga_testserver::{Fault, Script, TestAgent};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

fn bytes(count: usize) -> Vec<u8> {
    (0..=250).cycle().take(count).collect()
}

/// A guest that lists a file with this size, whatever it is.
fn listed(agent: &TestAgent, size: u64) {
    agent.program("sh").runs(move |call| {
        let list = call.args[1].starts_with(": qga-list ");
        let text = format!("//81a4 {size} 0 0 0 .\n");
        Script::new().stdout(if list { &text } else { "" })
    });
}

fn fault(error: &GuestError) -> &CopyFault {
    match error {
        GuestError::Copy { fault, .. } => fault,
        error => panic!("{error}"),
    }
}

fn target() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    (folder, target)
}

#[tokio::test(start_paused = true)]
async fn of_a_file_of_the_guest_that_has_grown_what_was_listed_is_copied() {
    for (path, size) in [("/f", 1), ("/f", 599_999), ("/dev/zero", 600_000)] {
        let (agent, guest) = reconnecting().await;
        agent.file("/f", bytes(600_000));
        listed(&agent, size);
        let (_folder, target) = target();
        let copied = guest.download(path, &target).await.unwrap();
        assert_eq!((copied.bytes, copied.grown), (size, 1), "{path} {size}");
        let size = usize::try_from(size).unwrap();
        let wanted = if path == "/f" {
            bytes(size)
        } else {
            vec![0; size]
        };
        assert!(fs::read(&target).unwrap() == wanted, "{path} {size}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_of_the_guest_that_was_cut_is_an_error_with_both_lengths() {
    let (agent, guest) = reconnecting().await;
    agent.file("/f", bytes(600_000));
    listed(&agent, 600_001);
    let (folder, target) = target();
    let error = guest.download("/f", &target).await.unwrap_err();
    assert!(matches!(fault(&error), CopyFault::Changed(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("600001") && text.contains("600000"), "{text}");
    assert_eq!(error.execution(), Execution::NotRun);
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_file_of_the_guest_that_always_says_that_it_is_longer_is_copied_as_it_is() {
    let (agent, guest) = reconnecting().await;
    agent.file("/sys/x", "eth0\n");
    listed(&agent, 4096);
    let position = json!({"position": 4096, "eof": false});
    agent.on("guest-file-seek").reply(position);
    let (_folder, target) = target();
    let copied = guest.download("/sys/x", &target).await.unwrap();
    assert_eq!((copied.bytes, copied.grown), (5, 0));
    assert_eq!(fs::read(&target).unwrap(), b"eth0\n");
}

#[tokio::test(start_paused = true)]
async fn a_file_of_the_guest_that_is_listed_as_empty_is_copied_to_its_end() {
    let (agent, guest) = reconnecting().await;
    agent.file("/proc/x", bytes(600_000));
    listed(&agent, 0);
    let (_folder, target) = target();
    let mut last = (0, 0);
    let (told, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let copy = guest.download("/proc/x", &target);
    let copy = copy.progress(move |now| {
        let _ = told.send((now.bytes, now.total));
    });
    let copied = copy.await.unwrap();
    assert_eq!((copied.bytes, copied.grown), (600_000, 0));
    assert!(fs::read(&target).unwrap() == bytes(600_000));
    while let Some(now) = seen.recv().await {
        last = now;
    }
    assert_eq!(last, (600_000, 600_000));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_listed_as_empty_is_whole_whatever_message_is_spoilt() {
    let (_folder, target) = target();
    at_every_message(
        Duration::from_secs(1800),
        |agent| {
            agent.file("/proc/x", bytes(600_000));
            listed(agent, 0);
        },
        async |guest| guest.download("/proc/x", &target).await,
        |_, context, copied| {
            assert_eq!(copied.unwrap().bytes, 600_000, "{context}");
            assert!(fs::read(&target).unwrap() == bytes(600_000), "{context}");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_listed_as_empty_is_never_pieced_together_of_two_readings() {
    let (agent, guest) = reconnecting().await;
    agent.file("/proc/x", vec![b'1'; 1_500_000]);
    listed(&agent, 0);
    let (_folder, target) = target();
    let (other, mut first) = (std::sync::Arc::clone(&agent), true);
    let copy = guest.download("/proc/x", &target).progress(move |_| {
        if std::mem::take(&mut first) {
            other.file("/proc/x", vec![b'2'; 1_500_000]);
            other.fault(qga_testserver::Fault::restart());
        }
    });
    assert_eq!(copy.await.unwrap().bytes, 1_500_000);
    assert!(fs::read(&target).unwrap() == vec![b'2'; 1_500_000]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_listed_as_empty_and_never_ends_is_an_error() {
    let (agent, guest) = reconnecting().await;
    listed(&agent, 0);
    let (folder, target) = target();
    let copy = guest.download("/dev/zero", &target).max_bytes(1_000_000);
    let error = copy.await.unwrap_err();
    assert!(matches!(fault(&error), CopyFault::TooMuch(_)), "{error:?}");
    assert!(error.to_string().contains("1000000"), "{error}");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}

/// A channel that brings a byte now and then, but always in time for each command.
fn trickling(agent: &TestAgent) {
    let byte = json!({"count": 1, "buf-b64": "YQ==", "eof": false});
    agent.on("guest-file-read").reply(byte);
    agent
        .on("guest-file-write")
        .reply(json!({"count": 1, "eof": false}));
    agent.fault(Fault::delay(Duration::from_secs(1)).always());
}

#[tokio::test(start_paused = true)]
async fn what_brings_a_byte_now_and_then_comes_to_an_end() {
    const LONG: Duration = Duration::from_secs(3600);
    let (folder, target) = target();
    let source = folder.path().join("source");
    fs::write(&source, bytes(1000)).unwrap();
    for what in ["read", "write", "download", "upload"] {
        let (agent, guest) = reconnecting().await;
        agent.file("/f", bytes(1000));
        if what == "download" {
            listed(&agent, 1000);
        }
        trickling(&agent);
        let start = Instant::now();
        let error = match what {
            "read" => guest.read("/f").await.unwrap_err(),
            "write" => guest.write("/tmp/f", bytes(1000)).await.unwrap_err(),
            "download" => guest.download("/f", &target).await.unwrap_err(),
            _ => guest.upload(&source, "/tmp/f").await.unwrap_err(),
        };
        let below = match &error {
            GuestError::Copy { fault, .. } => match &**fault {
                CopyFault::Guest(error) => error,
                fault => panic!("{what}: {fault:?}"),
            },
            error => error,
        };
        assert!(
            matches!(below, GuestError::TooSlow { .. }),
            "{what}: {error:?}"
        );
        assert!(error.to_string().contains("600s"), "{what}: {error}");
        assert!(start.elapsed() < LONG, "{what}: {:?}", start.elapsed());
        assert!(!target.exists());
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_channel_that_goes_on_is_no_reason_to_give_up() {
    let (agent, guest) = reconnecting().await;
    let content = bytes(64 << 20);
    agent.file("/f", content.clone());
    agent
        .on("guest-file-read")
        .fault(qga_testserver::Fault::delay(Duration::from_millis(4_900)));
    let start = Instant::now();
    assert!(guest.read("/f").await.unwrap() == content);
    assert!(start.elapsed() > Duration::from_secs(600));
    drop(agent);
}

/// What a local file is like while it is uploaded.
async fn upload_while(
    guest: &Guest,
    length: usize,
    change: impl Fn(&File) + Send + 'static,
) -> (
    Result<qga_commands::guest::copy::Copied, GuestError>,
    Vec<u8>,
) {
    let (_folder, path) = target();
    let content = bytes(length);
    fs::write(&path, &content).unwrap();
    let file = File::options().append(true).open(&path).unwrap();
    let mut first = true;
    let upload = guest.upload(&path, "/tmp/f").progress(move |_| {
        if std::mem::take(&mut first) {
            change(&file);
        }
    });
    (upload.await, content)
}

/// Of five chunks, the next of which is encoded already when the reply fails to come.
#[tokio::test(start_paused = true)]
async fn a_lost_reply_while_uploading_loses_and_doubles_nothing() {
    for fault in [
        Fault::no_answer(),
        Fault::garbage("?\n"),
        Fault::close_after(),
    ] {
        for at in 0..5 {
            let (agent, guest) = reconnecting().await;
            agent
                .on("guest-file-write")
                .up_to(1)
                .expect(1)
                .fault(fault.clone());
            if at > 0 {
                let before = agent.on("guest-file-write").up_to(at).expect(at);
                before.fault(Fault::drip(100_000));
            }
            let (copied, content) = upload_while(&guest, 2_600_000, |_| ()).await;
            assert_eq!(copied.unwrap().bytes, 2_600_000, "{fault:?} {at}");
            assert!(
                agent.file_content("/tmp/f").unwrap() == content,
                "{fault:?} {at}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_goes_on_behind_what_the_agent_says_it_has_written() {
    let (agent, guest) = reconnecting().await;
    let short = agent.on("guest-file-write").up_to(1).expect(1);
    short.reply(json!({"count": 3, "eof": false}));
    let (copied, content) = upload_while(&guest, 900_000, |_| ()).await;
    assert_eq!(copied.unwrap().bytes, 900_000);
    // The agent says it, and has written nothing.
    let there = agent.file_content("/tmp/f").unwrap();
    assert_eq!(there.len(), 900_000);
    assert!(there[..3] == [0; 3] && there[3..] == content[3..]);
}

#[tokio::test(start_paused = true)]
async fn of_a_file_of_this_host_that_grows_what_was_listed_is_copied() {
    let (agent, guest) = reconnecting().await;
    let grow = |mut file: &File| file.write_all(b"more").unwrap();
    let (copied, content) = upload_while(&guest, 600_000, grow).await;
    let copied = copied.unwrap();
    assert_eq!((copied.bytes, copied.grown), (600_000, 1));
    assert!(agent.file_content("/tmp/f").unwrap() == content);
}

#[tokio::test(start_paused = true)]
async fn a_file_of_this_host_that_is_cut_is_an_error_with_both_lengths() {
    let (agent, guest) = reconnecting().await;
    let cut = |file: &File| file.set_len(1).unwrap();
    let (copied, _) = upload_while(&guest, 9_000_000, cut).await;
    let error = copied.unwrap_err();
    assert!(matches!(fault(&error), CopyFault::Changed(_)), "{error:?}");
    assert!(error.to_string().contains("9000000"), "{error}");
    assert_eq!(error.execution(), Execution::Answered);
    assert!(agent.file_content("/tmp/f").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_written_in_its_place_before_the_upload_failed_says_so() {
    let (agent, guest) = reconnecting().await;
    agent.disable("guest-exec");
    let cut = |file: &File| file.set_len(1).unwrap();
    let (copied, _) = upload_while(&guest, 9_000_000, cut).await;
    let error = copied.unwrap_err();
    assert_eq!(error.execution(), Execution::Answered, "{error:?}");
    assert!(agent.file_content("/tmp/f").is_some());
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn files_of_this_host_that_are_made_as_they_are_read_are_copied() {
    let (agent, guest) = reconnecting().await;
    let mut paths = vec!["/proc/version"];
    paths.extend(["/sys/kernel/mm/transparent_hugepage/enabled"]);
    for path in paths.into_iter().filter(|path| fs::read(path).is_ok()) {
        let copied = guest.upload(path, "/tmp/f").await.unwrap();
        let content = fs::read(path).unwrap();
        assert_eq!(copied.bytes, content.len() as u64, "{path}");
        assert_eq!(agent.file_content("/tmp/f").unwrap(), content, "{path}");
    }
}
