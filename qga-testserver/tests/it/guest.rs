use std::time::Duration;

use qga_testserver::{Account, Filesystem, Guest, Interface, Login, Password, Profile, Vcpu};
use serde_json::{Value, json};

use crate::caller::Caller;

#[tokio::test(start_paused = true)]
async fn what_a_test_sets_up_is_what_the_commands_tell() {
    let mut caller = Caller::new();
    caller.agent.edit_guest(|guest| {
        guest.host_name = "db1".into();
        guest.timezone.offset = -18000;
        guest.os.id = Some("alpine".into());
        guest.logins = vec![Login::new("eve", 1.5)];
        guest.interfaces = vec![Interface::new("lan", "00:01", &["10.0.0.1/8"])];
        guest.filesystems = vec![Filesystem::new("vdz", "/data", "xfs", 9)];
        guest.load.load5m = 2.0;
    });
    assert_eq!(
        caller.get("guest-get-host-name").await,
        json!({"host-name": "db1"})
    );
    assert_eq!(caller.get("guest-get-timezone").await["offset"], -18000);
    assert_eq!(caller.get("guest-get-osinfo").await["id"], "alpine");
    assert_eq!(
        caller.get("guest-get-users").await,
        json!([{"user": "eve", "login-time": 1.5}])
    );
    let lan = &caller.get("guest-network-get-interfaces").await[0];
    assert_eq!(lan["ip-addresses"][0]["prefix"], 8);
    let data = &caller.get("guest-get-fsinfo").await[0];
    assert_eq!(data["mountpoint"], "/data");
    assert_eq!(data["disk"][0]["pci-controller"]["slot"], 9);
    let load = caller.client.ask("{\"execute\":\"guest-get-load\"}").await;
    assert_eq!(
        load,
        "{\"return\": {\"load15m\": 0.125, \"load5m\": 2, \"load1m\": 0.5}}\n"
    );
}

