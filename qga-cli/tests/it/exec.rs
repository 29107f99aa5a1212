//! `qga exec` and `qga attach`.

use std::process::Stdio;
use std::time::Duration;

use qga_testserver::{Fault, Profile, Script, TestAgent};
use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;

use crate::support::{Run, ended, guest, qga, run, run_with, signal};

#[tokio::test]
async fn the_exit_code_is_that_of_the_guests_program() {
    let (agent, address) = guest().await;
    for code in [0, 1, 42, 255] {
        agent.program("end").exit(code);
        let run = run(&["exec", &address, "--", "end"]).await;
        assert_eq!((i64::from(run.code), &*run.stderr), (code, ""));
    }
    agent.program("end").signal(9);
    assert_eq!(run(&["exec", &address, "--", "end"]).await.code, 137);
}

#[tokio::test]
async fn both_streams_are_passed_on_byte_by_byte() {
    let (agent, address) = guest().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    agent
        .program("both")
        .stdout(&bytes)
        .stderr("wrong\u{1b}[1m")
        .exit(3);
    let output = qga(&["exec", &address, "--", "both"])
        .output()
        .await
        .unwrap();
    assert_eq!(output.stdout, bytes);
    assert_eq!(output.stderr, "wrong\u{1b}[1m".as_bytes());
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn arguments_variables_folder_and_input_reach_the_program() {
    let (agent, address) = guest().await;
    agent.program("show").runs(|program| {
        let words = program.args.join("|");
        let variables = program.env.clone().unwrap_or_default();
        let variable = variables
            .iter()
            .find(|it| it.starts_with("COLOR="))
            .cloned();
        let variable = variable.unwrap_or_default();
        let input = String::from_utf8_lossy(&program.stdin).into_owned();
        qga_testserver::Script::new()
            .stdout(format!("{words} {variable} {input}"))
            .exit(0)
    });
    let run = run_with(
        &[
            "exec",
            "-i",
            "-e",
            "COLOR=a=b",
            &address,
            "--",
            "show",
            "-x",
            "a b",
            "--",
            "$1",
        ],
        b"read me",
    )
    .await;
    assert_eq!(
        (run.code, &*run.stdout),
        (0, "-x|a b|--|$1 COLOR=a=b read me"),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn what_cannot_be_run_or_reached_is_told_by_its_exit_code() {
    let (agent, address) = guest().await;
    let found = run(&["exec", &address, "--", "nope"]).await;
    assert_eq!(found.code, 127, "{}", found.stderr);
    agent.disable("guest-exec");
    for (args, words) in [
        (
            &["exec", "unix:/none/qga.sock", "--", "true"][..],
            "/none/qga.sock",
        ),
        (&["exec", &address, "--", "true"], "guest-exec"),
        (&["exec", "-t", &address, "--", "sh"], "no terminal"),
        (&["exec", &address], "PROGRAM"),
        (&["exec", "nobody", "--", "true"], "nobody"),
    ] {
        let run = run(args).await;
        assert_eq!(run.code, 125, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{args:?}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_killed() {
    let (agent, address) = guest().await;
    agent.program("long").stdout("begun\n").never_ends();
    let run = run(&["exec", "--timeout", "300ms", &address, "--", "long"]).await;
    assert_eq!((run.code, &*run.stdout), (124, "begun\n"), "{}", run.stderr);
    assert!(run.stderr.contains("was killed"), "{}", run.stderr);
    assert!(agent.running_processes().is_empty());
}

#[tokio::test]
async fn what_was_left_running_is_waited_for_later() {
    let (agent, address) = guest().await;
    agent
        .program("job")
        .stdout("result\n")
        .after(Duration::from_millis(300))
        .exit(7);
    let left = run(&["exec", "--detach", &address, "--", "job"]).await;
    assert_eq!(left.code, 0, "{}", left.stderr);
    let number = left.stdout.trim();
    let attached = run(&["attach", &address, number]).await;
    assert_eq!(
        (attached.code, &*attached.stdout),
        (7, "result\n"),
        "{}",
        attached.stderr
    );
    let again = run(&["attach", &address, number]).await;
    assert_eq!(again.code, 125, "its end is told once");
    let json = run(&["-o", "json", "exec", "-d", &address, "--", "job"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let (process, token) = (&json["process"], &json["process"]["token"]);
    assert!(
        token
            .as_str()
            .unwrap()
            .starts_with(&format!("{}@", process["number"])),
        "{json}"
    );
}

#[tokio::test]
async fn a_strangers_process_is_not_attached_to_after_a_restart_of_the_agent() {
    let (agent, address) = guest().await;
    agent.program("job").stdout("mine\n").exit(0);
    let left = run(&["exec", "--detach", &address, "--", "job"]).await;
    agent.reboot();
    agent.program("job").stdout("a stranger's\n").exit(0);
    let strangers = run(&["exec", "--detach", &address, "--", "job"]).await;
    let number = |run: &Run| run.stdout.split_once('@').unwrap().0.to_owned();
    assert_eq!(number(&left), number(&strangers));
    let attached = run(&["attach", &address, left.stdout.trim()]).await;
    assert_eq!((attached.code, &*attached.stdout), (125, ""));
    assert!(attached.stderr.contains("gone"), "{}", attached.stderr);
    let attached = run(&["attach", &address, strangers.stdout.trim()]).await;
    assert_eq!((attached.code, &*attached.stdout), (0, "a stranger's\n"));
}

#[tokio::test]
async fn who_stops_waiting_takes_nothing_from_whoever_waits_next() {
    let (agent, address) = guest().await;
    agent
        .program("job")
        .stdout("result\n")
        .after(Duration::from_millis(1500))
        .exit(7);
    let left = run(&["exec", "--detach", &address, "--", "job"]).await;
    let token = left.stdout.trim();
    let late = run(&["attach", "--timeout", "100ms", &address, token]).await;
    assert_eq!(late.code, 124, "{}", late.stderr);
    let asked = agent.requests_of("guest-exec-status").len();
    let child = qga(&["attach", &address, token]).spawn().unwrap();
    agent.wait_for("guest-exec-status", asked + 2).await;
    signal(&child, Signal::INT);
    let interrupted = ended(child.wait_with_output().await.unwrap());
    assert_eq!(interrupted.code, 130, "{}", interrupted.stderr);
    let attached = run(&["attach", &address, token]).await;
    assert_eq!((attached.code, &*attached.stdout), (7, "result\n"));
}

#[tokio::test]
async fn a_guest_without_a_shell_gives_its_output_at_the_end_and_that_is_said_to_who_asks() {
    let (agent, address) = guest().await;
    agent.profile(Profile::Windows);
    without_shell(&agent);
    agent.program("ver").stdout("10.0\n").stderr("hm\n").exit(3);
    let plain = run(&["exec", &address, "--", "ver"]).await;
    assert_eq!(
        (plain.code, &*plain.stdout, &*plain.stderr),
        (3, "10.0\n", "hm\n")
    );
    let verbose = run(&["exec", "-v", &address, "--", "ver"]).await;
    assert!(
        verbose.stderr.contains("the output comes at the end"),
        "{}",
        verbose.stderr
    );
    let missing = run(&["exec", &address, "--", "nope"]).await;
    assert_eq!(missing.code, 127, "{}", missing.stderr);
    let variable = run(&["exec", "-e", "A=b", &address, "--", "ver"]).await;
    assert_eq!(variable.code, 125, "{}", variable.stderr);
    assert!(variable.stderr.contains("variable"), "{}", variable.stderr);
    agent.program("long").never_ends();
    agent
        .program("taskkill")
        .runs(move |_| Script::new().exit(1));
    let late = run(&["exec", "--timeout", "300ms", &address, "--", "long"]).await;
    assert_eq!(late.code, 125, "it was not killed: {}", late.stderr);
    assert!(late.stderr.contains("qga attach"), "{}", late.stderr);
}

/// What a guest says that has neither `/bin/sh` nor `env`.
fn without_shell(agent: &TestAgent) {
    let is_shell = |arguments: &serde_json::Value| {
        ["/bin/sh", "env"]
            .iter()
            .any(|path| arguments["path"] == *path)
    };
    let words = "Failed to execute child process \u{201c}it\u{201d} (No such file or directory)";
    agent
        .on("guest-exec")
        .with(is_shell)
        .error("GenericError", words);
}

#[tokio::test]
async fn options_stand_before_or_after_the_guests_name() {
    let (agent, address) = guest().await;
    agent.program("/bin/show").runs(|program| {
        let variables = program.env.clone().unwrap_or_default();
        let is_set = variables.iter().any(|it| it == "A=b");
        Script::new()
            .stdout(format!("{is_set} {:?}", program.args))
            .exit(0)
    });
    for args in [
        &["-q", "exec", "-e", "A=b", &address, "--", "/bin/show", "-e"][..],
        &["exec", &address, "-e", "A=b", "-q", "--", "/bin/show", "-e"],
        &["exec", "-q", &address, "-e", "A=b", "--", "/bin/show", "-e"],
    ] {
        let run = run(args).await;
        assert_eq!(run.stdout, "true [\"-e\"]", "{args:?}: {}", run.stderr);
    }
}

#[tokio::test]
async fn a_signal_while_the_program_is_started_leaves_none_running() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (agent, address) = guest().await;
        agent.program("long").never_ends();
        // The reply that tells its number comes late.
        let starts_it = |arguments: &serde_json::Value| arguments.to_string().contains("\"long\"");
        agent
            .on("guest-exec")
            .with(starts_it)
            .fault(Fault::delay(Duration::from_millis(500)));
        let child = qga(&["exec", &address, "--", "long"]).spawn().unwrap();
        while agent.running_processes().is_empty() {
            tokio::task::yield_now().await;
        }
        signal(&child, sent);
        let run = ended(child.wait_with_output().await.unwrap());
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(run.stderr.contains("was killed"), "{}", run.stderr);
        assert!(agent.running_processes().is_empty());
    }
}

#[tokio::test]
async fn each_signal_kills_the_guests_program() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (agent, address) = guest().await;
        agent.program("long").stdout("begun\n").never_ends();
        let mut child = qga(&["exec", &address, "--", "long"]).spawn().unwrap();
        let mut begun = [0; 6];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut begun)
            .await
            .unwrap();
        signal(&child, sent);
        let run = ended(child.wait_with_output().await.unwrap());
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(agent.running_processes().is_empty());
    }
}

#[tokio::test]
async fn a_second_interrupt_leaves_the_program_and_says_how_to_wait_for_it() {
    let (agent, address) = guest().await;
    agent.program("long").stdout("begun\n").never_ends();
    let mut child = qga(&["exec", &address, "--", "long"]).spawn().unwrap();
    let mut begun = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut begun)
        .await
        .unwrap();
    // From here on nothing is answered, so that the kill hangs.
    agent.fault(Fault::no_answer().always());
    let before = agent.requests().len();
    signal(&child, Signal::INT);
    while agent.requests().len() == before {
        tokio::task::yield_now().await;
    }
    // The first one may not have been seen yet.
    let ended_after = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            signal(&child, Signal::INT);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    ended_after.await.unwrap();
    let run = ended(child.wait_with_output().await.unwrap());
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("qga attach {address} ")),
        "{}",
        run.stderr
    );
    assert_eq!(agent.running_processes().len(), 1);
}

