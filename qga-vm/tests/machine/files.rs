//! Files and trees that are copied into a guest and out of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use qga_commands::Guest;
use qga_core::Options;
use tokio::sync::mpsc;

use crate::case::{
    EVERY_AND_LIBVIRT, FAKE_BUSYBOX_AND_LIBVIRT, MACHINES, MACHINES_AND_LIBVIRT, On, cases,
};
use crate::machine::{Machine, builder};

cases![
    a_tree_with_odd_names_arrives_whole_and_comes_back_whole on EVERY_AND_LIBVIRT,
    a_tree_of_the_guest_with_odd_names_arrives_whole on MACHINES,
    links_and_pipes_of_the_guest_are_counted_and_not_followed on EVERY_AND_LIBVIRT,
    a_thousand_small_files_arrive_whole_and_come_back_whole on MACHINES_AND_LIBVIRT,
    a_download_goes_on_after_its_agent_was_killed on FAKE_BUSYBOX_AND_LIBVIRT,
];

const NAMES: [&str; 14] = [
    "plain",
    "two words",
    " at both ends ",
    "-rf",
    "*",
    "$HOME `id` $(id)",
    "quotes ' and \"",
    "back\\slash",
    "line\nbreak",
    "tab\tand\u{1}control",
    "\u{e4}\u{20ac}\u{1f41f}",
    "e\u{301} decomposed",
    "..dots...",
    "semi;colon & more | <than> #that",
];

