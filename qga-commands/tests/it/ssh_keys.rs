//! SSH keys: listed in the file's order, checked before they are sent.

use crate::support::faults::{TIMEOUT, can_be_done_again};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution};
use qga_testserver::TestAgent;

const FILE: &str = "/root/.ssh/authorized_keys";

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Guest::new(Client::new(stream)))
}

/// A key as OpenSSH has it: the type's length, the type, and more.
fn key(name: &str, comment: &str) -> String {
    let length = u32::try_from(name.len()).unwrap().to_be_bytes();
    let bytes = [&length[..], name.as_bytes(), comment.as_bytes(), b"+"].concat();
    format!("{name} {} {comment}", STANDARD.encode(bytes))
}

fn ed25519(comment: &str) -> String {
    key("ssh-ed25519", comment)
}

#[tokio::test(start_paused = true)]
async fn keys_are_listed_in_the_order_of_the_file() {
    let (agent, guest) = guest();
    let keys = guest.ssh_keys("root");
    let (a, b, c) = (ed25519("a@host"), ed25519("b@host"), ed25519("c@host"));
    agent.file(FILE, format!("# mine\n\n{a}\n{b}\n"));
    keys.add([&c, &a, &c]).await.unwrap();
    assert_eq!(keys.list().await.unwrap(), [a.as_str(), &b, &c]);
    assert_eq!(agent.authorized_keys("root"), ["# mine", &a, &b, &c]);
}

#[tokio::test(start_paused = true)]
async fn keys_are_removed_and_replaced() {
    let (agent, guest) = guest();
    let keys = guest.ssh_keys("root");
    let (a, b, c) = (ed25519("a@host"), ed25519("b@host"), ed25519("c@host"));
    agent.file(FILE, format!("# mine\n{a}\n{b}\nno key\n"));
    keys.remove([b.as_str(), "no key", &c]).await.unwrap();
    assert_eq!(agent.authorized_keys("root"), ["# mine", &a]);
    keys.replace([&c]).await.unwrap();
    assert_eq!(agent.authorized_keys("root"), [c]);
    keys.replace([""; 0]).await.unwrap();
    assert_eq!(keys.list().await.unwrap(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_file_there_are_no_keys() {
    let (_agent, guest) = guest();
    assert_eq!(guest.ssh_keys("root").list().await.unwrap(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn any_other_failure_to_list_is_an_error() {
    let (agent, guest) = guest();
    let odd = "x': No such file or directory";
    guest.ssh_keys(odd).list().await.unwrap_err();
    for said in [
        "failed to read '/root/.ssh/authorized_keys': Permission denied",
        "failed to lookup user 'x': No such file or directory",
        "No such file or directory",
    ] {
        agent
            .on("guest-ssh-get-authorized-keys")
            .expect(1)
            .error("GenericError", said);
        let error = guest.ssh_keys("root").list().await.unwrap_err();
        assert!(error.command_error().is_some(), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_key_is_taken_with_options_and_blanks_around() {
    let (agent, guest) = guest();
    let names = [
        "ssh-rsa",
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "sk-ssh-ed25519@openssh.com",
        "ssh-ed25519-cert-v01@openssh.com",
        "a-type-of-the-future@example.org",
    ];
    let mut expected: Vec<_> = names.map(|name| key(name, "me@host")).to_vec();
    let options = r#"no-pty,command="echo \"a b\"  c",from="192.0.2.0/24""#;
    expected.push(format!("{options} {}", ed25519("me")));
    expected.push(format!("cert-authority {}", ed25519("two words")));
    expected.push(key("ssh-rsa", "").trim_end().replace(' ', "\t"));
    let given = expected.iter().map(|key| format!(" {key}\r\n"));
    guest.ssh_keys("root").add(given).await.unwrap();
    assert_eq!(agent.authorized_keys("root"), expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_public_key_is_not_sent() {
    let (agent, guest) = guest();
    let keys = guest.ssh_keys("root");
    let good = ed25519("me");
    let (name, blob) = ("ssh-ed25519", good.split(' ').nth(1).unwrap());
    let bad = [
        String::new(),
        " \n".to_owned(),
        format!("# {good}"),
        format!("{good}\n{good}"),
        format!("{good}\r{good}"),
        format!("{good}\0"),
        format!("{good} \u{1b}[31m"),
        "me@host".to_owned(),
        name.to_owned(),
        blob.to_owned(),
        format!("{name} {}", &blob[..blob.len() - 1]),
        format!("ssh-rsa {blob}"),
        format!("{name} AAAA"),
        format!("{name} AAAAC3NzaC1lZDI1NTE5"),
        format!("{name} {blob}\u{e9}"),
        "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
    ];
    for bad in bad {
        for error in [
            keys.add([&good, &bad]).await.unwrap_err(),
            keys.replace([&good, &bad]).await.unwrap_err(),
        ] {
            assert!(matches!(error, GuestError::InvalidInput(_)), "{bad:?}");
            assert!(error.to_string().contains("SSH key number 2 "), "{error}");
            assert_eq!(error.execution(), Execution::NotRun);
        }
    }
    for bad in ["", "# me", "two\nlines"] {
        let error = keys.remove([bad]).await.unwrap_err();
        assert!(matches!(error, GuestError::InvalidInput(_)), "{bad:?}");
    }
    assert!(agent.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_not_there_is_an_error() {
    let (_agent, guest) = guest();
    let keys = guest.ssh_keys("nobody");
    for error in [
        keys.list().await.map(drop).unwrap_err(),
        keys.add([ed25519("me")]).await.unwrap_err(),
        keys.remove([ed25519("me")]).await.unwrap_err(),
    ] {
        let said = error.command_error().unwrap().to_string();
        assert!(said.contains("failed to lookup user 'nobody'"), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn adding_can_be_done_again_after_any_fault() {
    let (a, b) = (ed25519("a"), ed25519("b"));
    can_be_done_again(
        3 * TIMEOUT,
        |agent| agent.file(FILE, a.clone()),
        async |guest: &Guest| guest.ssh_keys("root").add([&b]).await,
        |agent| agent.authorized_keys("root") == [a.as_str(), &b],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn replacing_can_be_done_again_after_any_fault() {
    let (a, b) = (ed25519("a"), ed25519("b"));
    can_be_done_again(
        3 * TIMEOUT,
        |agent| agent.file(FILE, a.clone()),
        async |guest: &Guest| guest.ssh_keys("root").replace([&b]).await,
        |agent| agent.authorized_keys("root") == [b.as_str()],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn removing_can_be_done_again_after_any_fault() {
    let (a, b) = (ed25519("a"), ed25519("b"));
    can_be_done_again(
        3 * TIMEOUT,
        |agent| agent.file(FILE, format!("{a}\n{b}\n")),
        async |guest: &Guest| guest.ssh_keys("root").remove([&a]).await,
        |agent| agent.authorized_keys("root") == [b.as_str()],
    )
    .await;
}
