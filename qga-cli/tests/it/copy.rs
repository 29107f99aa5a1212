//! `qga cp`, `qga cat`, `qga ls`, `qga rm` and `qga mkdir`.

use std::fs;
use std::time::Duration;

use qga_testserver::Fault;
use rustix::process::Signal;

use crate::support::{ended, guest, names, qga, run, run_with, signal};

#[tokio::test]
async fn a_file_is_copied_there_and_back() {
    let (agent, address) = guest().await;
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(600_000).collect();
    let (from, back) = (folder.path().join("from"), folder.path().join("back"));
    fs::write(&from, &bytes).unwrap();
    let there = format!("{address}:/srv/it");
    agent.folder("/srv");
    let up = run(&["cp", from.to_str().unwrap(), &there]).await;
    assert_eq!((up.code, &*up.stdout, &*up.stderr), (0, "", ""));
    assert_eq!(agent.file_content("/srv/it").unwrap(), bytes);
    let down = run(&["-o", "json", "cp", &there, back.to_str().unwrap()]).await;
    assert_eq!(down.code, 0, "{}", down.stderr);
    assert_eq!(fs::read(back).unwrap(), bytes);
    assert_eq!(
        down.stdout,
        "{\"copied\":{\"bytes\":600000,\"files\":1,\"folders\":0,\"grown\":0,\"links\":0,\"resumed\":0,\"skipped\":0},\"version\":1}\n"
    );
}

#[tokio::test]
async fn a_target_that_is_a_folder_gets_a_file_of_the_same_name() {
    let (agent, address) = guest().await;
    agent.folder("/srv");
    agent.file("/etc/motd", "hello");
    let folder = tempfile::tempdir().unwrap();
    let down = run(&[
        "cp",
        &format!("{address}:/etc/motd"),
        folder.path().to_str().unwrap(),
    ])
    .await;
    assert_eq!(down.code, 0, "{}", down.stderr);
    assert_eq!(names(folder.path()), ["motd"]);
    let from = folder.path().join("motd");
    let up = run(&["cp", from.to_str().unwrap(), &format!("{address}:/srv/")]).await;
    assert_eq!(up.code, 0, "{}", up.stderr);
    assert_eq!(agent.file_content("/srv/motd").unwrap(), b"hello");
}

#[tokio::test]
async fn folders_are_copied_only_where_that_was_asked_for() {
    let (agent, address) = guest().await;
    agent.folder("/srv");
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("deep")).unwrap();
    fs::write(tree.join("deep/file"), "x").unwrap();
    let (tree, there) = (tree.to_str().unwrap(), format!("{address}:/srv/tree"));
    let refused = run(&["cp", tree, &there]).await;
    assert_eq!(refused.code, 125);
    assert!(refused.stderr.contains("-r"), "{}", refused.stderr);
    let up = run(&["cp", "-r", tree, &there]).await;
    assert_eq!(up.code, 0, "{}", up.stderr);
    assert_eq!(agent.file_content("/srv/tree/deep/file").unwrap(), b"x");
    let back = folder.path().join("back");
    let back = back.to_str().unwrap();
    let refused = run(&["cp", &there, back]).await;
    assert!(
        refused.code == 125 && refused.stderr.contains("-r"),
        "{}",
        refused.stderr
    );
    assert_eq!(run(&["cp", "-r", &there, back]).await.code, 0);
    assert_eq!(fs::read(format!("{back}/deep/file")).unwrap(), b"x");
}

#[tokio::test]
async fn links_are_copied_as_links_and_counted() {
    let (agent, address) = guest().await;
    agent.file("/srv/tree/file", "x");
    agent.symlink("/srv/tree/link", "../../etc/passwd");
    agent.fifo("/srv/tree/pipe");
    let folder = tempfile::tempdir().unwrap();
    let back = folder.path().join("back");
    let there = format!("{address}:/srv/tree");
    let down = run(&["-o", "json", "cp", "-r", &there, back.to_str().unwrap()]).await;
    assert_eq!(down.code, 0, "{}", down.stderr);
    assert_eq!(
        down.stdout,
        "{\"copied\":{\"bytes\":1,\"files\":1,\"folders\":1,\"grown\":0,\"links\":1,\"resumed\":0,\"skipped\":1},\"version\":1}\n"
    );
    assert!(
        down.stderr.contains("1 pipes, sockets, devices"),
        "{}",
        down.stderr
    );
    let link = fs::read_link(back.join("link")).unwrap();
    assert_eq!(link.to_str(), Some("../../etc/passwd"));
}

