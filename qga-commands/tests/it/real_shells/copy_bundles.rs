//! Copies of many small files with a guest's shell and its `tar`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use qga_commands::guest::copy::{Copied, CopyFault};
use qga_commands::{Guest, GuestError};
use qga_core::Client;
use qga_testserver::TestAgent;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::copy::tree;
use super::{PROGRAMS, Place, busybox, links_to, places};
use crate::copy_bundles::opened;

/// Below a folder, many files of odd names, permissions, times and lengths.
fn make(root: &Path) {
    let deep = format!("{}/{}", "deep".repeat(30), "deeper".repeat(5));
    let names = [
        "a b",
        "-rf",
        "new\nline",
        "\u{fc}",
        "*",
        "back\\slash",
        "@x",
        "$(id)",
    ];
    let folders = ["", "a b/", "-f/", &format!("{deep}/")];
    let mut number = 0;
    for folder in folders {
        fs::create_dir_all(root.join(folder)).unwrap();
        for name in names.into_iter().chain([&*"n".repeat(200)]) {
            number += 1;
            let file = root.join(format!("{folder}{name}.{number}"));
            fs::write(&file, name.repeat(number % 5 * 50)).unwrap();
            let mode = [0o644, 0o400, 0o751, 0o600, 0o444][number % 5];
            let time = match number % 7 {
                0 => SystemTime::UNIX_EPOCH - Duration::from_secs(86_400),
                1 => SystemTime::UNIX_EPOCH + Duration::from_secs(0o1000_0000_0000),
                after => SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + after as u64),
            };
            let opened = fs::File::open(&file).unwrap();
            opened.set_modified(time).unwrap();
            opened
                .set_permissions(fs::Permissions::from_mode(mode))
                .unwrap();
        }
    }
}

#[tokio::test]
async fn small_files_of_any_name_length_mode_and_time_come_back_as_they_went() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    make(&here);
    for place in places("small files").await {
        let name = place.name;
        let back = folder.path().join(name);
        let there = place.path("there");
        let up = place.guest.upload(&here, &there).verify(true).await;
        let up = up.unwrap_or_else(|error| panic!("{name}: {error}"));
        let down = place.guest.download(&there, &back).verify(true).await;
        let down = down.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((up.files, up.bytes), (36, down.bytes), "{name}");
        assert!(tree(&here) == tree(&back), "{name}");
        assert_eq!(place.names().await, ["there"], "{name}");
    }
}

#[tokio::test]
async fn a_tar_of_gnu_and_one_of_busybox_take_all_small_files_whose_names_fit() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    make(&here);
    let linked = busybox("the tar of busybox").map(|busybox| links_to(&busybox));
    for path in [Some(programs(Some("exec real-tar \"$@\""))), linked] {
        let Some(path) = path else {
            continue;
        };
        let (agent, stream) = TestAgent::in_memory();
        agent.host_shell_with_path(path.path());
        let guest = Guest::new(Client::new(stream));
        let back = folder.path().join("back");
        guest.upload(&here, "/tmp/there").await.unwrap();
        assert_eq!(opened(&agent), 4, "the names of 200 bytes do not fit");
        guest.download("/tmp/there", &back).await.unwrap();
        assert_eq!(opened(&agent), 4);
        assert!(tree(&here) == tree(&back));
        fs::remove_dir_all(&back).unwrap();
    }
}

/// Fills a guest's folder with files of which a few are sent at once.
async fn fill(place: &Place) {
    let folder = place.path("many");
    place.guest.create_dir_all(&folder).await.unwrap();
    for number in 10..40 {
        (place.put)(&format!("{folder}/{number}"), &vec![b'x'; 60_000]);
    }
}

