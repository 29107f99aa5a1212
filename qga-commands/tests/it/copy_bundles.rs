//! Copies of many small files, by a guest that goes wrong at every message, and by one that lies.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::faults::{at_every_message, dropped_at_every_poll, reconnecting};
use qga_commands::guest::copy::CopyFault;
use qga_commands::{Guest, GuestError};
use qga_testserver::{Script, TestAgent};

const LONG: Duration = Duration::from_secs(1800);

/// Each path with its content.
type Files = BTreeMap<String, Vec<u8>>;

/// Small files of all kinds, and one that is not small.
fn files() -> Files {
    let sizes = [0, 1, 511, 512, 513, 5000, 0, 70_000];
    let paths = [
        "a",
        "b",
        "in/c",
        "in/-rf",
        "in/deep/d e",
        "in/deep/f\ng",
        "h",
        "large",
    ];
    let content = |size: usize| (0..=250).cycle().skip(size % 7).take(size).collect();
    let files = paths.into_iter().zip(sizes);
    files
        .map(|(path, size)| (path.to_owned(), content(size)))
        .collect()
}

fn make(root: &Path, files: &Files) {
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// What there is below a folder of this host.
fn found(root: &Path) -> Files {
    let mut found = Files::new();
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            found.insert(name.to_owned(), fs::read(&path).unwrap());
        }
    }
    found
}

fn put(agent: &TestAgent, files: &Files) {
    for (path, content) in files {
        agent.file(&format!("/tree/{path}"), content.as_slice());
    }
}

fn check_guest(agent: &TestAgent, root: &str, files: &Files, context: &str) {
    for (path, content) in files {
        let there = agent.file_content(&format!("{root}/{path}"));
        assert!(there.as_ref() == Some(content), "{context}: {path:?}");
    }
}

/// How many files the agent has opened, but for those by which it is known again.
pub(crate) fn opened(agent: &TestAgent) -> usize {
    let opened = agent.requests_of("guest-file-open").into_iter();
    let path = |path: &str| !path.starts_with("/proc/");
    opened
        .filter(|call| call.arguments["path"].as_str().is_some_and(path))
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_tree_of_small_files_takes_a_few_messages_in_all() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    let [here, back] = ["here", "back"].map(|name| folder.path().join(name));
    let path = |number: usize| format!("{}/{number}", number / 100);
    let files: Files = (0..1000)
        .map(|number| (path(number), vec![b'x'; number % 10 * 100]))
        .collect();
    make(&here, &files);
    let up = guest.upload(&here, "/tmp/there").verify(true).await;
    assert_eq!(up.unwrap().files, 1000);
    check_guest(&agent, "/tmp/there", &files, "up");
    let down = guest.download("/tmp/there", &back).verify(true).await;
    assert_eq!(down.unwrap().files, 1000);
    assert!(found(&back) == files);
    assert_eq!(opened(&agent), 0);
    let messages = agent.requests().len();
    assert!(messages < 100, "{messages}");
}

#[tokio::test(start_paused = true)]
async fn a_few_files_are_copied_without_a_program_for_them() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    let mut files = files();
    files.retain(|path, _| path.starts_with("in/d") || path == "a");
    make(&here, &files);
    guest.upload(&here, "/tmp/there").await.unwrap();
    check_guest(&agent, "/tmp/there", &files, "up");
    assert_eq!(opened(&agent), files.len());
}