/// Makes a tree in which files of some lengths, and folders, have all these names.
fn make_tree(root: &Path) {
    for (number, name) in NAMES.iter().enumerate() {
        let folder = root.join("folders").join(name);
        fs::create_dir_all(folder.join("empty")).unwrap();
        fs::write(root.join(name), name.repeat(number * number * 10)).unwrap();
        fs::write(folder.join(name), [0_u8, 255, 10, 13].repeat(number * 1000)).unwrap();
    }
    fs::write(root.join("empty file"), "").unwrap();
    fs::set_permissions(root.join("plain"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::set_permissions(root.join("-rf"), fs::Permissions::from_mode(0o400)).unwrap();
}

/// Lists all folders, and all files with their permissions and their checksums. Programs of GNU and of busybox print the
/// same.
const SUMS: &str = r#"
cd "$0" && export LC_ALL=C
find . -type d -print0 | sort -z | od -An -tx1 -v | md5sum
find . -type f -print0 | sort -z | xargs -0 stat -c "%a %s" -- | md5sum
find . -type f -print0 | sort -z | xargs -0 cat -- | md5sum
find . -type f -print0 | sort -z | od -An -tx1 -v | md5sum
find . | wc -c
"#;

fn sums_here(root: &Path) -> String {
    let output = Command::new("sh")
        .arg("-c")
        .arg(SUMS)
        .arg(root)
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

async fn a_tree_with_odd_names_arrives_whole_and_comes_back_whole(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let folder = tempfile::tempdir().unwrap();
    let (tree, back) = (folder.path().join("tree"), folder.path().join("back"));
    make_tree(&tree);
    let files = 2 * u64::try_from(NAMES.len()).unwrap() + 1;

    let copied = guest
        .upload(&tree, "/var/the tree")
        .verify(true)
        .await
        .unwrap();
    assert_eq!((copied.files, copied.skipped), (files, 0));
    if on != On::Fake {
        let there = machine.run_script(SUMS, "/var/the tree").await;
        assert_eq!(there, sums_here(&tree));
    }
    let copied = guest
        .download("/var/the tree", &back)
        .verify(true)
        .await
        .unwrap();
    assert_eq!((copied.files, copied.skipped), (files, 0));
    assert_eq!(sums_here(&back), sums_here(&tree));
}

/// What a host could not have made: more names, made by the guest's own programs.
const MAKE_TREE: &str = r#"
mkdir -p "$0" && cd "$0"
for name in "two words" "-n" "%s" "a
b" "\\x41" "[a-z]" "~" "!" "{}"; do
    mkdir -p -- "./in/$name/deep"
    seq 1 $((${#name} * 1000)) >"./in/$name/deep/$name"
    chmod 640 "./in/$name/deep/$name"
done
"#;

async fn a_tree_of_the_guest_with_odd_names_arrives_whole(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    machine.run_script(MAKE_TREE, "/var/its tree").await;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    let copied = guest
        .download("/var/its tree", &here)
        .verify(true)
        .await
        .unwrap();
    assert_eq!(copied.files, 9);
    assert_eq!(
        sums_here(&here),
        machine.run_script(SUMS, "/var/its tree").await
    );
}

async fn links_and_pipes_of_the_guest_are_counted_and_not_followed(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    if let Some(agent) = machine.fake() {
        agent.file("/var/mixed/file", "in it");
        agent.symlink("/var/mixed/link", "/etc");
        agent.fifo("/var/mixed/pipe");
    } else {
        let make = "mkdir /var/mixed && cd /var/mixed && printf in\\ it >file && ln -s /etc link && mkfifo pipe";
        machine.run(make).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("mixed");
    let copied = guest.download("/var/mixed", &here).await.unwrap();
    assert_eq!((copied.files, copied.links, copied.skipped), (1, 1, 1));
    let mut names: Vec<_> = fs::read_dir(&here)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["file", "link"]);
    let link = fs::read_link(here.join("link")).unwrap();
    assert_eq!(link.to_str(), Some("/etc"));
    assert_eq!(fs::read(here.join("file")).unwrap(), b"in it");
}

async fn a_thousand_small_files_arrive_whole_and_come_back_whole(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let folder = tempfile::tempdir().unwrap();
    let (tree, back) = (folder.path().join("tree"), folder.path().join("back"));
    let count = 1000;
    for number in 0..count {
        let folder = tree.join((number / 100).to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(number.to_string()), format!("{number:1024}")).unwrap();
    }
    let copied = guest.upload(&tree, "/var/many").verify(true).await.unwrap();
    assert_eq!((copied.files, copied.bytes), (count, count * 1024));
    let there = machine.run_script(SUMS, "/var/many").await;
    assert_eq!(there, sums_here(&tree));
    let copied = guest
        .download("/var/many", &back)
        .verify(true)
        .await
        .unwrap();
    assert_eq!((copied.files, copied.bytes), (count, count * 1024));
    assert_eq!(sums_here(&back), sums_here(&tree));
}

const LENGTH: u64 = 4 << 20;

/// Of no period, so that no piece can stand in for another.
fn bytes() -> Vec<u8> {
    let numbers = (0..LENGTH / 8).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    numbers.flat_map(u64::to_le_bytes).collect()
}

/// A client that does not wait long for the answer to a command that died with the agent.
async fn impatient_guest(machine: &Machine) -> Guest {
    let options = Options::new().timeout(Duration::from_secs(5));
    let guest = builder().options(options);
    guest.connect(machine.address()).await.unwrap()
}

async fn a_download_goes_on_after_its_agent_was_killed(on: On) {
    let machine = Machine::start(on).await;
    let guest = impatient_guest(&machine).await;
    match machine.fake() {
        Some(agent) => agent.file("/var/image", bytes()),
        None => guest.write("/var/image", bytes()).await.unwrap(),
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("image");
    let (half, mut is_half) = mpsc::unbounded_channel();
    let (killed, is_killed) = std::sync::mpsc::channel();
    let mut is_killed = Some(is_killed);
    let download = guest.download("/var/image", &here).progress(move |now| {
        if now.bytes > LENGTH / 2
            && let Some(is_killed) = is_killed.take()
        {
            half.send(()).unwrap();
            tokio::task::block_in_place(|| is_killed.recv().unwrap());
        }
    });
    let download = tokio::spawn(download.into_future());
    is_half.recv().await.unwrap();
    machine.kill_agent().await;
    killed.send(()).unwrap();
    let copied = download.await.unwrap();
    assert_eq!(copied.unwrap().bytes, LENGTH);
    assert!(fs::read(&here).unwrap() == bytes());
}