#[tokio::test]
async fn a_copy_belongs_to_whom_it_is_given() {
    let (agent, address) = guest().await;
    agent.folder("/srv");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let (file, there) = (file.to_str().unwrap(), format!("{address}:/srv/it"));
    let up = run(&["cp", "--owner", "test:1000", file, &there]).await;
    assert_eq!(up.code, 0, "{}", up.stderr);
    let listed = run(&["ls", "-l", &address, "/srv"]).await;
    assert!(
        listed.stdout.contains("  1000  1000  "),
        "{}",
        listed.stdout
    );
    let kept = run(&["cp", "-p", file, &there]).await;
    assert_eq!(kept.code, 0, "{}", kept.stderr);
    let ours = std::os::unix::fs::MetadataExt::uid(&fs::metadata(file).unwrap());
    let listed = run(&["ls", "-l", &address, "/srv"]).await;
    assert!(
        listed.stdout.contains(&format!("  {ours}  ")),
        "{}",
        listed.stdout
    );
    let unknown = run(&["cp", "--owner", "nobody-here", file, &there]).await;
    assert_eq!(unknown.code, 125);
    assert!(unknown.stderr.contains("nobody-here"), "{}", unknown.stderr);
}

#[tokio::test]
async fn an_owner_that_could_not_be_set_is_a_mistake_in_the_call() {
    let (_agent, address) = guest().await;
    let there = format!("{address}:/etc/hostname");
    for args in [
        &["--owner", "root", &*there, "/tmp/none/x"][..],
        &["--owner", "root", &*there, "-"],
        &["-p", &*there, "-"],
        &["-p", "-", &*there],
        &["-p", "--owner", "root", "/etc/passwd", &*there],
        &["--owner=-R", "/etc/passwd", &*there],
    ] {
        let run = run(&[&["cp"], args].concat()).await;
        assert_ne!(run.code, 0, "{args:?}");
        assert!(run.stdout.is_empty(), "{args:?}");
        assert!(run.stderr.contains("owner"), "{args:?}: {}", run.stderr);
    }
}

#[tokio::test]
async fn standard_input_and_output_are_places_too() {
    let (agent, address) = guest().await;
    agent.folder("/srv");
    let there = format!("{address}:/srv/it");
    let up = run_with(&["cp", "-", &there], b"from a pipe").await;
    assert_eq!(up.code, 0, "{}", up.stderr);
    assert_eq!(agent.file_content("/srv/it").unwrap(), b"from a pipe");
    let down = run(&["cp", &there, "-"]).await;
    assert_eq!((down.code, &*down.stdout), (0, "from a pipe"));
    let cat = run(&["cat", &address, "/srv/it", "/srv/it"]).await;
    assert_eq!((cat.code, &*cat.stdout), (0, "from a pipefrom a pipe"));
}

#[tokio::test]
async fn a_file_goes_from_one_guest_to_another() {
    let ((one, first), (other, second)) = (guest().await, guest().await);
    one.file("/etc/motd", "hello");
    other.folder("/srv");
    let copied = run(&[
        "cp",
        &format!("{first}:/etc/motd"),
        &format!("{second}:/srv/motd"),
    ])
    .await;
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    assert_eq!(other.file_content("/srv/motd").unwrap(), b"hello");
}

#[tokio::test]
async fn what_names_no_guest_is_refused() {
    for args in [
        ["cp", "a", "b"],
        ["cp", "-", "/tmp/x"],
        ["cp", "unix:/run/x.sock", "/tmp/x"],
    ] {
        let run = run(&args).await;
        assert_eq!(run.code, 125);
        assert!(run.stderr.contains("ADDR:/path"), "{}", run.stderr);
    }
}

#[tokio::test]
async fn an_interrupted_copy_leaves_the_target_as_it_was() {
    let (agent, address) = guest().await;
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("local");
    fs::write(&local, "as it was").unwrap();
    agent.file("/srv/remote", vec![1; 1 << 20]);
    agent.on("guest-file-read").fault(Fault::no_answer());
    let remote = format!("{address}:/srv/remote");
    let child = qga(&["cp", &remote, local.to_str().unwrap()])
        .spawn()
        .unwrap();
    agent.wait_for("guest-file-read", 1).await;
    signal(&child, Signal::INT);
    let run = ended(child.wait_with_output().await.unwrap());
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert_eq!(fs::read(&local).unwrap(), b"as it was");
    assert_eq!(names(folder.path()), ["local"]);
}

#[tokio::test]
async fn a_copy_whose_process_was_killed_goes_on() {
    for is_upload in [true, false] {
        let (agent, address) = guest().await;
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("local");
        let content: Vec<u8> = (0..=250).cycle().take(8 << 20).collect();
        let remote = format!("{address}:/srv/remote");
        agent.folder("/srv");
        let (from, to, command) = if is_upload {
            fs::write(&local, &content).unwrap();
            (local.to_str().unwrap(), &*remote, "guest-file-write")
        } else {
            agent.file("/srv/remote", content.clone());
            (&*remote, local.to_str().unwrap(), "guest-file-read")
        };
        let args = ["-o", "json", "cp", "--resume", from, to];
        agent
            .on(command)
            .fault(Fault::delay(Duration::from_millis(50)));
        let child = qga(&args).spawn().unwrap();
        agent.wait_for(command, 10).await;
        signal(&child, Signal::KILL);
        child.wait_with_output().await.unwrap();
        agent.reset();
        let again = run(&args).await;
        assert_eq!(again.code, 0, "{}", again.stderr);
        assert!(
            again.stderr.contains("bytes were there already"),
            "{}",
            again.stderr
        );
        assert!(!again.stdout.contains("\"resumed\":0,"), "{}", again.stdout);
        let found = if is_upload {
            agent.file_content("/srv/remote").unwrap()
        } else {
            fs::read(&local).unwrap()
        };
        assert!(found == content, "upload: {is_upload}");
        assert_eq!(names(folder.path()), ["local"]);
        let listed = run(&["ls", &address, "/srv"]).await;
        assert_eq!(listed.stdout, "remote\n");
    }
}

