use qga_testserver::Profile;
use serde_json::Value;

use crate::caller::Caller;

/// The names of the commands that may be used, in the order of the list.
async fn enabled(profile: Profile) -> Vec<String> {
    let mut caller = Caller::new();
    caller.agent.profile(profile);
    let info = caller.get("guest-info").await;
    let commands = info["supported_commands"].as_array().unwrap().iter();
    let enabled = commands.filter(|command| command["enabled"] == true);
    let name = |command: &Value| command["name"].as_str().unwrap().to_owned();
    enabled.map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn each_profile_has_its_commands() {
    let cases = [
        (
            Profile::Qemu3_1,
            35,
            vec!["guest-exec"],
            vec!["guest-get-disks"],
        ),
        (
            Profile::Qemu7_2,
            41,
            vec!["guest-get-disks"],
            vec!["guest-get-load"],
        ),
        (
            Profile::Qemu10_0,
            43,
            vec!["guest-get-load"],
            vec!["guest-get-devices"],
        ),
        (
            Profile::Qemu11_1,
            43,
            vec!["guest-network-get-route"],
            vec!["guest-get-devices"],
        ),
        (
            Profile::Rhel9,
            34,
            vec!["guest-ping"],
            vec!["guest-exec", "guest-file-read"],
        ),
        (
            Profile::Windows,
            37,
            vec!["guest-get-devices"],
            vec!["guest-set-vcpus"],
        ),
        (
            Profile::FreeBsd,
            28,
            vec!["guest-exec"],
            vec!["guest-get-fsinfo"],
        ),
    ];
    for (profile, count, there, missing) in cases {
        let names = enabled(profile).await;
        assert_eq!(names.len(), count, "{profile}: {names:?}");
        assert!(
            there
                .iter()
                .all(|name| names.iter().any(|there| there == name))
        );
        assert!(
            !missing
                .iter()
                .any(|name| names.iter().any(|there| there == name))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_before_4_0_gives_no_id_back() {
    let mut caller = Caller::new();
    caller.agent.profile(Profile::Qemu3_1);
    let reply = caller
        .client
        .ask("{\"execute\":\"guest-ping\",\"id\":1}")
        .await;
    assert_eq!(reply, "{\"return\": {}}\n");
}

#[tokio::test(start_paused = true)]
async fn each_version_refuses_in_its_own_class_and_words() {
    let blocked = "Command guest-exec has been disabled: the command is not allowed";
    for (profile, class, disabled, frozen) in [
        (
            Profile::Qemu3_1,
            "GenericError",
            "The command guest-exec has been disabled for this instance",
            "The command guest-exec has been disabled for this instance",
        ),
        (
            Profile::Qemu7_2,
            "CommandNotFound",
            "Command guest-exec has been disabled",
            "Command guest-exec has been disabled: the agent is in frozen state",
        ),
        (Profile::Qemu10_0, "CommandNotFound", blocked, blocked),
        (Profile::Qemu11_1, "CommandNotFound", blocked, blocked),
    ] {
        for (is_frozen, wanted) in [(false, disabled), (true, frozen)] {
            let mut caller = Caller::new();
            caller.agent.profile(profile);
            caller.agent.edit_guest(|guest| guest.frozen = is_frozen);
            if !is_frozen {
                caller.agent.disable("guest-exec");
            }
            let reply = caller.client.ask("{\"execute\":\"guest-exec\"}").await;
            let reply: Value = serde_json::from_str(&reply).unwrap();
            let wanted = serde_json::json!({"class": class, "desc": wanted});
            assert_eq!(reply["error"], wanted, "{profile}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_before_6_0_calls_a_value_that_it_does_not_know_a_parameter() {
    let mut caller = Caller::new();
    caller.agent.profile(Profile::Qemu3_1);
    let seek = serde_json::json!({"handle": 1, "offset": 0, "whence": "SET"});
    let refused = caller.call("guest-file-seek", seek).await;
    assert_eq!(refused, "Invalid parameter 'SET'");
}

#[tokio::test(start_paused = true)]
async fn each_system_has_its_own_words_for_a_file_that_cannot_be_opened() {
    for (profile, path, wanted) in [
        (
            Profile::Qemu3_1,
            "/none",
            "failed to open file '/none' (mode: 'r'): No such file or directory",
        ),
        (
            Profile::Windows,
            "/none",
            "failed to open file '/none': The system cannot find the file specified.",
        ),
        (
            Profile::FreeBsd,
            "/tmp/socket",
            "failed to open file '/tmp/socket' (mode: 'r'): Device not configured",
        ),
    ] {
        let mut caller = Caller::new();
        caller.agent.profile(profile);
        caller.agent.socket_file("/tmp/socket");
        let open = serde_json::json!({"path": path});
        let refused = caller.call("guest-file-open", open).await;
        assert_eq!(refused, wanted, "{profile}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_distribution_does_not_allow_is_refused_and_listed() {
    let mut caller = Caller::new();
    caller.agent.profile(Profile::Rhel9);
    let refused = "Command guest-exec has been disabled: the command is not allowed";
    assert_eq!(caller.get("guest-exec").await, refused);
}

#[tokio::test(start_paused = true)]
async fn a_block_wins_over_a_permission() {
    let mut caller = Caller::new();
    caller.agent.allow_only(&["guest-ping", "guest-sync"]);
    caller.agent.disable("guest-ping");
    for (command, refused) in [("guest-ping", true), ("guest-get-time", true)] {
        let reply = caller.get(command).await;
        assert_eq!(reply.is_string(), refused, "{command}");
    }
    let reply = caller.get("guest-sync").await;
    assert_eq!(reply, "Parameter 'id' is missing");
}

#[tokio::test(start_paused = true)]
async fn a_guest_has_the_system_of_its_profile_unless_the_test_said_otherwise() {
    let mut caller = Caller::new();
    caller.agent.profile(Profile::Windows);
    assert_eq!(caller.get("guest-get-osinfo").await["id"], "mswindows");
    assert_eq!(
        caller.get("guest-get-devices").await[0]["id"]["type"],
        "pci"
    );
    let mut caller = Caller::new();
    caller
        .agent
        .edit_guest(|guest| guest.host_name = "mine".into());
    caller.agent.profile(Profile::FreeBsd);
    assert_eq!(caller.get("guest-get-osinfo").await["id"], "debian");
}

#[test]
fn profiles_are_named_for_the_command_line() {
    for name in Profile::names() {
        assert_eq!(name.parse::<Profile>().unwrap().to_string(), name);
    }
    assert!(
        "1.0"
            .parse::<Profile>()
            .unwrap_err()
            .to_string()
            .contains("there is no profile `1.0`")
    );
}

/// The profile that claims to be this version, or else one of the same minor version.
#[cfg(unix)]
async fn profile_of(version: &str) -> Option<Profile> {
    let (minor, _) = version.rsplit_once('.').unwrap();
    let mut of_minor = None;
    for name in Profile::names() {
        let profile: Profile = name.parse().unwrap();
        let told = version_of(profile).await;
        if matches!(profile, Profile::Windows | Profile::FreeBsd) {
            continue;
        }
        if told == version {
            return Some(profile);
        }
        if told.starts_with(&format!("{minor}.")) {
            of_minor = Some(profile);
        }
    }
    of_minor
}

#[cfg(unix)]
async fn version_of(profile: Profile) -> String {
    let mut caller = Caller::new();
    caller.agent.profile(profile);
    let info = caller.get("guest-info").await;
    info["version"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
#[tokio::test]
async fn the_fake_lists_the_commands_of_a_real_agent_of_its_version() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let Some(profile) = profile_of(agent.version()).await else {
        real_agents::leave_out(&agent, "the fake has no profile of it");
        return;
    };
    let stream = tokio::net::UnixStream::connect(agent.path()).await.unwrap();
    let request = "{\"execute\":\"guest-info\"}";
    let told = crate::wire::Wire::new(stream).ask(request).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let mut caller = Caller::new();
    caller.agent.profile(profile);
    for command in real_agents::HARMFUL {
        caller.agent.disable(command);
    }
    let info = caller.get("guest-info").await;
    assert_eq!(
        info["supported_commands"],
        told["return"]["supported_commands"],
        "{profile} and qemu-ga {}",
        agent.version()
    );
}