#[tokio::test(start_paused = true)]
async fn the_numbers_of_ipv6_routes_go_beyond_a_signed_integer() {
    let mut caller = Caller::new();
    let routes = caller.get("guest-network-get-route").await;
    let flags = routes
        .as_array()
        .unwrap()
        .iter()
        .map(|route| &route["flags"]);
    assert!(
        flags
            .max_by_key(|flags| flags.as_u64())
            .unwrap()
            .as_i64()
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn a_frozen_guest_refuses_all_but_a_few_commands_until_it_is_thawed() {
    let mut caller = Caller::new();
    assert_eq!(caller.get("guest-fsfreeze-freeze").await, 2);
    assert!(caller.agent.guest().filesystems.iter().all(|fs| fs.frozen));
    assert_eq!(caller.get("guest-fsfreeze-status").await, "frozen");
    assert_eq!(caller.get("guest-ping").await, json!({}));
    let refused = "Command guest-get-time has been disabled: the command is not allowed";
    assert_eq!(caller.get("guest-get-time").await, refused);
    let info = caller.get("guest-info").await;
    let commands = info["supported_commands"].as_array().unwrap();
    let enabled = commands.iter().filter(|command| command["enabled"] == true);
    assert_eq!(enabled.count(), 6);
    assert_eq!(caller.get("guest-fsfreeze-thaw").await, 2);
    assert_eq!(caller.get("guest-fsfreeze-thaw").await, 0);
    assert!(caller.get("guest-get-time").await.is_i64());
}

#[tokio::test(start_paused = true)]
async fn an_old_agent_says_that_it_is_frozen_and_keeps_to_its_block_list() {
    let mut caller = Caller::new();
    caller.agent.profile(Profile::Qemu7_2);
    caller.agent.disable("guest-ping");
    caller.agent.edit_guest(|guest| guest.frozen = true);
    assert_eq!(
        caller.get("guest-ping").await,
        "Command guest-ping has been disabled"
    );
    let refused = "Command guest-get-time has been disabled: the agent is in frozen state";
    assert_eq!(caller.get("guest-get-time").await, refused);
    caller.agent.profile(Profile::Qemu10_0);
    assert_eq!(caller.get("guest-ping").await, json!({}));
}

#[tokio::test(start_paused = true)]
async fn each_device_that_can_be_frozen_and_is_not_yet_is_counted_once() {
    let mut caller = Caller::new();
    caller.agent.edit_guest(|guest| {
        guest.filesystems.extend([
            Filesystem::new("vda2", "/boot/efi", "vfat", 2),
            Filesystem::new("vdb", "/again", "xfs", 3),
        ]);
    });
    let only = |point: &str| json!({"mountpoints": [point]});
    let list = "guest-fsfreeze-freeze-list";
    assert_eq!(caller.call(list, only("/boot/efi")).await, 0);
    assert_eq!(caller.get("guest-fsfreeze-status").await, "thawed");
    assert_eq!(caller.call(list, only("/again")).await, 1);
    assert_eq!(caller.get("guest-fsfreeze-thaw").await, 1);
    assert_eq!(caller.get("guest-fsfreeze-freeze").await, 2);
    assert_eq!(caller.get("guest-fsfreeze-thaw").await, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_frozen_already_is_not_counted_and_is_thawed_with_the_rest() {
    let mut caller = Caller::new();
    let freeze_srv = |guest: &mut Guest| guest.filesystems[1].frozen = true;
    caller.agent.edit_guest(freeze_srv);
    assert_eq!(caller.get("guest-fsfreeze-status").await, "thawed");
    assert_eq!(caller.get("guest-fsfreeze-freeze").await, 1);
    assert_eq!(caller.get("guest-fsfreeze-thaw").await, 2);
    caller.agent.edit_guest(freeze_srv);
    assert_eq!(caller.get("guest-fsfreeze-thaw").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_filesystem_that_cannot_be_frozen_thaws_the_others() {
    let mut caller = Caller::new();
    caller.agent.edit_guest(|guest| {
        guest.filesystems[1].freeze_error = Some("Input/output error".into());
    });
    let failed = "failed to freeze /srv: Input/output error";
    assert_eq!(caller.get("guest-fsfreeze-freeze").await, failed);
    assert_eq!(caller.get("guest-fsfreeze-status").await, "thawed");
    let one = json!({"mountpoints": ["/", "/none"]});
    assert_eq!(caller.call("guest-fsfreeze-freeze-list", one).await, 1);
}

#[tokio::test(start_paused = true)]
async fn keys_and_passwords_can_be_looked_into() {
    let mut caller = Caller::new();
    let add = json!({"username": "test", "keys": ["ssh-rsa A", "ssh-rsa B", "ssh-rsa A"]});
    assert_eq!(
        caller.call("guest-ssh-add-authorized-keys", add).await,
        json!({})
    );
    assert_eq!(
        caller.agent.authorized_keys("test"),
        ["ssh-rsa A", "ssh-rsa B"]
    );
    let keys = caller.call("guest-ssh-get-authorized-keys", json!({"username": "test"}));
    assert_eq!(keys.await, json!({"keys": ["ssh-rsa B", "ssh-rsa A"]}));
    let set = json!({"username": "test", "password": "c2VjcmV0", "crypted": false});
    assert_eq!(caller.call("guest-set-user-password", set).await, json!({}));
    let guest = caller.agent.guest();
    let password = guest.account("test").unwrap().password.clone();
    assert_eq!(password, Some(Password::new("secret", false)));
}

#[tokio::test(start_paused = true)]
async fn processors_go_offline_up_to_the_first_that_cannot() {
    let mut caller = Caller::new();
    caller
        .agent
        .edit_guest(|guest| guest.vcpus.push(Vcpu::new(2, true)));
    let cpu = |id: i64, online: bool| json!({"logical-id": id, "online": online});
    let set = json!({"vcpus": [cpu(1, false), cpu(0, false), cpu(2, false)]});
    assert_eq!(caller.call("guest-set-vcpus", set).await, 1);
    let online: Vec<_> = caller
        .agent
        .guest()
        .vcpus
        .iter()
        .map(|cpu| cpu.online)
        .collect();
    assert_eq!(online, [true, false, true]);
    let first = json!({"vcpus": [cpu(0, false)]});
    let failed = "logical processor #0 can't be offlined";
    assert_eq!(caller.call("guest-set-vcpus", first).await, failed);
}

#[tokio::test(start_paused = true)]
async fn memory_blocks_answer_one_by_one() {
    let mut caller = Caller::new();
    let set = json!({"mem-blks": [
        {"phys-index": 1, "online": false}, {"phys-index": 99, "online": true},
    ]});
    let wanted = json!([
        {"phys-index": 1, "response": "success"}, {"phys-index": 99, "response": "not-found"},
    ]);
    assert_eq!(caller.call("guest-set-memory-blocks", set).await, wanted);
    assert!(!caller.agent.guest().memory_blocks[1].online);
}

#[tokio::test(start_paused = true)]
async fn the_clock_stands_where_it_is_set() {
    let mut caller = Caller::new();
    assert_eq!(
        caller.call("guest-set-time", json!({"time": 5})).await,
        json!({})
    );
    assert_eq!(caller.get("guest-get-time").await, 5);
    assert_eq!(caller.get("guest-set-time").await, json!({}));
    assert_eq!(caller.agent.guest().time, 5);
}

#[tokio::test(start_paused = true)]
async fn an_empty_password_is_not_taken() {
    let mut caller = Caller::new();
    let set = json!({"username": "test", "password": "", "crypted": false});
    let said = caller.call("guest-set-user-password", set).await;
    let said = said.as_str().unwrap();
    assert!(said.starts_with("child process has failed to set user password"));
    assert_eq!(caller.agent.guest().account("test").unwrap().password, None);
}

#[tokio::test(start_paused = true)]
async fn keys_end_without_a_newline_and_need_a_home() {
    let mut caller = Caller::new();
    caller.agent.edit_guest(|guest| {
        guest.accounts.push(Account::new("bob", "/srv/bob"));
    });
    let add = |user: &str| json!({"username": user, "keys": ["ssh-rsa A", "ssh-rsa B"]});
    let command = "guest-ssh-add-authorized-keys";
    assert_eq!(caller.call(command, add("test")).await, json!({}));
    let file = caller.agent.file_content("/home/test/.ssh/authorized_keys");
    assert_eq!(file.unwrap(), b"ssh-rsa A\nssh-rsa B");
    let said = "failed to create directory '/srv/bob/.ssh': No such file or directory";
    assert_eq!(caller.call(command, add("bob")).await, said);
    caller.agent.folder("/srv/bob");
    assert_eq!(caller.call(command, add("bob")).await, json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_trim_of_stretches_that_cannot_be_is_an_error_of_each_filesystem() {
    let mut caller = Caller::new();
    let group = 128_i64 << 20;
    let trimmed = caller
        .call("guest-fstrim", json!({"minimum": group + 1}))
        .await;
    let failed = json!({"path": "/", "error": "failed to trim: Invalid argument"});
    assert_eq!(trimmed["paths"][0], failed);
    assert_eq!(trimmed["paths"][1]["trimmed"], 1 << 20);
    let trimmed = caller.call("guest-fstrim", json!({"minimum": group})).await;
    assert_eq!(trimmed["paths"][0]["trimmed"], 1 << 20);
}

#[tokio::test(start_paused = true)]
async fn a_trim_gives_back_once() {
    let mut caller = Caller::new();
    let first = caller.call("guest-fstrim", json!({"minimum": 7})).await;
    assert_eq!(
        first["paths"][0],
        json!({"path": "/", "trimmed": 1 << 20, "minimum": 7})
    );
    assert_eq!(caller.get("guest-fstrim").await["paths"][0]["trimmed"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_filesystem_that_cannot_be_trimmed_says_so_and_the_others_are() {
    let mut caller = Caller::new();
    caller.agent.edit_guest(|guest| {
        guest.filesystems[0].trim_error = Some("trim not supported".into());
    });
    let paths = caller.get("guest-fstrim").await["paths"].clone();
    let failed = json!({"path": "/", "error": "trim not supported"});
    assert_eq!(paths[0], failed);
    assert_eq!(paths[1]["trimmed"], 1 << 20);
}

#[tokio::test(start_paused = true)]
async fn statistics_have_an_entry_for_each_disk_and_processor() {
    let mut caller = Caller::new();
    let disks = caller.get("guest-get-diskstats").await;
    let names: Vec<&Value> = disks
        .as_array()
        .unwrap()
        .iter()
        .map(|disk| &disk["name"])
        .collect();
    assert_eq!(names, ["vda", "vda1", "vdb"]);
    let cpus = caller.get("guest-get-cpustats").await;
    assert_eq!(cpus[1]["cpu"], 1);
    assert_eq!(cpus[1]["type"], "linux");
}

#[tokio::test(start_paused = true)]
async fn devices_pipes_sockets_and_links_behave_as_such() {
    let mut caller = Caller::new();
    caller.agent.fifo("/tmp/pipe");
    caller.agent.fifo("/tmp/fed-pipe");
    caller.agent.socket_file("/tmp/socket");
    caller.agent.symlink("/tmp/dangling", "/nowhere");
    caller.agent.symlink("/tmp/name", "/etc/hostname");
    caller.agent.symlink("/tmp/loop", "/tmp/loop");
    let refused = [
        ("/tmp/pipe", "w", "No such device or address"),
        ("/tmp/socket", "r", "No such device or address"),
        ("/tmp/dangling", "w", "No such file or directory"),
        ("/tmp/loop", "r", "Too many levels of symbolic links"),
    ];
    for (path, mode, why) in refused {
        let open = json!({"path": path, "mode": mode});
        let wanted = format!("failed to open file '{path}' (mode: '{mode}'): {why}");
        assert_eq!(caller.call("guest-file-open", open).await, wanted);
    }
    let read = [
        ("/tmp/name", json!("dGVzdC1ndWVzdAo=")),
        ("/dev/null", json!("")),
        ("/tmp/pipe", json!("")),
        ("/tmp/fed-pipe", json!(null)),
    ];
    for (path, wanted) in read {
        let mode = if path.contains("fed") { "r+" } else { "r" };
        let open = json!({"path": path, "mode": mode});
        let handle = caller.call("guest-file-open", open).await;
        let chunk = caller
            .call("guest-file-read", json!({"handle": handle}))
            .await;
        assert_eq!(chunk["buf-b64"], wanted, "{path}: {chunk}");
    }
}

#[tokio::test(start_paused = true)]
async fn windows_says_at_the_thaw_that_it_has_let_writes_go() {
    let mut caller = Caller::new();
    caller.agent.profile(Profile::Windows);
    for (seconds, answer) in [
        (9, json!(2)),
        (
            11,
            "couldn't hold writes: fsfreeze is limited up to 10 seconds".into(),
        ),
    ] {
        assert_eq!(caller.get("guest-fsfreeze-freeze").await, 2);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        assert_eq!(caller.get("guest-fsfreeze-status").await, "frozen");
        assert_eq!(caller.get("guest-fsfreeze-thaw").await, answer);
        assert_eq!(caller.get("guest-fsfreeze-status").await, "thawed");
    }
}