#[tokio::test(start_paused = true)]
async fn an_upload_of_small_files_is_whole_whatever_message_is_spoilt() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    make(&here, &files());
    at_every_message(
        LONG,
        |_| {},
        async |guest| guest.upload(&here, "/tmp/there").verify(true).await,
        |agent, context, copied| {
            copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            check_guest(agent, "/tmp/there", &files(), context);
            assert!(opened(agent) < 2 * files().len(), "{context}");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_download_of_small_files_is_whole_whatever_message_is_spoilt() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    at_every_message(
        LONG,
        |agent| put(agent, &files()),
        async |guest| guest.download("/tree", &target).verify(true).await,
        |_, context, copied| {
            copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(found(&target) == files(), "{context}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{context}");
            fs::remove_dir_all(&target).unwrap();
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_of_small_files_that_is_dropped_is_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    make(&here, &files());
    dropped_at_every_poll(
        Duration::from_secs(60),
        |agent| agent.folder("/there"),
        async |guest| guest.upload(&here, "/there/target").await,
        async |agent, guest, context| {
            let left: Vec<_> = guest.read_dir("/there").await.unwrap();
            let names: Vec<_> = left.iter().map(|entry| entry.file_name()).collect();
            if !names.is_empty() {
                assert_eq!(names, ["target"], "{context}");
                check_guest(agent, "/there/target", &files(), context);
            }
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_download_of_small_files_that_is_dropped_is_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    dropped_at_every_poll(
        Duration::from_secs(5),
        |agent| put(agent, &files()),
        async |guest| guest.download("/tree", &target).await,
        async |_, _, context| {
            let other = |entry: fs::DirEntry| entry.file_name() != "target";
            let has_others = || {
                let mut entries = fs::read_dir(folder.path()).unwrap();
                entries.any(|entry| other(entry.unwrap()))
            };
            while has_others() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            if target.exists() {
                assert!(found(&target) == files(), "{context}");
                fs::remove_dir_all(&target).unwrap();
            }
        },
    )
    .await;
}

/// Uploads forty files; after the first of them, something becomes of one that is still to come.
async fn uploaded(change: impl Fn(&Path) + Send + 'static) -> Result<(u64, Vec<u8>), GuestError> {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    let (here, mut left) = (folder.path().to_owned(), Vec::new());
    for number in 10..50 {
        fs::write(here.join(number.to_string()), vec![b'x'; 60_000]).unwrap();
        left.push(number.to_string());
    }
    let chosen = Arc::new(Mutex::new(String::new()));
    let choose = Arc::clone(&chosen);
    let copy = guest.upload(&here, "/tmp/there").progress(move |now| {
        left.retain(|name| name != now.file);
        // So many are sent at once.
        if left.len() == 36 {
            choose.lock().unwrap().clone_from(&left[0]);
            change(&here.join(&left[0]));
        }
    });
    let copied = copy.await?;
    let path = format!("/tmp/there/{}", chosen.lock().unwrap());
    assert_eq!((copied.files, copied.bytes), (40, 40 * 60_000));
    Ok((copied.grown, agent.file_content(&path).unwrap()))
}

#[tokio::test(start_paused = true)]
async fn a_small_file_of_this_host_that_changes_after_it_was_listed_is_noticed() {
    let grown = uploaded(|path| fs::write(path, vec![b'x'; 60_001]).unwrap());
    let (grown, content) = grown.await.unwrap();
    assert!(grown == 1 && content == vec![b'x'; 60_000]);
    let shrunk = uploaded(|path| fs::write(path, vec![b'x'; 59_999]).unwrap()).await;
    let vanished = uploaded(|path| fs::remove_file(path).unwrap()).await;
    let replaced = uploaded(|path| {
        let other = path.with_extension("other");
        fs::write(&other, vec![b'x'; 60_000]).unwrap();
        fs::rename(&other, path).unwrap();
    });
    let replaced = replaced.await;
    for (error, is_changed) in [(shrunk, true), (vanished, false), (replaced, true)] {
        let error = error.unwrap_err();
        let changed = matches!(&error, GuestError::Copy { fault, .. } if matches!(**fault, CopyFault::Changed(_)));
        assert_eq!(changed, is_changed, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_never_ends_an_archive_comes_to_an_end() {
    let (agent, guest) = archiving(Vec::new(), "").await;
    let list = archived_list();
    agent.program("sh").runs(move |call| {
        if call.args[1].starts_with(": qga-list ") {
            Script::new().stdout(&list)
        } else {
            Script::new().never_ends()
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    let start = tokio::time::Instant::now();
    guest.download("/tree", &target).await.unwrap_err();
    assert!(start.elapsed() < LONG);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn archived_list() -> String {
    let files = NAMES.map(|name| format!("//81a4 5 0 0 0 ./{name}\n"));
    format!("//41ed 0 0 0 0 .\n{}", files.concat())
}

/// A guest that lists four files of five bytes, and sends this as the archive of them.
async fn archiving(archive: Vec<u8>, said: &'static str) -> (Arc<TestAgent>, Guest) {
    let (agent, guest) = reconnecting().await;
    for name in NAMES {
        agent.file(&format!("/tree/{name}"), "12345");
    }
    let list = archived_list();
    agent.program("sh").runs(move |call| {
        let script = &call.args[1];
        if script.starts_with(": qga-list ") {
            Script::new().stdout(&list)
        } else if script.starts_with(": qga-pack ") {
            Script::new().stdout(&archive).stderr(said)
        } else {
            Script::new()
        }
    });
    (agent, guest)
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// An archive of these, each with its type.
fn archive(entries: &[(u8, &str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (kind, name, content) in entries {
        let mut header = tar::Header::new_ustar();
        // No library writes such paths by itself.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_mode(0o777);
        header.set_size(content.len() as u64);
        header.set_cksum();
        archive.append(&header, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

const WHOLE: [(u8, &str, &str); 4] = [
    (b'0', "./a", "AAAAA"),
    (b'0', "b", "BBBBB"),
    (b'0', "./d", "DDDDD"),
    (b'0', "./c", "CCCCC"),
];

/// Downloads from a guest that sends this archive. What each file begins with, and how many were read one by one.
async fn downloaded(archive: Vec<u8>, said: &'static str) -> (String, usize) {
    let (agent, guest) = archiving(archive, said).await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("in/target");
    fs::create_dir(folder.path().join("in")).unwrap();
    guest.download("/tree", &target).await.unwrap();
    let files = found(folder.path());
    let paths: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(paths, NAMES.map(|name| format!("in/target/{name}")));
    assert!(files.values().all(|content| content.len() == 5));
    let first = files.values().map(|content| char::from(content[0]));
    (first.collect(), opened(&agent))
}

#[tokio::test(start_paused = true)]
async fn of_an_archive_of_the_guest_only_what_was_asked_for_is_taken() {
    let whole = |more: &[(u8, &str, &str)]| archive(&[more, &WHOLE].concat());
    let ours = ("ABCD".to_owned(), 0);
    assert_eq!(downloaded(whole(&[]), "whole\n").await, ours);
    for more in [
        (b'0', "../x", "12345"),
        (b'0', "/tmp/x", "12345"),
        (b'0', "./../../x", "12345"),
        (b'0', "e", "12345"),
        (b'0', "a/x", "12345"),
        (b'2', "./e", ""),
        (b'5', "./e/", ""),
        (b'1', "./e", ""),
        (b'7', "./e", "1"),
    ] {
        assert_eq!(
            downloaded(whole(&[more]), "whole\n").await,
            ours,
            "{more:?}"
        );
    }
    // A link in place of a file is followed by nobody here.
    let links = [(b'2', "./a", ""), (b'1', "./b", ""), (b'5', "./c", "")];
    assert_eq!(
        downloaded(archive(&links), "whole\n").await,
        ("1111".into(), 4)
    );
    // Of two the first counts.
    let twice = whole(&[(b'0', "./a", "aaaaa")]);
    assert_eq!(downloaded(twice, "whole\n").await, ("aBCD".into(), 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_in_an_archive_or_has_another_length_is_copied_by_itself() {
    let mut entries = WHOLE;
    for (content, others) in [("", "1BCD"), ("AAAA", "1BCD"), ("AAAAAA", "1BCD")] {
        entries[0].2 = content;
        assert_eq!(
            downloaded(archive(&entries), "whole\n").await,
            (others.into(), 1)
        );
    }
    let whole = archive(&WHOLE);
    for (end, wanted) in [
        (0, "1111"),
        (511, "1111"),
        (512, "1111"),
        (1024, "A111"),
        (1540, "A111"),
    ] {
        let wanted = (wanted.to_owned(), wanted.matches('1').count());
        assert_eq!(
            downloaded(whole[..end].to_vec(), "whole\n").await,
            wanted,
            "{end}"
        );
    }
    // What does not say that it is whole may have zeros where a file was cut.
    for said in ["", "whol", "unwhole\n", "tar: whole\n"] {
        assert_eq!(downloaded(whole.clone(), said).await, ("1111".into(), 4));
    }
    assert_eq!(
        downloaded(whole, "tar: odd\nwhole\n").await,
        ("ABCD".into(), 0)
    );
}

#[tokio::test(start_paused = true)]
async fn files_that_are_said_to_be_empty_and_are_not_are_copied_to_their_ends() {
    let (agent, guest) = reconnecting().await;
    for (name, content) in NAMES.iter().zip(["", "kernel\n", "", ""]) {
        agent.file(&format!("/tree/{name}"), content);
    }
    let waiting = Script::new().never_ends();
    for (printed, opens) in [
        (Script::new(), 0),
        (Script::new().stdout("k"), 4),
        (Script::new().exit(1), 4),
        (waiting, 4),
    ] {
        let list = NAMES.map(|name| format!("//81a4 0 0 0 0 ./{name}\n"));
        let list = list.concat();
        let list = Script::new().stdout(format!("//41ed 0 0 0 0 .\n{list}"));
        agent.program("sh").runs(move |call| {
            let is_list = call.args[1].starts_with(": qga-list ");
            if is_list {
                list.clone()
            } else {
                printed.clone()
            }
        });
        let before = opened(&agent);
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        guest.download("/tree", &target).await.unwrap();
        let kernel = if opens > 0 { "kernel\n" } else { "" };
        assert_eq!(fs::read_to_string(target.join("b")).unwrap(), kernel);
        assert_eq!(opened(&agent) - before, opens);
    }
}
