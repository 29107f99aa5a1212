//! Copies of trees that go on with what an earlier one has left.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::copy_resume::{broken_off, bytes, locked, names, names_there, refusal};
use crate::support::faults::{at_every_message, dropped_at_every_poll, reconnecting};
use qga_commands::Guest;
use qga_commands::guest::copy::Transfer;
use qga_testserver::{Script, TestAgent};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(1800);
const MIB: usize = 1_000_000;

/// What is in a folder and below: nothing for a folder, what is in a file, and `->` and where it leads to for a link.
type Tree = BTreeMap<String, Vec<u8>>;

fn tree(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            tree.insert(name, format!("->{}", target.display()).into());
        } else if path.is_dir() {
            let below = self::tree(&path).into_iter();
            tree.extend(below.map(|(path, content)| (format!("{name}/{path}"), content)));
            tree.insert(name + "/", Vec::new());
        } else {
            tree.insert(name, fs::read(&path).unwrap());
        }
    }
    tree
}

struct Case {
    agent: Arc<TestAgent>,
    guest: Guest,
    folder: TempDir,
    is_upload: bool,
}

/// A tree to upload, and one to download.
async fn cases() -> [Case; 2] {
    let [up, down] = [Case::new(true).await, Case::new(false).await];
    [up, down]
}

impl Case {
    async fn new(is_upload: bool) -> Self {
        let (agent, guest) = reconnecting().await;
        agent.folder("/srv");
        let folder = tempfile::tempdir().unwrap();
        let case = Self {
            agent,
            guest,
            folder,
            is_upload,
        };
        let source = case.source();
        fs::create_dir_all(source.join("deep/er")).unwrap();
        for number in 0..6 {
            fs::write(source.join(format!("deep/small{number}")), [number; 50]).unwrap();
        }
        for name in ["a", "b", "deep/c", "deep/er/d"] {
            fs::write(source.join(name), bytes(MIB)).unwrap();
        }
        fs::write(source.join("none"), "").unwrap();
        symlink("../elsewhere", source.join("link")).unwrap();
        case.put().await;
        case
    }

    /// What is copied, be it from here or once it is in the guest.
    fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    /// What was changed of the source is so for the next copy.
    async fn put(&self) {
        if !self.is_upload {
            let upload = self.guest.upload(self.source(), "/tree").replace(true);
            upload.await.unwrap();
        }
    }

    fn copy(&self) -> Transfer {
        if self.is_upload {
            self.guest.upload(self.source(), "/srv/to")
        } else {
            self.guest.download("/tree", self.folder.path().join("to"))
        }
    }

    /// What lies beside the source and the target, or the target if that is there.
    async fn beside(&self) -> Vec<String> {
        let names = if self.is_upload {
            names_there(&self.guest).await
        } else {
            names(self.folder.path())
        };
        let names = names.into_iter().filter(|name| name != "source");
        names.collect()
    }

    /// The only thing that an earlier copy has left.
    async fn part(&self) -> String {
        let beside = self.beside().await;
        assert_eq!(beside.len(), 1, "{beside:?}");
        assert!(beside[0].contains(".part"), "{beside:?}");
        beside[0].clone()
    }

    /// Breaks a copy off after 2.4 of 4 MB.
    async fn break_off(&self) -> String {
        broken_off(self.copy(), 2_400_000).await;
        self.part().await
    }

