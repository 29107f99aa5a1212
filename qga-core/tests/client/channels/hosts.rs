//! Sockets on other hosts, by way of something in the place of `ssh`.

use qga_core::{Address, SshAddress, Stage};

use super::{Failing, assert_say};

const ADDRESS: &str = "ssh://me@vm-host:2222/run/qga.sock";

#[tokio::test]
async fn what_ssh_says_is_in_the_error_and_what_to_do() {
    let script = "echo 'me@vm-host: Permission denied (publickey).' >&2; exit 255";
    let errors = Failing::ssh(script).errors(ADDRESS).await;
    let words = [
        "connect at ssh://me@vm-host:2222/run/qga.sock",
        "exit status 255: me@vm-host: Permission denied (publickey).",
        "give it a key",
    ];
    assert_say(&errors, Stage::Connect, &words);
    let script = "echo 'Host key verification failed.' >&2; exit 255";
    let errors = Failing::ssh(script).errors(ADDRESS).await;
    assert_say(&errors, Stage::Connect, &["log in by hand once"]);
}

#[tokio::test]
async fn ssh_is_never_asked_for_a_password_and_gets_host_and_user_apart_from_options() {
    let script = "printf '<%s>\\n' \"$@\" >&2; exit 255";
    let folder = tempfile::tempdir().unwrap();
    let arguments = folder.path().join("arguments");
    let script = format!(
        "printf '<%s>\\n' \"$@\" > {}; {script}",
        arguments.display()
    );
    Failing::ssh(&script).errors(ADDRESS).await;
    let arguments = std::fs::read_to_string(arguments).unwrap();
    assert!(
        arguments.starts_with("<-T>\n<-o>\n<BatchMode=yes>\n"),
        "{arguments}"
    );
    assert!(
        arguments.contains("<-p>\n<2222>\n<-l>\n<me>\n<-->\n<vm-host>\n<"),
        "{arguments}"
    );
}

#[tokio::test]
async fn a_host_or_user_that_begins_with_a_dash_is_not_given_to_ssh() {
    let socket = || Address::Unix("/run/qga.sock".into());
    let host = SshAddress::new("-oProxyCommand=x", socket());
    let user = SshAddress::new("vm", socket()).user("-x");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ran");
    let script = format!("touch {}", file.display());
    for address in [host, user] {
        let errors = Failing::ssh(&script).errors(address).await;
        assert_say(&errors, Stage::Connect, &["begins with `-`"]);
    }
    let tcp = SshAddress::new("vm", Address::Tcp("vm:80".into()));
    let errors = Failing::ssh(&script).errors(tcp).await;
    assert_say(
        &errors,
        Stage::Connect,
        &["only the absolute path of a Unix socket"],
    );
    assert!(!file.exists());
}

#[tokio::test]
async fn what_a_login_script_prints_without_a_line_break_is_passed_over() {
    let programs = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/sh", programs.path().join("sh")).unwrap();
    // It runs what the far shell would run, where there is nothing but `sh`.
    let run = r#"for last; do :; done; printf 'welcome: '; PATH=PROGRAMS; eval "$last""#;
    let run = run.replace("PROGRAMS", programs.path().to_str().unwrap());
    let errors = Failing::ssh(&run).errors("ssh://vm-host/vsock:3:1").await;
    assert_say(&errors, Stage::Connect, &["install `socat` there"]);
}

#[tokio::test]
async fn what_a_host_says_in_place_of_a_shell_is_in_the_error() {
    let script = "echo 'This account is currently not available.'; exit 1";
    let errors = Failing::ssh(script).errors("ssh://vm-host/vsock:3:1").await;
    let words = ["exit status 1; the other host says: This account is currently not available."];
    assert_say(&errors, Stage::Connect, &words);
}

#[tokio::test]
async fn a_shell_that_only_talks_is_left() {
    let errors = Failing::ssh("yes welcome").errors(ADDRESS).await;
    assert_say(&errors, Stage::Connect, &["says more than it should"]);
}

#[tokio::test]
async fn a_host_that_says_nothing_ends_at_the_deadline() {
    let errors = Failing::ssh("exec sleep 1000").soon().errors(ADDRESS).await;
    assert_say(&errors, Stage::Connect, &["no connection within 200ms"]);
}

#[tokio::test]
async fn a_vsock_port_needs_a_program_on_that_host() {
    let script = "echo welcome; echo QGA NO PROGRAM";
    let errors = Failing::ssh(script).errors("ssh://vm-host/vsock:3:1").await;
    assert_say(&errors, Stage::Connect, &["install `socat` there"]);
}

#[tokio::test]
async fn a_path_reaches_the_far_shell_as_one_word() {
    let folder = tempfile::tempdir().unwrap();
    let ran = folder.path().join("ran");
    let words = folder.path().join("words");
    // It does what a far shell does: it takes the last argument for a command.
    let script = format!(
        "eval \"set -- $(printf '%s' \"${{@: -1}}\")\"; printf '%s\\n' \"$5\" > {}; exit 255",
        words.display()
    );
    let script = script.replace("${@: -1}", "$(for last; do :; done; printf '%s' \"$last\")");
    let path = format!("/run/a b'c\"d$(touch {})`e;f.sock", ran.display());
    let address = format!("ssh://vm-host{path}");
    Failing::ssh(&script).errors(address.as_str()).await;
    assert_eq!(
        std::fs::read_to_string(words).unwrap(),
        format!("unix:{path}\n")
    );
    assert!(!ran.exists());
}
