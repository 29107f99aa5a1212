//! Passwords, SSH keys and logins, as the guest itself shows them.

use qga_commands::commands::ssh::SshGetAuthorizedKeys;
use qga_core::Execution;
use qga_testserver::{Account, Login};

use crate::case::{EVERY, EVERY_AND_LIBVIRT, FAKE_AND_BUSYBOX, MACHINES, On, cases};
use crate::machine::Machine;

cases![
    a_password_that_was_set_lets_its_user_in on EVERY,
    a_hash_that_was_set_is_in_the_shadow_file on FAKE_AND_BUSYBOX,
    a_password_of_nobody_and_an_empty_one_are_refused_by_the_guest on EVERY,
    ssh_keys_are_added_listed_and_removed on EVERY_AND_LIBVIRT,
    the_files_of_ssh_keys_are_for_their_owner_alone on MACHINES,
    a_user_without_a_home_gets_no_ssh_keys on FAKE_AND_BUSYBOX,
    who_has_logged_in_is_told_until_he_leaves on EVERY,
];

/// What the shadow file has for a user.
async fn shadow(machine: &Machine, user: &str) -> String {
    let line = machine.run(&format!("grep ^{user}: /etc/shadow")).await;
    line.split(':').nth(1).unwrap().to_owned()
}

/// The hash of a password by the program of the guest, as `login` makes it, to compare it with `shadow`.
async fn hashed(machine: &Machine, on: On, password: &str, shadow: &str) -> String {
    let command = match on {
        On::Busybox => {
            let salt = shadow.split('$').nth(2).unwrap();
            format!("mkpasswd -m sha512 -S '{salt}' '{password}'")
        }
        _ => format!("perl -e 'print crypt($ARGV[0], $ARGV[1])' '{password}' '{shadow}'"),
    };
    machine.run(&command).await.trim().to_owned()
}

async fn a_password_that_was_set_lets_its_user_in(on: On) {
    let machine = Machine::start(on).await;
    let user = machine.user();
    let guest = machine.guest().await;
    let password = "two words: \u{e4}\u{20ac}";
    guest.set_password(user, password).await.unwrap();
    if let Some(agent) = machine.fake() {
        let set = agent
            .guest()
            .account(user)
            .unwrap()
            .password
            .clone()
            .unwrap();
        assert!(set.text == password && !set.crypted);
    } else {
        let shadow = shadow(&machine, user).await;
        assert_eq!(hashed(&machine, on, password, &shadow).await, shadow);
        assert_ne!(hashed(&machine, on, "wonder", &shadow).await, shadow);
    }
}

async fn a_hash_that_was_set_is_in_the_shadow_file(on: On) {
    let machine = Machine::start(on).await;
    let user = machine.user();
    let guest = machine.guest().await;
    let hash = "$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm/VQ1Tvh/KV2TcaWh8qinoW5dhA1";
    guest.set_password_hash(user, hash).await.unwrap();
    match machine.fake() {
        Some(agent) => {
            let set = agent
                .guest()
                .account(user)
                .unwrap()
                .password
                .clone()
                .unwrap();
            assert!(set.text == hash && set.crypted);
        }
        None => assert_eq!(shadow(&machine, user).await, hash),
    }
}

async fn a_password_of_nobody_and_an_empty_one_are_refused_by_the_guest(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    for (user, password) in [("nobody-here", "secret"), (machine.user(), "")] {
        let error = guest.set_password(user, password).await.unwrap_err();
        let said = &error.agent_error().unwrap().desc;
        assert!(
            said.starts_with("child process has failed to set user password"),
            "{said}"
        );
        assert_eq!(error.execution(), Execution::Answered);
    }
    if let Some(agent) = machine.fake() {
        assert_eq!(
            agent.guest().account(machine.user()).unwrap().password,
            None
        );
    }
}

const KEYS: [&str; 2] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE5Pv3sWJVHqyDqxrTSqdKOYmYL0jp8ZcAJ0Vv8a8Cfs one@host",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1ZP5J7hWgnvX8cYqg3yGcgZ0nGV3vBCBrPxZK4cnl7 two@host",
];

async fn keys_file(machine: &Machine) -> String {
    match machine.fake() {
        Some(agent) => {
            let content = agent.file_content("/home/test/.ssh/authorized_keys");
            String::from_utf8(content.unwrap()).unwrap()
        }
        None => machine.run("cat ~alice/.ssh/authorized_keys").await,
    }
}

