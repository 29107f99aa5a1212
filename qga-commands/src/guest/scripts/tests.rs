//! The scripts as shells of this host run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::*;

const ALL: [Script; 23] = [
    LIST,
    CHECKSUMS,
    BEGIN,
    CONTINUE,
    RENEW,
    REMOVE,
    MAKE_FOLDERS,
    UNPACK,
    PACK,
    ARE_EMPTY,
    READ_LINKS,
    MAKE_LINKS,
    SET_METADATA,
    SET_OWNER,
    PUBLISH,
    DISCARD,
    MAKE_DIRECTORY,
    REMOVE_FILE,
    MAKE_STREAMS,
    STREAM,
    REMOVE_STREAMS,
    RUN_IN,
    KILL,
];

#[test]
fn each_script_begins_with_its_name_and_is_on_the_page() {
    let page = include_str!("../scripts.rs");
    for Script(text) in ALL {
        let name = text.lines().next().unwrap().strip_prefix(": ").unwrap();
        assert!(name.starts_with("qga-"), "{name}");
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
        // As few bytes as may be go to the guest each time.
        assert!(!text.contains("\n#") && text.len() < 2048, "{name}");
    }
}

#[test]
fn an_option_is_no_path() {
    assert_eq!(path("-rf").unwrap(), "./-rf");
    assert_eq!(path("/a b").unwrap(), "/a b");
}

/// A folder in which scripts are run.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, content: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The exit code, and what was printed.
    fn run(&self, script: Script, attempt: &str, args: &[&str]) -> (i32, String) {
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", script.0, attempt]).args(args);
        let Output { status, stdout, .. } = shell.current_dir(self.0.path()).output().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap())
    }

    fn is_there(&self, name: &str) -> bool {
        Path::new(&self.path(name)).exists()
    }
}

#[cfg(unix)]
#[test]
fn what_was_done_before_its_answer_was_lost_is_done() {
    let place = Place::new();
    let done = (0, String::new());
    let begin = ["t", "target", "file", "no"];
    assert_eq!(place.run(BEGIN, "first", &begin), done);
    assert_ne!(place.run(BEGIN, "first", &begin), done);
    assert_eq!(place.run(BEGIN, "again", &begin), done);
    place.put("t/content", "new");
    let publish = ["t", "target", "file", "no", "."];
    let published = (0, "atomic\nsynced\n".to_owned());
    assert_eq!(place.run(PUBLISH, "first", &publish), published);
    assert_ne!(place.run(PUBLISH, "first", &publish).0, 0);
    assert_eq!(place.run(PUBLISH, "again", &publish), published);
    assert_eq!(place.read("target"), "new");
    for attempt in ["first", "again"] {
        assert_eq!(place.run(DISCARD, attempt, &["t", "target"]), done);
        assert_eq!(place.run(MAKE_FOLDERS, attempt, &["a", "a/b"]), done);
        assert_eq!(place.run(MAKE_DIRECTORY, attempt, &["c/d"]), done);
    }
    assert_eq!(place.run(REMOVE_FILE, "first", &["target"]), done);
    assert_ne!(place.run(REMOVE_FILE, "first", &["target"]), done);
    assert_eq!(place.run(REMOVE_FILE, "again", &["target"]), done);
    assert_ne!(place.run(REMOVE_FILE, "again", &["a"]), done);
}

#[cfg(unix)]
#[test]
fn a_replacement_that_was_broken_off_is_ended_or_undone() {
    let publish = ["t", "target", "folder", "yes", "."];
    for ended in [true, false] {
        let place = Place::new();
        place.put("t/content/new", "new");
        place.put("t/old/old", "old");
        if ended {
            let (code, printed) = place.run(PUBLISH, "again", &publish);
            assert_eq!((code, &*printed), (0, "synced\n"));
            assert_eq!(place.read("target/new"), "new");
        } else {
            assert_eq!(place.run(DISCARD, "first", &["t", "target"]).0, 0);
            assert_eq!(place.read("target/old"), "old");
        }
        assert!(!place.is_there("t"));
    }
    let place = Place::new();
    place.put("t/content/new", "new");
    place.put("t/old/old", "old");
    place.put("target/theirs", "theirs");
    assert_eq!(place.run(DISCARD, "first", &["t", "target"]).0, 17);
    assert_eq!(place.read("t/old/old"), "old");
    assert_eq!(place.read("target/theirs"), "theirs");
}