#[tokio::test]
async fn a_copy_of_a_tree_whose_process_was_killed_goes_on_and_a_file_that_was_changed_is_new() {
    for is_upload in [true, false] {
        let (agent, address) = guest().await;
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::create_dir_all(source.join("deep")).unwrap();
        let content: Vec<u8> = (0..=250).cycle().take(4 << 20).collect();
        for name in ["a", "b", "deep/c"] {
            fs::write(source.join(name), &content).unwrap();
        }
        for name in ["1", "2", "3", "deep/4"] {
            fs::write(source.join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("a", source.join("link")).unwrap();
        agent.folder("/srv");
        let (source, back) = (source.to_str().unwrap(), folder.path().join("back"));
        let (there, back) = (format!("{address}:/srv/it"), back.to_str().unwrap());
        if !is_upload {
            let up = run(&["cp", "-r", source, &there]).await;
            assert_eq!(up.code, 0, "{}", up.stderr);
        }
        let (from, to, command) = if is_upload {
            (source, &*there, "guest-file-write")
        } else {
            (&*there, back, "guest-file-read")
        };
        let args = ["-o", "json", "cp", "-r", "--resume", from, to];
        agent
            .on(command)
            .fault(Fault::delay(Duration::from_millis(20)));
        let before = agent.requests_of(command).len();
        let child = qga(&args).spawn().unwrap();
        agent.wait_for(command, before + 12).await;
        signal(&child, Signal::KILL);
        child.wait_with_output().await.unwrap();
        agent.reset();
        if is_upload {
            let changed = [b"X", &content[1..]].concat();
            fs::write(folder.path().join("source/deep/c"), changed).unwrap();
        }
        let again = run(&args).await;
        assert_eq!(again.code, 0, "{}", again.stderr);
        let resumed = again.stdout.split("\"resumed\":").nth(1).unwrap();
        let resumed: usize = resumed.split(',').next().unwrap().parse().unwrap();
        assert!(resumed > 1 << 20, "{}", again.stdout);
        if is_upload {
            let down = run(&["cp", "-r", &there, back]).await;
            assert_eq!(down.code, 0, "{}", down.stderr);
        }
        let same = std::process::Command::new("diff")
            .args(["-r", "--no-dereference", source, back])
            .output()
            .unwrap();
        assert!(same.status.success(), "upload: {is_upload}: {same:?}");
        assert_eq!(names(folder.path()).len(), 2);
        let listed = run(&["ls", &address, "/srv"]).await;
        assert_eq!(listed.stdout, "it\n");
    }
}

#[tokio::test]
async fn what_could_not_be_resumed_is_a_mistake_in_the_call() {
    let (_agent, address) = guest().await;
    let there = format!("{address}:/etc/hostname");
    for [from, to] in [["-", &*there], [&*there, "-"], [&*there, &*there]] {
        let run = run(&["cp", "--resume", from, to]).await;
        assert_eq!(run.code, 125);
        assert!(run.stderr.contains("--resume"), "{}", run.stderr);
    }
}

#[tokio::test]
async fn what_a_guest_calls_its_files_is_not_obeyed_by_a_terminal() {
    let (agent, address) = guest().await;
    agent.folder("/srv");
    agent.file("/srv/a\u{1b}[31mb", "x");
    agent.file("/srv/plain", "four");
    let listed = run(&["ls", &address, "/srv"]).await;
    assert_eq!(
        (listed.code, &*listed.stdout),
        (0, "a\\u{1b}[31mb\nplain\n"),
        "{}",
        listed.stderr
    );
    let long = run(&["ls", "-l", &address, "/srv"]).await;
    assert!(long.stdout.contains("-0644  0  0  4  "), "{}", long.stdout);
    let json = run(&["-o", "json", "ls", &address, "/srv"]).await;
    assert!(
        json.stdout.contains("\"name\":\"a\\u001b[31mb\""),
        "{}",
        json.stdout
    );
}

#[tokio::test]
async fn files_are_removed_and_folders_made() {
    let (agent, address) = guest().await;
    agent.file("/srv/a", "x");
    assert_eq!(run(&["rm", &address, "/srv/a"]).await.code, 0);
    assert_eq!(agent.file_content("/srv/a"), None);
    let gone = run(&["rm", &address, "/srv/a"]).await;
    assert_eq!(gone.code, 125, "{}", gone.stderr);
    assert_eq!(run(&["mkdir", &address, "/srv/x/y"]).await.code, 0);
    assert_eq!(run(&["ls", &address, "/srv/x"]).await.stdout, "y\n");
}
