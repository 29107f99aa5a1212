//! Names of guests.

use qga_testserver::{DomainState, LibvirtDaemon, TestAgent};
use serde_json::{Value, json};

use crate::support::{config, ended, guest, qga, run};

#[tokio::test]
async fn a_name_of_the_configuration_stands_for_an_address() {
    let (agent, address) = guest().await;
    agent.edit_guest(|guest| guest.host_name = "web1".into());
    let (_folder, config) = config(&format!("[guests]\nweb1 = '{address}'\n"));
    let named = run(&["--config", &config, "cat", "web1", "/etc/hostname"]).await;
    assert_eq!(named.code, 0, "{}", named.stderr);
    let copied = run(&["--config", &config, "cp", "web1:/etc/hostname", "-"]).await;
    assert_eq!(copied.stdout, named.stdout);
    let unknown = run(&["--config", &config, "ping", "web2"]).await;
    assert_eq!(unknown.code, 125);
    assert!(unknown.stderr.contains("web1"), "{}", unknown.stderr);
    let listed = run(&["--config", &config, "list"]).await;
    assert!(listed.has_row(&["web1", &address]), "{}", listed.stdout);
}

#[tokio::test]
async fn a_configuration_that_makes_no_sense_is_told_with_its_path() {
    let (_folder, config) = config("[guests\n");
    let run = run(&["--config", &config, "ping", "fake"]).await;
    assert_eq!(run.code, 125);
    assert!(run.stderr.contains(&config), "{}", run.stderr);
    let missing = crate::support::run(&["--config", "/none/config.toml", "ping", "fake"]).await;
    assert_eq!(missing.code, 125);
}

#[tokio::test]
async fn libvirts_domains_are_listed_with_their_states() {
    let agent = TestAgent::start().await;
    let daemon = LibvirtDaemon::start();
    daemon.domain("vm1", &agent);
    daemon.domain("vm2", &agent);
    daemon.set_state("vm2", DomainState::Off);
    daemon.domain_without_channel("vm3");
    let runtime = tempfile::tempdir().unwrap();
    let folder = runtime.path().join("libvirt");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(daemon.path(), folder.join("libvirt-sock")).unwrap();
    let (_folder, config) = config("[guests]\nweb = 'libvirt:///session/vm1'\n");
    let list = async |args: &[&str]| {
        let mut list = qga(&[&["--config", &config, "list"], args].concat());
        list.env("XDG_RUNTIME_DIR", runtime.path());
        let listed = ended(list.output().await.unwrap());
        assert_eq!(listed.code, 0, "{}", listed.stderr);
        listed.stdout
    };
    let text = list(&[]).await;
    let line = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(
        line("web").unwrap(),
        "web libvirt:///session/vm1 running agent"
    );
    assert_eq!(line("vm1"), None, "it is listed by its name");
    assert_eq!(
        line("vm2").unwrap(),
        "vm2 libvirt:///session/vm2 off no agent"
    );
    assert!(
        line("vm3")
            .unwrap()
            .ends_with("running no channel for an agent")
    );
    let value: Value = serde_json::from_str(&list(&["-o", "json"]).await).unwrap();
    let web = json!({
        "name": "web", "address": "libvirt:///session/vm1", "state": "running", "agent": "agent", "holder": "",
    });
    assert_eq!(value["guests"][0], web);
}

#[tokio::test]
async fn a_mistake_in_the_configuration_is_told_in_one_line_with_its_place() {
    for (text, words) in [
        (
            "[guests]\nweb1 = 5\n",
            ": line 2 makes no sense: invalid type",
        ),
        ("guest = 1\n\n[guests", ": line 3 makes no sense: "),
        (
            "[guests]\nweb1 = 'a:b'\n[nonsense]\n",
            ": line 3 makes no sense: unknown field",
        ),
    ] {
        let (_folder, config) = config(text);
        let run = run(&["--config", &config, "ping", "web1"]).await;
        assert_eq!(run.code, 125);
        assert!(
            run.stderr.contains(&format!("{config}{words}")),
            "{}",
            run.stderr
        );
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert!(!run.stderr.contains("\\u{a}"), "{}", run.stderr);
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_does_no_harm_to_who_needs_no_name() {
    let home = tempfile::tempdir().unwrap();
    // A folder cannot be read, also not by root.
    let path = home.path().join(".config/qga/config.toml");
    std::fs::create_dir_all(&path).unwrap();
    let home = home.path().to_str().unwrap();
    let in_home = async |home: &str, word: &str| {
        let mut ping = qga(&["ping", word]);
        ended(ping.env("HOME", home).output().await.unwrap())
    };
    assert_eq!(in_home(home, "fake").await.code, 0);
    let named = in_home(home, "web1").await;
    let words = format!("{} cannot be read", path.display());
    assert!(named.stderr.contains(&words), "{}", named.stderr);
    // A user without a home has a file in its place.
    assert_eq!(in_home("/dev/null", "fake").await.code, 0);
    let named = in_home("/dev/null", "web1").await;
    assert!(named.stderr.contains("has no guests"), "{}", named.stderr);
}

#[tokio::test]
async fn what_a_name_stands_for_is_an_address_as_on_the_command_line() {
    let text = "[guests]\ndemo = 'fake'\nbad = 'nonsense'\nfile = '/none/qga.sock'\n\
                [groups]\nall = ['demo']\nnone = []\n";
    let (_folder, config) = config(text);
    let told = async |words: &[&str]| run(&[&["--config", &config], words].concat()).await;
    assert_eq!(told(&["ping", "demo"]).await.code, 0);
    for (words, told_words) in [
        (
            &["ping", "bad"][..],
            "bad is at \"nonsense\", which is no address",
        ),
        (&["ping", "file"], "unix:/none/qga.sock"),
        (&["ping", "all"], "qga each all -- SUBCOMMAND"),
        (
            &["each", "none", "--", "ping"],
            "the group \"none\" has no guests",
        ),
        (&["each", "*", "--", "ping"], "bad is at \"nonsense\""),
        (&["ping", ""], "the guest's name is empty"),
    ] {
        let run = told(words).await;
        assert_eq!(run.code, 125, "{words:?}: {}", run.stderr);
        assert!(run.stderr.contains(told_words), "{words:?}: {}", run.stderr);
    }
}