/// The shells of this host.
#[cfg(unix)]
fn shells() -> Vec<&'static [&'static str]> {
    let all: [&[&str]; 4] = [&["sh"], &["dash"], &["bash"], &["busybox", "sh"]];
    let starts = |shell: &&[&str]| {
        let started = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", ":"])
            .output();
        started.is_ok_and(|output| output.status.success())
    };
    all.into_iter().filter(starts).collect()
}

#[cfg(unix)]
#[test]
fn what_is_renewed_has_no_pipes_and_no_sockets_but_all_else() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::os::unix::net::UnixListener;
    for shell in shells() {
        let place = Place::new();
        place.put("t/content/-f", "file");
        place.put("t/content/deep/a\nb", "deep");
        symlink("/nowhere", place.path("t/content/link")).unwrap();
        place.put("u/id", "");
        let fifos = ["t/content/pipe", "t/content/deep/-rf", "u/content"];
        let fifos = fifos.map(|name| place.path(name));
        let made = Command::new("mkfifo").args(&fifos).status().unwrap();
        assert!(made.success());
        UnixListener::bind(place.path("t/content/deep/socket")).unwrap();
        for temp in ["t", "u"] {
            let mut renew = Command::new(shell[0]);
            let renew = renew.args(&shell[1..]).args(["-c", RENEW.0, "first", temp]);
            let renewed = renew.current_dir(place.0.path()).output().unwrap();
            assert!(renewed.status.success(), "{shell:?}: {renewed:?}");
        }
        assert_eq!(place.read("t/content/-f"), "file", "{shell:?}");
        assert_eq!(place.read("t/content/deep/a\nb"), "deep", "{shell:?}");
        assert!(place.path("t/content/link").is_symlink(), "{shell:?}");
        for name in ["t", "t/content", "t/content/deep", "u"] {
            for entry in fs::read_dir(place.path(name)).unwrap() {
                let kind = entry.unwrap().file_type().unwrap();
                assert!(!kind.is_fifo() && !kind.is_socket(), "{shell:?}: {name}");
            }
        }
        assert!(!place.is_there("u/content"), "{shell:?}");
    }
}

#[cfg(unix)]
#[test]
fn files_that_are_unpacked_again_wait_for_the_first_run() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.put("from/a b", "new");
    place.put("t/content/a b", "old");
    let (code, archive) = place.run(PACK, "first", &["from", "100000", "./a b"]);
    assert_eq!(code, 0);
    place.put("t/archive", &archive);
    // Whoever waits finds that the first run has ended.
    let end = "#!/bin/sh\nrm t/content.busy\necho waited >>waited\n";
    place.put("programs/sleep", end);
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.path("programs/sleep"), executable).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", place.path("programs").display());
    for (attempt, waits) in [("first", false), ("again", true), ("again", false)] {
        if waits {
            place.put("t/content.busy", "");
        }
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", UNPACK.0, attempt, "t/content"]);
        let shell = shell.stdin(fs::File::open(place.path("t/archive")).unwrap());
        let shell = shell.env("PATH", &path).current_dir(place.0.path());
        assert!(shell.status().unwrap().success(), "{attempt}");
        assert_eq!(place.read("t/content/a b"), "new");
        assert_eq!(place.is_there("waited"), waits, "{attempt}");
        assert!(!place.is_there("t/content.busy"));
        drop(fs::remove_file(place.path("waited")));
    }
}

#[cfg(unix)]
#[test]
fn files_are_empty_only_if_all_of_them_can_be_read_and_are() {
    let place = Place::new();
    place.put("f/-e", "");
    place.put("f/e", "");
    place.put("f/full", "x");
    for (paths, empty) in [
        (&["./-e", "./e"][..], true),
        (&["./e", "./full", "./-e"], false),
        (&["./e", "./none"], false),
    ] {
        let args = [&["f"], paths].concat();
        let (code, printed) = place.run(ARE_EMPTY, "first", &args);
        assert_eq!((code, printed.is_empty()), (0, empty), "{paths:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_archive_of_what_could_be_read_says_so_and_has_no_more_bytes_than_it_may() {
    let place = Place::new();
    place.put("f/a", "1");
    place.put("f/b", "2");
    for (most, paths, whole) in [
        ("100000", &["./a", "./b"][..], true),
        ("100000", &["./a", "./none"], false),
        // What is cut off is seen by itself.
        ("1000", &["./a", "./b"], true),
    ] {
        let args = [&["f", most], paths].concat();
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", PACK.0, "first"]).args(&args);
        let output = shell.current_dir(place.0.path()).output().unwrap();
        assert_eq!(output.stderr == b"whole\n", whole, "{args:?}");
        assert!(output.stdout.len() <= most.parse().unwrap(), "{args:?}");
    }
}