    fn put_into(&self, part: &str, path: &str, content: &str) {
        if self.is_upload {
            let path = format!("/srv/{part}/content/{path}");
            match content.strip_prefix("->") {
                Some(target) => self.agent.symlink(&path, target),
                None => self.agent.file(&path, content),
            }
            return;
        }
        let content_of = self.folder.path().join(part).join("content");
        let path = match path {
            "" => content_of,
            _ => content_of.join(path),
        };
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path).unwrap();
        }
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match content.strip_prefix("->") {
            Some(target) => symlink(target, &path).unwrap(),
            None => fs::write(&path, content).unwrap(),
        }
    }

    /// A place in the guest or on this host to which nothing may be written, and what is in it.
    fn elsewhere(&self) -> String {
        if self.is_upload {
            self.agent.file("/else/where", "theirs");
            return "/else".into();
        }
        let path = self.folder.path().parent().unwrap().join(format!(
            "{}-else",
            self.folder.path().file_name().unwrap().display()
        ));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("where"), "theirs").unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn assert_untouched(&self, elsewhere: &str) {
        let at = format!("{elsewhere}/where");
        if self.is_upload {
            assert_eq!(self.agent.file_content(&at).unwrap(), b"theirs");
            assert_eq!(self.guest.read_dir("/else").await.unwrap().len(), 1);
        } else {
            assert_eq!(fs::read_to_string(at).unwrap(), "theirs");
            assert_eq!(names(Path::new(elsewhere)), ["where"]);
            fs::remove_dir_all(elsewhere).unwrap();
        }
    }

    /// How often a file of a copy was opened in the guest.
    fn opened(&self) -> usize {
        let opened = self.agent.requests_of("guest-file-open").into_iter();
        let paths = opened.map(|call| call.arguments["path"].as_str().unwrap().to_owned());
        paths.filter(|path| !path.starts_with("/proc/")).count()
    }

    /// Copies the rest, and says how much was there already and how many files were opened.
    async fn go_on(&self) -> (u64, usize) {
        let before = self.opened();
        let copied = self.copy().resume(true).await.unwrap();
        let opened = self.opened() - before;
        assert_eq!(self.beside().await, ["to"]);
        let there = if self.is_upload {
            let back = tempfile::tempdir().unwrap();
            let back = back.path().join("back");
            self.guest.download("/srv/to", &back).await.unwrap();
            tree(&back)
        } else {
            tree(&self.folder.path().join("to"))
        };
        let source = tree(&self.source());
        let (theirs, ours): (Vec<_>, Vec<_>) = (there.keys().collect(), source.keys().collect());
        assert_eq!(theirs, ours, "upload: {}", self.is_upload);
        assert!(there == source, "upload: {}", self.is_upload);
        (copied.resumed, opened)
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_arrived_is_not_copied_again_and_a_part_is_gone_on_with() {
    for case in cases().await {
        case.break_off().await;
        let (resumed, opened) = case.go_on().await;
        assert!(resumed > 2_200_000, "{resumed}");
        // The one that was begun, the one that was not, and the empty one.
        assert!(opened <= 3, "{opened}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_changed_in_between_is_copied_anew_and_only_that() {
    for case in cases().await {
        case.break_off().await;
        let mut changed = bytes(MIB);
        changed[0] ^= 1;
        // Those that are under way come in any order; two of them at least are not touched.
        for name in ["a", "b"] {
            fs::write(case.source().join(name), &changed).unwrap();
        }
        fs::write(case.source().join("deep/small1"), [9; 50]).unwrap();
        fs::write(case.source().join("deep/small2"), [2; 49]).unwrap();
        case.put().await;
        let (resumed, _) = case.go_on().await;
        assert!((300_000..=2_000_200).contains(&resumed), "{resumed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_grows_while_a_copy_goes_on_is_counted_even_if_all_of_it_had_arrived() {
    for case in cases().await {
        case.break_off().await;
        for number in 0..6 {
            // These go first, and the others grow meanwhile.
            fs::write(case.source().join(format!("deep/small{number}")), [9; 50]).unwrap();
        }
        case.put().await;
        let (source, agent) = (case.source(), Arc::clone(&case.agent));
        let is_upload = case.is_upload;
        let mut first = true;
        let copy = case.copy().resume(true).verify(true).progress(move |_| {
            if !std::mem::take(&mut first) {
                return;
            }
            for name in ["a", "b", "deep/c", "deep/er/d"] {
                if is_upload {
                    fs::write(source.join(name), bytes(MIB + 1)).unwrap();
                } else {
                    agent.file(&format!("/tree/{name}"), bytes(MIB + 1));
                }
            }
        });
        let copied = copy.await.unwrap();
        assert!(copied.resumed > 2_200_000, "{copied:?}");
        let lengths = (copied.bytes, copied.grown);
        assert_eq!(lengths, (4 * MIB as u64 + 300, 4), "upload: {is_upload}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_became_something_else_in_between_is_that_afterwards() {
    for case in cases().await {
        case.break_off().await;
        let source = case.source();
        fs::remove_file(source.join("deep/small0")).unwrap();
        fs::remove_file(source.join("deep/small1")).unwrap();
        fs::create_dir(source.join("deep/small1")).unwrap();
        fs::write(source.join("deep/small1/x"), "x").unwrap();
        fs::remove_file(source.join("deep/small2")).unwrap();
        symlink("small3", source.join("deep/small2")).unwrap();
        fs::remove_file(source.join("link")).unwrap();
        fs::write(source.join("link"), "no link").unwrap();
        fs::remove_dir_all(source.join("deep/er")).unwrap();
        fs::write(source.join("deep/er"), "no folder").unwrap();
        case.put().await;
        case.go_on().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_became_a_file_is_that_afterwards_and_the_other_way_round() {
    for case in cases().await {
        let source = case.source();
        case.break_off().await;
        fs::rename(&source, case.folder.path().join("kept")).unwrap();
        fs::write(&source, bytes(MIB)).unwrap();
        case.put().await;
        broken_off(case.copy(), 600_000).await;
        fs::remove_file(&source).unwrap();
        fs::rename(case.folder.path().join("kept"), &source).unwrap();
        case.put().await;
        assert_eq!(case.go_on().await.0, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_put_into_a_part_is_neither_kept_nor_written_through() {
    for case in cases().await {
        let part = case.break_off().await;
        let elsewhere = case.elsewhere();
        let where_ = format!("->{elsewhere}/where");
        for path in ["a", "b", "deep/c", "deep/small0", "none", "foreign link"] {
            case.put_into(&part, path, &where_);
        }
        case.put_into(&part, "foreign/file", "foreign");
        case.put_into(&part, "link", "no link");
        if case.is_upload {
            case.agent.fifo(&format!("/srv/{part}/content/pipe"));
        } else {
            let pipe = case.folder.path().join(&part).join("content/pipe");
            let made = Command::new("mkfifo").arg(pipe).status().unwrap();
            assert!(made.success());
        }
        if !case.is_upload {
            case.put_into(&part, "deep", &format!("->{elsewhere}"));
        }
        let (resumed, _) = case.go_on().await;
        assert!(resumed <= 1_000_300, "{resumed}");
        case.assert_untouched(&elsewhere).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_of_a_part_that_has_another_name_is_not_written_to() {
    let case = Case::new(false).await;
    let part = case.folder.path().join(case.break_off().await);
    let elsewhere = case.folder.path().join("source/kept");
    fs::create_dir(&elsewhere).unwrap();
    let there = tree(&part.join("content"));
    let files = there
        .keys()
        .filter(|path| part.join("content").join(path).is_file());
    let files: Vec<_> = files.collect();
    assert!(files.len() > 1, "{files:?}");
    for (number, path) in files.iter().enumerate() {
        let path = part.join("content").join(path);
        fs::hard_link(path, elsewhere.join(number.to_string())).unwrap();
    }
    let before = tree(&elsewhere);
    case.copy().resume(true).await.unwrap();
    assert!(tree(&elsewhere) == before);
    let copied = case.folder.path().join("to");
    for path in files {
        assert_eq!(copied.join(path).metadata().unwrap().nlink(), 1, "{path:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_listed_twice_does_not_make_one_file_of_two() {
    let case = Case::new(false).await;
    let twice = "//81a4 1 0 0 0 ./a\n//81a4 1 0 0 0 ./a\n";
    lists(&case.agent, twice);
    let error = case.copy().verify(false).resume(true).await.unwrap_err();
    assert!(error.to_string().contains("exists"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_link_in_the_place_of_a_folder_or_of_all_is_not_gone_through() {
    for case in cases().await {
        for place in ["deep", ""] {
            let part = case.break_off().await;
            let elsewhere = case.elsewhere();
            if case.is_upload {
                let there = format!("/srv/{part}/content/{place}");
                let there = there.trim_end_matches('/');
                let remove = ["-c", ": qga-remove 1", "first", there];
                let gone = case.guest.command("sh").args(remove).output().await;
                assert!(gone.unwrap().status.success());
                case.agent.symlink(there, &elsewhere);
            } else {
                case.put_into(&part, place, &format!("->{elsewhere}"));
            }
            case.go_on().await;
            case.assert_untouched(&elsewhere).await;
            if case.is_upload {
                let remove = ["-c", ": qga-remove 1", "first", "/srv/to"];
                let gone = case.guest.command("sh").args(remove).output().await;
                assert!(gone.unwrap().status.success());
            } else {
                fs::remove_dir_all(case.folder.path().join("to")).unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_one_at_a_time_goes_on_with_a_tree() {
    for case in cases().await {
        let part = case.break_off().await;
        let lock = locked(&case.agent, case.folder.path(), case.is_upload, &part);
        let error = case.copy().resume(true).await.unwrap_err();
        assert!(refusal(&error).contains("another process"), "{error}");
        assert_eq!(case.part().await, part);
        drop(lock);
        assert!(case.go_on().await.0 > 2_200_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_there_is_refused_unless_it_may_go() {
    for case in cases().await {
        case.break_off().await;
        case.copy().await.unwrap();
        let error = case.copy().resume(true).await.unwrap_err();
        assert!(refusal(&error).contains("there already"), "{error}");
        let copied = case.copy().resume(true).replace(true).await.unwrap();
        assert!(copied.resumed > 2_200_000, "{copied:?}");
        assert_eq!(case.beside().await, ["to"]);
    }
}

/// Lists this of the part or the source, and answers nothing else as it is.
fn lists(agent: &TestAgent, list: &str) {
    let list = format!("//41ed 0 0 0 0 .\n{list}");
    agent.program("sh").runs(move |call| {
        let script = &call.args[1];
        if script.starts_with(": qga-list ") {
            Script::new().stdout(&list)
        } else if script.starts_with(": qga-continue ") {
            Script::new().stdout("0123456789abcdef 07\n")
        } else if script.starts_with(": qga-checksums ") {
            Script::new().stdout("0".repeat(64) + "  -\n")
        } else {
            Script::new()
        }
    });
}

#[tokio::test(start_paused = true)]
async fn names_that_a_guest_lists_lead_nowhere_else_where_a_copy_goes_on() {
    let names = [
        "//81a4 1 0 0 0 ./../x\n",
        "//81a4 1 0 0 0 /x\n",
        "//a1ff 1 0 0 0 ./a\n//81a4 1 0 0 0 ./a/x\n",
        "//81a4 1 0 0 0 ./deep/../../x\n",
        "//81a4 -1 0 0 0 ./a\n",
        "nonsense",
    ];
    for list in names {
        for case in cases().await {
            case.break_off().await;
            let before = tree(case.folder.path()).len();
            lists(&case.agent, list);
            let copied = case.copy().resume(true).await;
            let calls = case.agent.requests_of("guest-exec").into_iter();
            let removed: Vec<_> = calls
                .map(|call| call.arguments["arg"].clone())
                .filter(|args| args[1].as_str().unwrap().starts_with(": qga-remove 1"))
                .collect();
            if case.is_upload {
                // What cannot be read is no part; nothing but the whole of it is removed.
                let [all] = &*removed else {
                    panic!("{list:?}: {removed:?}");
                };
                let path = all[3].as_str().unwrap();
                assert!(path.ends_with(".part/content"), "{list:?}: {path}");
                assert_eq!(all.as_array().unwrap().len(), 4, "{list:?}: {all}");
            } else {
                copied.unwrap_err();
                assert_eq!(tree(case.folder.path()).len(), before, "{list:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_claims_to_have_what_it_has_not_been_sent_is_not_believed_without_a_checksum()
{
    let case = Case::new(true).await;
    lists(
        &case.agent,
        "//81a4 1000000 0 0 0 ./a\n//81a4 7 0 0 0 ./b\n",
    );
    case.copy().resume(true).await.unwrap_err();
    let opened = case.agent.requests_of("guest-file-open").into_iter();
    let mut modes = opened.filter_map(|call| match call.arguments["path"].as_str() {
        Some(path) if path.contains(".part/content/") => Some(call.arguments["mode"].clone()),
        _ => None,
    });
    assert_eq!(modes.next().unwrap(), "wb");
}

fn few(folder: &Path) {
    fs::create_dir_all(folder.join("in")).unwrap();
    for name in ["1", "2", "3", "in/4"] {
        fs::write(folder.join(name), name).unwrap();
    }
    fs::write(folder.join("in/long"), bytes(70_000)).unwrap();
    symlink("1", folder.join("in/link")).unwrap();
}

fn assert_few(agent: &TestAgent, context: &str) {
    let long = agent.file_content("/srv/to/in/long");
    assert!(long.unwrap() == bytes(70_000), "{context}");
    for name in ["1", "2", "3", "in/4"] {
        let file = agent.file_content(&format!("/srv/to/{name}"));
        assert_eq!(file.unwrap(), name.as_bytes(), "{context}");
    }
}

fn few_there(agent: &TestAgent) {
    for name in ["1", "2", "3", "in/4"] {
        agent.file(&format!("/t/{name}"), name);
    }
    agent.file("/t/in/long", bytes(70_000));
    agent.symlink("/t/in/link", "1");
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_tree_that_was_dropped_anywhere_is_ended_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    few(&from);
    let whole = tree(&from);
    dropped_at_every_poll(
        Duration::from_secs(5),
        |agent| agent.folder("/srv"),
        async |guest| guest.upload(&from, "/srv/to").resume(true).await,
        async |agent, guest, context| {
            if !names_there(guest).await.contains(&"to".to_owned()) {
                let copied = guest.upload(&from, "/srv/to").resume(true).await;
                copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            }
            assert_few(agent, context);
        },
    )
    .await;
    dropped_at_every_poll(
        Duration::from_secs(5),
        few_there,
        async |guest| guest.download("/t", &to).resume(true).await,
        async |_, guest, context| {
            if !to.exists() {
                let copied = guest.download("/t", &to).resume(true).await;
                copied.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(names(folder.path()).len(), 2, "{context}");
            }
            assert!(tree(&to) == whole, "{context}");
            fs::remove_dir_all(&to).unwrap();
        },
    )
    .await;
}

/// The folder that a copy leaves which is dropped.
async fn part_of(is_upload: bool, from: &Path, to: &Path) -> String {
    let (agent, guest) = reconnecting().await;
    if is_upload {
        agent.folder("/srv");
        broken_off(guest.upload(from, "/srv/to"), 1).await;
        return names_there(&guest).await.remove(0);
    }
    few_there(&agent);
    broken_off(guest.download("/t", to), 1).await;
    let mut left = names(to.parent().unwrap());
    left.retain(|name| name.contains(".part"));
    left.remove(0)
}

/// What is left of the few: two are whole, one is another, and half of one is there.
fn left() -> [(&'static str, Vec<u8>); 4] {
    let file = |name: &str| name.as_bytes().to_vec();
    [
        ("1", file("1")),
        ("2", file("2")),
        ("3", file("other")),
        ("in/long", bytes(35_000)),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_copy_into_a_guest_that_goes_on_with_a_tree_is_whole_whatever_message_is_spoilt() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    few(&from);
    let part = part_of(true, &from, &to).await;
    at_every_message(
        LONG,
        |agent| {
            agent.file(&format!("/srv/{part}/id"), "0123456789abcdef\n");
            for (name, content) in left() {
                agent.file(&format!("/srv/{part}/content/{name}"), content);
            }
        },
        async |guest| guest.upload(&from, "/srv/to").resume(true).await,
        |agent, context, copied| {
            let copied = copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(copied.resumed, 35_002, "{context}");
            assert_few(agent, context);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_out_of_a_guest_that_goes_on_with_a_tree_is_whole_whatever_message_is_spoilt() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    few(&from);
    let whole = tree(&from);
    let part = folder.path().join(part_of(false, &from, &to).await);
    at_every_message(
        LONG,
        |agent| {
            few_there(agent);
            let _ = fs::remove_dir_all(&part);
            fs::create_dir_all(part.join("content/in")).unwrap();
            fs::set_permissions(&part, fs::Permissions::from_mode(0o700)).unwrap();
            for (name, content) in left() {
                fs::write(part.join("content").join(name), content).unwrap();
            }
        },
        async |guest| guest.download("/t", &to).resume(true).await,
        |_, context, copied| {
            let copied = copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(copied.resumed, 35_002, "{context}");
            assert!(tree(&to) == whole, "{context}");
            fs::remove_dir_all(&to).unwrap();
        },
    )
    .await;
}
