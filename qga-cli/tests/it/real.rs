//! Programs and copies with a real agent, which runs on this host.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;

use crate::support::{Relay, ended, names, qga, run, run_with, signal};

#[tokio::test]
async fn a_program_runs_with_its_streams_its_folder_and_its_end() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let address = agent.address();
    let line = "cat; pwd; echo \"$GREETING\"; echo wrong >&2; exit 7";
    let run = run_with(
        &[
            "exec",
            "-i",
            "-e",
            "GREETING=hi there",
            "--cwd",
            "/usr",
            &address,
            "--sh",
            line,
        ],
        b"input\n",
    )
    .await;
    assert_eq!(run.stdout, "input\n/usr\nhi there\n", "{}", run.stderr);
    assert_eq!((run.code, &*run.stderr), (7, "wrong\n"));
}

#[tokio::test]
async fn output_comes_while_the_program_runs_and_a_signal_ends_it() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let alive = folder.path().join("alive");
    let line = format!(
        "echo begun; while :; do echo x >> {}; sleep 0.05; done",
        alive.display()
    );
    let mut child = qga(&["exec", &agent.address(), "--sh", &line])
        .spawn()
        .unwrap();
    let mut begun = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut begun)
        .await
        .unwrap();
    assert_eq!(&begun, b"begun\n");
    signal(&child, Signal::TERM);
    let run = ended(child.wait_with_output().await.unwrap());
    assert_eq!(run.code, 143, "{}", run.stderr);
    // Whatever it had begun when it was killed is done by now.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let written = fs::metadata(&alive).unwrap().len();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(fs::metadata(&alive).unwrap().len(), written, "it is dead");
}

#[tokio::test]
async fn a_background_process_that_holds_the_output_does_not_hold_the_command() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let line = "sleep 5 & echo $!";
    let run = run(&["exec", "--timeout", "4s", &agent.address(), "--sh", line]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let pid = run.stdout.trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_tree_is_copied_there_and_back() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir_all(path("tree/deep")).unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    fs::write(path("tree/deep/big"), &bytes).unwrap();
    fs::write(path("tree/\u{fc} b"), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", path("tree/link")).unwrap();
    let address = agent.address();
    let there = format!("{address}:{}", path("there"));
    let up = run(&["cp", "-r", "--verify", &path("tree"), &there]).await;
    assert_eq!(up.code, 0, "{}", up.stderr);
    assert_eq!(up.stderr, "");
    let down = run(&["cp", "-r", &there, &path("back")]).await;
    assert_eq!(down.code, 0, "{}", down.stderr);
    assert_eq!(fs::read(path("back/deep/big")).unwrap(), bytes);
    assert_eq!(
        names(Path::new(&path("back"))),
        ["deep", "link", "\u{fc} b"]
    );
    let link = fs::read_link(path("back/link")).unwrap();
    assert_eq!(link, Path::new("/etc/passwd"));
}

/// Eight long files of 1 MB, and some short ones.
fn make_tree(root: &Path) {
    fs::create_dir_all(root.join("deep")).unwrap();
    let bytes: Vec<u8> = (0..=250).cycle().take(1_000_000).collect();
    for name in ["a", "b", "c", "d", "e", "f", "deep/c", "deep/\u{fc} d"] {
        fs::write(root.join(name), &bytes).unwrap();
    }
    for name in ["1", "2", "deep/3"] {
        fs::write(root.join(name), name).unwrap();
    }
    std::os::unix::fs::symlink("a", root.join("link")).unwrap();
}

#[tokio::test]
async fn a_tree_whose_copy_was_killed_goes_on_there_and_back() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    make_tree(Path::new(&path("tree")));
    for (from, to) in [("tree", "there"), ("there", "back")] {
        let is_upload = from == "tree";
        let args = |address: &str, to: &str| {
            let (from, to) = if is_upload {
                (path(from), format!("{address}:{}", path(to)))
            } else {
                (format!("{address}:{}", path(from)), path(to))
            };
            ["-o", "json", "cp", "-r", "--resume", &from, &to].map(str::to_owned)
        };
        let all = Relay::to(agent.path(), u64::MAX);
        let whole = args(&all.address, "whole");
        let whole = run(&whole.each_ref().map(String::as_str)).await;
        assert_eq!(whole.code, 0, "{}", whole.stderr);
        fs::remove_dir_all(path("whole")).unwrap();
        let half = Relay::to(agent.path(), all.passed() / 2);
        let half_args = args(&half.address, to);
        let mut child = qga(&half_args.each_ref().map(String::as_str));
        let child = child.spawn().unwrap();
        half.ended().await;
        signal(&child, Signal::KILL);
        child.wait_with_output().await.unwrap();
        assert!(!Path::new(&path(to)).exists(), "{to}");
        let rest = Relay::to(agent.path(), u64::MAX);
        let again = args(&rest.address, to);
        let again = run(&again.each_ref().map(String::as_str)).await;
        assert_eq!(again.code, 0, "{}", again.stderr);
        assert!(again.stderr.contains("were there already"), "{to}");
        let (all, rest) = (all.passed(), rest.passed());
        // Two files may be on their way at once, and count for nothing.
        assert!(rest < all * 4 / 5, "{to}: {rest} after a half of {all}");
        let mut same = Command::new("diff");
        let same = same.args(["-r", "--no-dereference", &path("tree"), &path(to)]);
        let same = same.output().unwrap();
        assert!(same.status.success(), "{to}: {same:?}");
    }
    assert_eq!(names(folder.path()), ["back", "there", "tree"]);
}

#[tokio::test]
async fn what_is_missing_is_told_from_what_cannot_be_run() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let (address, folder) = (agent.address(), tempfile::tempdir().unwrap());
    let plain = folder.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    let plain = plain.to_str().unwrap();
    let missing = format!("{plain}-missing");
    for (program, code) in [(&*missing, 127), ("nope", 127), (plain, 126), ("/", 126)] {
        for args in [&["exec"][..], &["exec", "--detach"]] {
            let args = [args, &[&address, "--", program]].concat();
            let run = run(&args).await;
            assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
            assert_eq!(run.stdout, "");
            assert!(!run.stderr.is_empty());
        }
    }
}

#[tokio::test]
async fn what_was_left_running_is_attached_to() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let address = agent.address();
    let left = run(&["exec", "-d", &address, "--sh", "echo late; exit 9"]).await;
    let attached = run(&["attach", "--timeout", "60s", &address, left.stdout.trim()]).await;
    assert_eq!(
        (attached.code, &*attached.stdout),
        (9, "late\n"),
        "{}",
        attached.stderr
    );
}

#[tokio::test]
async fn an_agent_is_looked_at() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let address = agent.address();
    for command in ["ping", "info", "commands", "df", "net", "time"] {
        let run = run(&[command, &address]).await;
        assert_eq!(run.code, 0, "{command}: {}", run.stderr);
    }
}