async fn ssh_keys_are_added_listed_and_removed(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let keys = guest.ssh_keys(machine.user());

    // The agent takes a file that is not there for an error.
    let raw = SshGetAuthorizedKeys::new(machine.user());
    let error = guest.client().execute(raw).await.unwrap_err();
    assert!(
        error
            .agent_error()
            .unwrap()
            .desc
            .ends_with("No such file or directory")
    );
    assert!(keys.list().await.unwrap().is_empty());

    keys.add(KEYS).await.unwrap();
    keys.add(KEYS).await.unwrap();
    assert_eq!(keys_file(&machine).await, KEYS.join("\n"));
    assert_eq!(keys.list().await.unwrap(), KEYS);
    keys.remove([KEYS[0]]).await.unwrap();
    assert_eq!(keys_file(&machine).await, KEYS[1]);
    keys.replace([KEYS[0]]).await.unwrap();
    assert_eq!(keys.list().await.unwrap(), [KEYS[0]]);
}

async fn the_files_of_ssh_keys_are_for_their_owner_alone(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let prepare = "mkdir ~alice/.ssh && echo precious >/tmp/elsewhere && ln -s /tmp/elsewhere ~alice/.ssh/authorized_keys";
    machine.run(prepare).await;
    guest.ssh_keys("alice").replace(KEYS).await.unwrap();
    // The link is replaced, and what it led to is left alone.
    assert_eq!(machine.run("cat /tmp/elsewhere").await, "precious\n");
    let stat = "stat -c \"%F %a %U %G\" ~alice/.ssh/authorized_keys";
    assert_eq!(machine.run(stat).await, "regular file 600 alice alice\n");
    machine.run("rm -r ~alice/.ssh").await;
    guest.ssh_keys("alice").add(KEYS).await.unwrap();
    assert_eq!(machine.run(stat).await, "regular file 600 alice alice\n");
    let stat = "stat -c \"%F %a %U %G\" ~alice/.ssh";
    assert_eq!(machine.run(stat).await, "directory 700 alice alice\n");
}

async fn a_user_without_a_home_gets_no_ssh_keys(on: On) {
    let machine = Machine::start(on).await;
    if let Some(agent) = machine.fake() {
        agent.edit_guest(|guest| {
            guest.accounts.push(Account::new("bob", "/nowhere/bob"));
        });
    } else {
        let bob = "echo bob:x:1001:1001::/nowhere/bob:/bin/sh >>/etc/passwd";
        machine.run(bob).await;
    }
    let guest = machine.guest().await;
    let error = guest.ssh_keys("bob").add(KEYS).await.unwrap_err();
    let said = &error.agent_error().unwrap().desc;
    assert_eq!(
        said,
        "failed to create directory '/nowhere/bob/.ssh': No such file or directory"
    );
    assert!(guest.ssh_keys("bob").list().await.unwrap().is_empty());
}

/// A record of `utmp`, as `login` writes one: its type (7 is a user, 8 one who has left), line, user and time.
const RECORD: &str = r#"
pad() { printf %s "$1"; head -c $(($2 - ${#1})) /dev/zero; }
{
    printf "\00$0\000\000\000\001\000\000\000"
    pad ttyS1 32; pad S1 4; pad alice 32; pad "" 264
    printf "\000\361\123\145\040\241\007\000"
    pad "" 36
} >/run/utmp
"#;

async fn who_has_logged_in_is_told_until_he_leaves(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    if let Some(agent) = machine.fake() {
        agent.edit_guest(|guest| guest.logins.clear());
    }
    assert!(guest.users().await.unwrap().is_empty());
    match machine.fake() {
        Some(agent) => agent.edit_guest(|guest| {
            guest.logins.push(Login::new("alice", 1_700_000_000.5));
        }),
        None => drop(machine.run_script(RECORD, "7").await),
    }
    let users = guest.users().await.unwrap();
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].user, "alice");
    assert!((users[0].login_time - 1_700_000_000.5).abs() < 0.001);
    match machine.fake() {
        Some(agent) => agent.edit_guest(|guest| guest.logins.clear()),
        None => drop(machine.run_script(RECORD, "8").await),
    }
    assert!(guest.users().await.unwrap().is_empty());
}