/// Downloads all of it; after the first files, something becomes of one that is still to come. Its name, and the end.
async fn with_a_later_one(
    place: &Place,
    target: &Path,
    change: impl AsyncFn(&Guest, String) + Send + Sync + 'static,
) -> (String, Result<Copied, GuestError>) {
    fill(place).await;
    let (guest, folder) = (place.guest.clone(), place.path("many"));
    let mut left: Vec<_> = (10..40).map(|number| number.to_string()).collect();
    let chosen = Arc::new(Mutex::new(String::new()));
    let choose = Arc::clone(&chosen);
    let copy = place.guest.download(&folder, target).progress(move |now| {
        left.retain(|name| name != now.file);
        // So many are sent at once.
        if left.len() == 22 {
            choose.lock().unwrap().clone_from(&left[0]);
            let change = change(&guest, format!("{folder}/{}", left[0]));
            tokio::task::block_in_place(|| Handle::current().block_on(change));
        }
    });
    let copied = copy.await;
    let chosen = chosen.lock().unwrap().clone();
    (chosen, copied)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_that_grows_after_it_was_listed_is_cut_and_counted() {
    for place in places("growing files").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        for longer in [1, 3_000_000] {
            let put = Arc::clone(&place.put);
            let (chosen, copied) = with_a_later_one(&place, &target, async move |_, path| {
                put(&path, &vec![b'x'; 60_000 + longer]);
            })
            .await;
            let copied = copied.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((copied.grown, copied.bytes), (1, 30 * 60_000), "{name}");
            let content = fs::read(target.join(&chosen)).unwrap();
            assert!(content == vec![b'x'; 60_000], "{name}");
            fs::remove_dir_all(&target).unwrap();
            let path = place.path(&format!("many/{chosen}"));
            place.guest.remove_file(path).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_that_shrinks_or_vanishes_after_it_was_listed_is_an_error() {
    for place in places("changing files").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let (_, shrunk) = with_a_later_one(&place, &target, async |guest, path| {
            guest.write(&path, "short").await.unwrap();
        })
        .await;
        let error = shrunk.unwrap_err();
        let changed = matches!(&error, GuestError::Copy { fault, .. } if matches!(**fault, CopyFault::Changed(_)));
        assert!(changed, "{name}: {error}");
        let (chosen, vanished) = with_a_later_one(&place, &target, async |guest, path| {
            guest.remove_file(&path).await.unwrap();
        })
        .await;
        let error = vanished.unwrap_err().to_string();
        assert!(error.contains(&format!("many/{chosen}")), "{name}: {error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{name}");
    }
}

#[tokio::test]
async fn a_file_of_two_names_is_copied_by_both() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, stream) = TestAgent::in_memory();
    let root = agent.host_shell();
    let guest = Guest::new(Client::new(stream));
    let tree = root.join("srv/tree");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("1"), "the same").unwrap();
    for other in 2..9 {
        fs::hard_link(tree.join("1"), tree.join(other.to_string())).unwrap();
    }
    symlink("1", tree.join("link")).unwrap();
    let target = folder.path().join("target");
    let copied = guest.download("/srv/tree", &target).verify(true).await;
    assert_eq!(copied.unwrap().files, 8);
    for name in 1..9 {
        let content = fs::read_to_string(target.join(name.to_string()));
        assert_eq!(content.unwrap(), "the same");
    }
    assert_eq!(opened(&agent), 0);
}

/// What may stand in place of a `tar`.
const BAD_TARS: [Option<&str>; 4] = [
    None,
    Some("exit 1"),
    // It leaves something half.
    Some("head -c 900 | real-tar \"$@\"; exit 1"),
    // It adds what it was not asked for and leaves something out.
    Some("case $1 in -x) exit 1 ;; esac; echo odd >odd; exec real-tar -c -f - ./odd ./d"),
];

/// The programs of this host, with this in place of `tar`.
fn programs(tar: Option<&str>) -> TempDir {
    let programs = tempfile::tempdir().unwrap();
    let there = |name: &str| {
        let places = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(name));
        places.into_iter().find(|program| program.exists()).unwrap()
    };
    // Not busybox: its shell has a `tar` of its own.
    for name in PROGRAMS.into_iter().filter(|name| *name != "tar") {
        symlink(there(name), programs.path().join(name)).unwrap();
    }
    if let Some(script) = tar {
        let script = script.replace("real-tar", &there("tar").display().to_string());
        let tar = programs.path().join("tar");
        fs::write(&tar, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&tar, fs::Permissions::from_mode(0o755)).unwrap();
    }
    programs
}

#[tokio::test]
async fn a_guest_without_a_tar_or_with_a_bad_one_has_its_files_copied_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    fs::create_dir(&here).unwrap();
    for name in ["a", "b", "c", "d", "e"] {
        fs::write(here.join(name), name.repeat(700)).unwrap();
        fs::set_permissions(here.join(name), fs::Permissions::from_mode(0o400)).unwrap();
    }
    for script in BAD_TARS {
        let programs = programs(script);
        let (agent, stream) = TestAgent::in_memory();
        agent.host_shell_with_path(programs.path());
        let guest = Guest::new(Client::new(stream));
        let back = folder.path().join("back");
        let context = format!("{script:?}");
        for copy in [
            guest.upload(&here, "/tmp/there").verify(true),
            guest.download("/tmp/there", &back).verify(true),
        ] {
            let copied = copy.await;
            let copied = copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!((copied.files, copied.grown), (5, 0), "{context}");
        }
        assert!(tree(&here) == tree(&back), "{context}");
        let mode = fs::metadata(back.join("a")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o400, "{context}");
        assert!((9..=10).contains(&opened(&agent)), "{context}");
        fs::remove_dir_all(&back).unwrap();
    }
}