#[tokio::test]
async fn output_that_nobody_reads_any_more_is_no_success() {
    let (agent, address) = guest().await;
    agent.program("much").stdout_zeros(1 << 20).never_ends();
    let mut child = qga(&["exec", &address, "--", "much"]).spawn().unwrap();
    drop(child.stdout.take());
    let run = ended(child.wait_with_output().await.unwrap());
    assert_eq!(run.code, 125, "{}", run.stderr);
    assert!(agent.running_processes().is_empty());
    // A file on a disk that is full.
    agent.program("line").stdout("line\n").exit(0);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = qga(&["exec", &address, "--", "line"]);
    let child = command.stdout(Stdio::from(full)).spawn().unwrap();
    let run = ended(child.wait_with_output().await.unwrap());
    assert_eq!(run.code, 125, "{}", run.stderr);
}

#[tokio::test]
async fn a_line_of_the_shell_has_its_arguments() {
    let (agent, address) = guest().await;
    run(&["exec", &address, "--sh", "echo $1 | wc", "--", "a b"]).await;
    let started = agent.requests_of("guest-exec");
    let has_words = |request: &qga_testserver::Request| {
        let words = request.arguments["arg"].as_array().unwrap();
        words.ends_with(&[
            "/bin/sh".into(),
            "-c".into(),
            "echo $1 | wc".into(),
            "sh".into(),
            "a b".into(),
        ])
    };
    assert!(started.iter().any(has_words), "{started:?}");
}
