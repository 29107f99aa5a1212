//! Files of the guest, with an agent that goes wrong at every message.

use std::io::SeekFrom;
use std::time::Duration;

use qga_commands::commands::agent::Ping;
use qga_commands::guest::files::{File, OpenOptions};
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, Options};
use qga_testserver::{Fault, TestAgent};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support;

const PATH: &str = "/tmp/file";

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(Duration::from_secs(5));
    (
        agent,
        Guest::new(Client::builder().options(options).build(stream)),
    )
}

/// Bytes of which no two stretches are alike.
fn bytes(count: u32) -> Vec<u8> {
    (0..count).flat_map(u32::to_le_bytes).collect()
}

/// What can become of a reply on a channel that stays open.
fn losses() -> [Fault; 4] {
    [
        Fault::no_answer(),
        Fault::garbage("?\n"),
        Fault::torn(9),
        Fault::delay(Duration::from_secs(7)),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_and_written_as_a_whole() {
    let (agent, guest) = guest();
    for content in [bytes(0), bytes(1), bytes(65_536), bytes(600_001)] {
        guest.write(PATH, &content).await.unwrap();
        assert!(agent.file_content(PATH).unwrap() == content);
        assert!(guest.read(PATH).await.unwrap() == content);
    }
    let opened = agent.requests_of("guest-file-open").len();
    assert_eq!(agent.requests_of("guest-file-close").len(), opened);
}

#[tokio::test(start_paused = true)]
async fn a_text_is_read_if_it_is_one() {
    let (agent, guest) = guest();
    agent.file(PATH, "vm1\n");
    assert_eq!(guest.read_to_string(PATH).await.unwrap(), "vm1\n");
    agent.file(PATH, b"\xff");
    let error = guest.read_to_string(PATH).await.unwrap_err();
    assert!(matches!(error, GuestError::NotText { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_while_reading_loses_and_doubles_nothing() {
    for fault in losses() {
        for at in 0..4 {
            let (agent, guest) = guest();
            agent.file(PATH, bytes(1_200_000));
            agent
                .on("guest-file-read")
                .up_to(1)
                .expect(1)
                .fault(fault.clone());
            // The stubs below let `at` reads pass first.
            if at > 0 {
                agent
                    .on("guest-file-read")
                    .up_to(at)
                    .expect(at)
                    .fault(Fault::drip(100_000));
            }
            assert!(
                guest.read(PATH).await.unwrap() == bytes(1_200_000),
                "{fault:?} {at}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_while_writing_loses_and_doubles_nothing() {
    for fault in losses() {
        for at in 0..4 {
            let (agent, guest) = guest();
            agent
                .on("guest-file-write")
                .up_to(1)
                .expect(1)
                .fault(fault.clone());
            if at > 0 {
                agent
                    .on("guest-file-write")
                    .up_to(at)
                    .expect(at)
                    .fault(Fault::drip(100));
            }
            guest.write(PATH, bytes(1_800_000)).await.unwrap();
            assert!(
                agent.file_content(PATH).unwrap() == bytes(1_800_000),
                "{fault:?} {at}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_while_appending_is_an_error_and_nothing_is_doubled() {
    let (agent, guest) = guest();
    let mut options = OpenOptions::new();
    let mut file = options
        .append(true)
        .create(true)
        .open(&guest, PATH)
        .await
        .unwrap();
    agent.on("guest-file-write").fault(Fault::no_answer());
    file.write_all(b"once").await.unwrap();
    let error = file.close().await.unwrap_err();
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert_eq!(agent.file_content(PATH).unwrap(), b"once");
    assert_eq!(agent.requests_of("guest-file-write").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_short_write_is_continued() {
    let (agent, guest) = guest();
    let mut file = guest.create(PATH).await.unwrap();
    agent
        .on("guest-file-write")
        .up_to(1)
        .expect(1)
        .reply(json!({"count": 3, "eof": false}));
    file.write_all(b"abcdef").await.unwrap();
    file.close().await.unwrap();
    let sent: Vec<_> = agent.requests_of("guest-file-write");
    assert_eq!(sent[1].arguments["buf-b64"], "ZGVm");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_writes_nothing_or_too_much_is_an_error() {
    for count in [0, -1, 7] {
        let (agent, guest) = guest();
        agent
            .on("guest-file-write")
            .reply(json!({"count": count, "eof": false}));
        let error = guest.write(PATH, "abcdef").await.unwrap_err();
        let text = format!(
            "the agent's answer makes no sense: {count} bytes are said to be written, of 6 that were sent"
        );
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_reads_more_than_it_was_asked_is_an_error() {
    let (agent, guest) = guest();
    agent.file(PATH, "");
    let chunk = "A".repeat(1 << 20);
    agent
        .on("guest-file-read")
        .reply(json!({"count": 1, "buf-b64": chunk, "eof": true}));
    let error = guest.read(PATH).await.unwrap_err();
    let text =
        "the agent's answer makes no sense: 786432 bytes were read where 262144 were asked for";
    assert_eq!(error.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_was_started_anew_does_not_know_the_file() {
    let (agent, guest) = guest();
    agent.file(PATH, bytes(200_000));
    agent
        .on("guest-file-read")
        .up_to(1)
        .expect(1)
        .fault(Fault::restart());
    let error = guest.read(PATH).await.unwrap_err();
    assert!(error.is_agent_gone(), "{error}");
    assert!(guest.read(PATH).await.unwrap() == bytes(200_000));
}

#[tokio::test(start_paused = true)]
async fn reads_writes_and_seeks_go_on_where_the_file_stands() {
    let (agent, guest) = guest();
    agent.file(PATH, "0123456789");
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .open(&guest, PATH)
        .await
        .unwrap();
    let mut two = [0; 2];
    file.read_exact(&mut two).await.unwrap();
    assert_eq!(&two, b"01");
    assert_eq!(file.stream_position().await.unwrap(), 2);
    file.write_all(b"ab").await.unwrap();
    file.read_exact(&mut two).await.unwrap();
    assert_eq!(&two, b"45");
    assert_eq!(file.seek(SeekFrom::Current(-1)).await.unwrap(), 5);
    assert_eq!(file.seek(SeekFrom::Current(2)).await.unwrap(), 7);
    file.read_exact(&mut two).await.unwrap();
    assert_eq!(&two, b"78");
    assert_eq!(file.seek(SeekFrom::End(-1)).await.unwrap(), 9);
    file.write_all(b"cd").await.unwrap();
    assert_eq!(file.seek(SeekFrom::Start(1)).await.unwrap(), 1);
    file.seek(SeekFrom::Current(-2)).await.unwrap_err();
    let mut rest = String::new();
    file.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "1ab45678cd");
    file.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn appending_goes_to_the_end_wherever_the_file_stands() {
    let (agent, guest) = guest();
    agent.file(PATH, "0123");
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    let mut file = options.open(&guest, PATH).await.unwrap();
    assert_eq!(file.read_u8().await.unwrap(), b'0');
    file.write_all(b"45").await.unwrap();
    assert_eq!(file.seek(SeekFrom::Start(3)).await.unwrap(), 3);
    let mut rest = String::new();
    file.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "345");
    file.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_flushed_can_be_seen_and_what_fails_is_told() {
    let (agent, guest) = guest();
    let mut file = guest.create(PATH).await.unwrap();
    agent
        .on("guest-file-flush")
        .up_to(1)
        .expect(1)
        .fault(Fault::no_answer());
    file.write_all(b"seen").await.unwrap();
    file.flush().await.unwrap();
    assert_eq!(agent.file_content(PATH).unwrap(), b"seen");
    agent
        .on("guest-file-close")
        .error("GenericError", "No space left on device");
    let error = file.close().await.unwrap_err();
    assert!(error.command_error().unwrap().agent_error().is_some());
    guest.execute(Ping).await.unwrap();
    assert_eq!(support::requests_of(&agent, "guest-file-close").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_file_is_closed_by_the_next_operation() {
    let (agent, guest) = guest();
    agent.file(PATH, "x");
    let handle = guest.open(PATH).await.unwrap().handle();
    let closed = || support::requests_of(&agent, "guest-file-close");
    assert!(closed().is_empty());
    guest.clone().execute(Ping).await.unwrap();
    assert_eq!(closed()[0].arguments["handle"], handle);
    guest.execute(Ping).await.unwrap();
    assert_eq!(closed().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_is_told_by_the_next_operation() {
    let (agent, guest) = guest();
    let mut file = guest.create(PATH).await.unwrap();
    agent
        .on("guest-file-write")
        .expect(1)
        .error("GenericError", "failed");
    file.write_all(b"lost").await.unwrap();
    let error = file.flush().await.unwrap_err();
    let inner = error
        .get_ref()
        .unwrap()
        .downcast_ref::<GuestError>()
        .unwrap();
    assert!(inner.command_error().unwrap().agent_error().is_some());
    file.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn options_that_the_agent_lacks_are_not_sent() {
    let (agent, guest) = guest();
    let mut without_anything = OpenOptions::new();
    let mut keep = without_anything;
    keep.write(true).create(true);
    let mut append_only = without_anything;
    append_only.append(true);
    for (options, named) in [
        (&mut without_anything, "with no options:"),
        (&mut keep, "with write, create:"),
        (&mut append_only, "with append:"),
    ] {
        let error = options.open(&guest, PATH).await.unwrap_err();
        assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    assert!(agent.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn other_tasks_have_their_turn_while_a_file_is_read() {
    let (agent, guest) = guest();
    agent.file(PATH, bytes(1_200_000));
    let (read, ()) = tokio::join!(guest.read(PATH), async {
        agent.wait_for("guest-file-read", 2).await;
        guest.execute(Ping).await.unwrap();
    });
    assert!(read.unwrap() == bytes(1_200_000));
    let names: Vec<_> = agent
        .requests()
        .into_iter()
        .map(|request| request.name)
        .collect();
    let ping = names.iter().position(|name| name == "guest-ping").unwrap();
    let last = names
        .iter()
        .rposition(|name| name == "guest-file-read")
        .unwrap();
    assert!(ping < last, "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_is_cancelled_anywhere_is_taken_up_again() {
    for polls in 0..30 {
        let (agent, guest) = guest();
        agent.file(PATH, bytes(200_000));
        let mut file = guest.open(PATH).await.unwrap();
        let mut content = vec![0; 1_000_000];
        let read = support::poll_times(file.read(&mut content), polls).await;
        content.truncate(read.map_or(0, Result::unwrap));
        file.read_to_end(&mut content).await.unwrap();
        assert!(content == bytes(200_000), "after {polls} polls");
        file.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_dropped_while_the_file_is_kept_holds_nobody_up() {
    for polls in 1..6 {
        let (agent, guest) = guest();
        agent.file(PATH, bytes(200_000));
        let mut file = guest.open(PATH).await.unwrap();
        let first = support::poll_times(file.read_u8(), polls).await;
        guest.clone().execute(Ping).await.unwrap();
        let mut content: Vec<u8> = first.map(Result::unwrap).into_iter().collect();
        file.read_to_end(&mut content).await.unwrap();
        assert!(content == bytes(200_000), "after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_taken_is_done_though_the_file_is_dropped() {
    let (agent, guest) = guest();
    let mut file = guest.create(PATH).await.unwrap();
    file.write_all(&bytes(10_000)).await.unwrap();
    drop(file);
    while support::requests_of(&agent, "guest-file-close").is_empty() {
        guest.execute(Ping).await.unwrap();
    }
    assert!(agent.file_content(PATH).unwrap() == bytes(10_000));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_dropped_while_it_is_read_is_closed_once() {
    for polls in 1..6 {
        let (agent, guest) = guest();
        agent.file(PATH, bytes(200_000));
        let mut file = guest.open(PATH).await.unwrap();
        support::poll_times(file.read_u8(), polls).await;
        drop(file);
        for _ in 0..3 {
            guest.execute(Ping).await.unwrap();
        }
        assert_eq!(support::requests_of(&agent, "guest-file-close").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_or_write_of_a_whole_file_that_is_cancelled_leaves_no_file_open() {
    for polls in 0..60 {
        let (agent, guest) = guest();
        agent.file(PATH, bytes(100_000));
        if polls % 2 == 0 {
            support::poll_times(guest.read(PATH), polls / 2).await;
        } else {
            support::poll_times(guest.write(PATH, bytes(100_000)), polls / 2).await;
        }
        // The last comes after what was under way.
        for _ in 0..3 {
            guest.execute(Ping).await.unwrap();
        }
        let opened = agent.requests_of("guest-file-open").len();
        let closed = agent.requests_of("guest-file-close").len();
        assert_eq!(closed, opened, "after {polls} polls");
        guest.write(PATH, "x").await.unwrap();
        assert_eq!(guest.read(PATH).await.unwrap(), b"x");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_while_it_waits_for_the_channel_leaves_no_file_open() {
    const SECOND: Duration = Duration::from_secs(1);
    for way in ["open", "close", "drop"] {
        let (agent, guest) = guest();
        agent.file(PATH, "x");
        agent.file("/tmp/other", "x");
        let file = guest.open(PATH).await.unwrap();
        agent.on("guest-ping").fault(Fault::delay(3 * SECOND));
        let other = guest.clone();
        let holder = tokio::spawn(async move { other.execute(Ping).await });
        agent.wait_for("guest-ping", 1).await;
        let cut_off = match way {
            "open" => {
                drop(file);
                timeout(SECOND, guest.open("/tmp/other")).await.is_err()
            }
            "close" => timeout(SECOND, file.close()).await.is_err(),
            _ => {
                drop(file);
                timeout(SECOND, guest.execute(Ping)).await.is_err()
            }
        };
        assert!(cut_off, "{way}");
        holder.await.unwrap().unwrap();
        for _ in 0..3 {
            guest.execute(Ping).await.unwrap();
        }
        let opened = agent.requests_of("guest-file-open").len();
        let closed = agent.requests_of("guest-file-close").len();
        assert!(agent.open_handles().is_empty(), "{way}");
        assert_eq!(opened, closed, "{way}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_does_not_wait_for_many_dropped_files_that_the_agent_does_not_close() {
    let (agent, guest) = guest();
    agent.file(PATH, "x");
    let mut files = Vec::new();
    for _ in 0..20 {
        files.push(guest.open(PATH).await.unwrap());
    }
    drop(files);
    agent.on("guest-file-close").fault(Fault::no_answer());
    let start = tokio::time::Instant::now();
    guest.execute(Ping).await.unwrap();
    let took = start.elapsed();
    assert!(took <= Duration::from_secs(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_next_run_is_read_while_the_caller_is_busy_and_no_more_than_that() {
    let (agent, guest) = guest();
    agent.file(PATH, vec![7; 8 << 20]);
    let mut file = guest.open(PATH).await.unwrap();
    let mut run = vec![0; 1 << 20];
    let reads = || support::requests_of(&agent, "guest-file-read").len();
    for (wanted, sent) in [(1, 4), (1, 4), (run.len(), 12), (1, 12)] {
        file.read_exact(&mut run[..wanted]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(reads(), sent);
    }
    // What was read ahead is not lost to a seek or a write.
    assert_eq!(file.stream_position().await.unwrap(), (1 << 20) + 3);
    file.close().await.unwrap();
}

/// A file and a local one, put through the same reads, writes and seeks, some of them cut off.
#[tokio::test(start_paused = true)]
async fn a_file_stands_where_a_local_one_does_whatever_is_done_with_it() {
    let mut state = 7_u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (agent, guest) = guest();
    let content = bytes(1_100_000);
    agent.file(PATH, content.clone());
    let mut local = std::io::Cursor::new(content);
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let mut file = options.open(&guest, PATH).await.unwrap();
    for step in 0..60 {
        match random(8) {
            0 => {
                let to = SeekFrom::Start(random(2_100_000) as u64);
                let sought = local.seek(to).await.unwrap();
                assert_eq!(file.seek(to).await.unwrap(), sought, "step {step}");
            }
            1 => {
                let by = SeekFrom::Current(i64::try_from(random(1000)).unwrap());
                let sought = local.seek(by).await.unwrap();
                assert_eq!(file.seek(by).await.unwrap(), sought, "step {step}");
            }
            2 => {
                let new = vec![u8::try_from(step).unwrap(); random(200_000)];
                local.write_all(&new).await.unwrap();
                file.write_all(&new).await.unwrap();
            }
            3 => {
                let reads = agent.on("guest-file-read");
                reads.up_to(1).fault(Fault::no_answer());
            }
            4 => {
                let mut buffer = vec![0; 1000];
                let polls = random(4);
                if let Some(read) = support::poll_times(file.read(&mut buffer), polls).await {
                    let mut same = vec![0; read.unwrap()];
                    local.read_exact(&mut same).await.unwrap();
                    assert!(buffer[..same.len()] == same, "step {step}");
                }
            }
            _ => {
                let most = random(1_500_000) as u64;
                let (mut read, mut same) = (Vec::new(), Vec::new());
                (&mut local)
                    .take(most)
                    .read_to_end(&mut same)
                    .await
                    .unwrap();
                (&mut file).take(most).read_to_end(&mut read).await.unwrap();
                assert!(read == same, "step {step}");
            }
        }
    }
    file.close().await.unwrap();
    assert!(agent.file_content(PATH).unwrap() == local.into_inner());
}

#[test]
fn a_file_may_move_to_another_thread() {
    fn check<T: Send + Unpin>() {}
    check::<File>();
}

#[tokio::test(start_paused = true)]
async fn a_file_read_whole_is_right_or_an_error_whatever_message_is_spoilt() {
    let content = vec![7; 600_000];
    support::faults::at_every_message(
        Duration::from_secs(60),
        |agent| agent.file("/f", content.clone()),
        async |guest| guest.read("/f").await,
        |_, context, read| {
            if let Ok(read) = read {
                assert!(read == content, "{context}");
            }
        },
    )
    .await;
}
