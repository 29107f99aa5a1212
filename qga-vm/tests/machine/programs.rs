//! Programs of a guest.

use std::time::Duration;

use qga_commands::GuestError;
use qga_core::Execution;
use tokio::io::AsyncReadExt;

use crate::case::{
    EVERY, EVERY_AND_LIBVIRT, FAKE_BUSYBOX_AND_LIBVIRT, MACHINES, MACHINES_AND_LIBVIRT, On, cases,
};
use crate::machine::Machine;

cases![
    what_a_program_prints_can_be_read_while_it_runs on EVERY_AND_LIBVIRT,
    a_program_gets_the_folder_the_environment_and_the_input_that_are_set on EVERY,
    a_program_starts_with_what_the_agent_gives_it on MACHINES_AND_LIBVIRT,
    captured_output_ends_at_16_mib_and_read_output_does_not on FAKE_BUSYBOX_AND_LIBVIRT,
    a_child_in_the_background_is_waited_for_where_its_output_is_captured on MACHINES,
    an_argument_has_131071_bytes_at_most on EVERY,
    a_text_without_an_interpreter_is_run_by_the_shell on MACHINES_AND_LIBVIRT,
];

/// Prints a line, waits for the file to be told to go on, prints another one and ends with 3.
const CHATTER: &str = "#!/bin/sh
echo one
until [ -e /run/go-on ]; do sleep 0.05; done
echo two
exit 3
";

async fn install(machine: &Machine, path: &str, script: &str) {
    machine.guest().await.write(path, script).await.unwrap();
    machine.run(&format!("chmod +x {path}")).await;
}

async fn what_a_program_prints_can_be_read_while_it_runs(on: On) {
    let machine = Machine::start(on).await;
    match machine.fake() {
        Some(agent) => {
            let program = agent.program("/run/chatter").stdout("one\n");
            program
                .pause(Duration::from_secs(2))
                .stdout("two\n")
                .exit(3);
        }
        None => install(&machine, "/run/chatter", CHATTER).await,
    }
    let guest = machine.guest().await;
    let mut child = guest.command("/run/chatter").spawn().await.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut line = [0; 4];
    stdout.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"one\n");
    if on != On::Fake {
        assert_eq!(child.try_wait().await.unwrap(), None);
        machine.run("touch /run/go-on").await;
    }
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "two\n");
    assert_eq!(child.wait().await.unwrap().code(), Some(3));
}

async fn a_program_gets_the_folder_the_environment_and_the_input_that_are_set(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let pwd = guest
        .command("pwd")
        .current_dir("/tmp")
        .output()
        .await
        .unwrap();
    assert_eq!(pwd.stdout, b"/tmp\n");
    let mut env = guest.command("/usr/bin/env");
    if on == On::Busybox {
        env = guest.command("/bin/env");
    }
    let output = env
        .env("A", "1 2")
        .env("B", "")
        .env_clear()
        .output()
        .await
        .unwrap();
    let mut lines: Vec<_> = output.stdout_text().unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["A=1 2", "B="]);
    let bytes: Vec<u8> = (0..=255).collect();
    let output = guest
        .command("cat")
        .stdin(bytes.clone())
        .output()
        .await
        .unwrap();
    assert_eq!(output.stdout, bytes);
    // On top of the agent's own environment.
    if on != On::Fake {
        let mut shell = guest.command("sh");
        let output = shell
            .args(["-c", "echo $ADDED $PATH"])
            .env("ADDED", "yes")
            .output();
        assert!(output.await.unwrap().stdout.starts_with(b"yes /"));
    }
}

async fn a_program_starts_with_what_the_agent_gives_it(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let tells = "pwd; umask; readlink /proc/self/fd/0; ulimit -n; echo \"HOME=$HOME\"";
    let output = guest
        .command("sh")
        .args(["-c", tells])
        .output()
        .await
        .unwrap();
    let wanted = match on {
        // Its init has set HOME.
        On::Busybox | On::Libvirt => "/\n0022\n/dev/null\n1024\nHOME=/root\n",
        _ => "/\n0022\n/dev/null\n1024\nHOME=\n",
    };
    assert_eq!(output.stdout_lossy(), wanted);
}

const CAPTURED: usize = 16 << 20;

async fn captured_output_ends_at_16_mib_and_read_output_does_not(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let more = CAPTURED + (1 << 20);
    let mut head = guest.command("head");
    head.args(["-c", &more.to_string(), "/dev/zero"]);
    let output = head.output().await.unwrap();
    assert!(output.status.success() && output.truncated);
    assert_eq!(output.stdout.len(), CAPTURED);
    let child = head.spawn().await.unwrap();
    let output = child.wait_with_output(more).await.unwrap();
    assert!(output.status.success() && !output.truncated);
    assert_eq!(output.stdout.len(), more);
}

const LEAVES_A_CHILD: &str = "(until [ -e /run/go-on ]; do sleep 0.05; done; echo late) & echo now";

async fn a_child_in_the_background_is_waited_for_where_its_output_is_captured(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let mut command = guest.command("sh");
    command.args(["-c", LEAVES_A_CHILD]);
    // Without output it ends at once.
    assert!(command.status().await.unwrap().success());

    let mut process = command.start().await.unwrap();
    let has_ended =
        "until ! [ -e /proc/$0 ] || grep -q \"^State:.Z\" /proc/$0/status; do sleep 0.05; done";
    machine
        .run_script(has_ended, &process.pid().to_string())
        .await;
    assert_eq!(process.try_wait().await.unwrap(), None);
    machine.run("touch /run/go-on").await;
    let output = process.wait().await.unwrap();
    assert_eq!(output.stdout, b"now\nlate\n");
    assert!(output.status.success());
}

async fn an_argument_has_131071_bytes_at_most(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let longest = "x".repeat(131_071);
    let mut printf = guest.command("printf");
    let output = printf.args(["%s", &longest]).output().await.unwrap();
    assert!(output.stdout == longest.as_bytes());

    let mut printf = guest.command("printf");
    let error = printf
        .args(["%s", &format!("{longest}x")])
        .output()
        .await
        .unwrap_err();
    let said = &error.agent_error().unwrap().desc;
    assert!(said.contains("(Argument list too long)"), "{said}");
    assert!(matches!(error, GuestError::Command(_)) && !error.is_timeout());
    assert_eq!(error.execution(), Execution::Answered);
    assert!(guest.command("true").status().await.unwrap().success());
}

async fn a_text_without_an_interpreter_is_run_by_the_shell(on: On) {
    let machine = Machine::start(on).await;
    install(&machine, "/run/plain", "echo \"$0 $1\"\n").await;
    let guest = machine.guest().await;
    let output = guest
        .command("/run/plain")
        .arg("two words")
        .output()
        .await
        .unwrap();
    assert_eq!(output.stdout_lossy(), "/run/plain two words\n");
}
