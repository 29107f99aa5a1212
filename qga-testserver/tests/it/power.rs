use std::time::Duration;

use qga_testserver::Power;
use serde_json::json;
use tokio::time::Instant;

use crate::caller::Caller;
use crate::wire::Wire;

const PING: &str = "{\"execute\":\"guest-ping\"}";
const PONG: &str = "{\"return\": {}}\n";

fn shutdown(mode: &str) -> String {
    json!({"execute": "guest-shutdown", "arguments": {"mode": mode}}).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_closes_the_channel_for_good_until_the_guest_is_switched_on() {
    let mut caller = Caller::new();
    caller.client.send("{\"execute\":\"guest-shutdown\"}").await;
    assert_eq!(caller.client.rest().await, "");
    let mut late = Wire::new(caller.agent.connect());
    assert_eq!(late.rest().await, "");
    caller.agent.wake();
    let mut next = Wire::new(caller.agent.connect());
    assert_eq!(next.ask(PING).await, PONG);
}

#[tokio::test(start_paused = true)]
async fn a_reboot_is_silent_for_a_while_and_then_answers_what_was_queued() {
    let mut caller = Caller::new();
    let open = json!({"path": "/etc/hostname"});
    assert_eq!(caller.call("guest-file-open", open).await, 1000);
    let start = Instant::now();
    caller.client.send(shutdown("reboot")).await;
    assert_eq!(caller.client.ask(PING).await, PONG);
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    let gone = caller
        .call("guest-file-close", json!({"handle": 1000}))
        .await;
    assert_eq!(gone, "handle '1000' has not been found");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_guest_is_silent_until_it_is_woken() {
    let mut caller = Caller::new();
    for command in ["guest-suspend-ram", "guest-suspend-hybrid"] {
        caller
            .client
            .send(json!({"execute": command}).to_string())
            .await;
        caller.client.send(PING).await;
        caller.client.silence().await;
        assert_eq!(host_view(&caller), (Power::Suspended, 0, false));
        caller.agent.wake();
        assert_eq!(caller.client.line().await, PONG);
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_was_saved_to_its_disk_is_off_and_goes_on_as_it_was() {
    let mut caller = Caller::new();
    let open = json!({"path": "/etc/hostname"});
    assert_eq!(caller.call("guest-file-open", open).await, 1000);
    let suspend = json!({"execute": "guest-suspend-disk"}).to_string();
    caller.client.send(suspend).await;
    assert_eq!(caller.client.rest().await, "");
    assert_eq!(host_view(&caller), (Power::Off, 0, false));
    caller.agent.wake();
    caller.client = Wire::new(caller.agent.connect());
    let close = json!({"handle": 1000});
    assert_eq!(caller.call("guest-file-close", close).await, json!({}));

    // What was saved is used once.
    caller.client.send(shutdown("powerdown")).await;
    caller.client.rest().await;
    caller.agent.wake();
    caller.client = Wire::new(caller.agent.connect());
    let gone = caller.call("guest-file-close", json!({"handle": 1000}));
    assert!(gone.await.is_string());
}

#[tokio::test(start_paused = true)]
async fn what_was_saved_to_the_disk_is_gone_after_a_reset() {
    let mut caller = Caller::new();
    let suspend = json!({"execute": "guest-suspend-disk"}).to_string();
    caller.client.send(suspend).await;
    caller.client.rest().await;
    caller.agent.reboot();
    caller.client = Wire::new(caller.agent.connect());
    let open = json!({"path": "/etc/hostname"});
    assert_eq!(caller.call("guest-file-open", open).await, 1000);

    caller.client.send(shutdown("powerdown")).await;
    caller.client.rest().await;
    caller.agent.wake();
    caller.client = Wire::new(caller.agent.connect());
    let gone = caller.call("guest-file-close", json!({"handle": 1000}));
    assert!(gone.await.is_string());
}

#[tokio::test(start_paused = true)]
async fn nothing_but_its_host_lets_a_paused_machine_run_on() {
    let caller = Caller::new();
    caller.agent.pause();
    caller.agent.wake();
    assert_eq!(host_view(&caller).0, Power::Paused);
    caller.agent.resume();
    assert_eq!(host_view(&caller).0, Power::On);
}

#[tokio::test(start_paused = true)]
async fn a_halted_guest_keeps_the_channel_open_and_silent_and_only_a_reset_helps() {
    let mut caller = Caller::new();
    let open = json!({"path": "/etc/hostname"});
    assert_eq!(caller.call("guest-file-open", open).await, 1000);
    caller.client.send(shutdown("halt") + PING).await;
    caller.client.silence().await;
    assert_eq!(host_view(&caller), (Power::Halted, 0, false));
    caller.agent.wake();
    assert_eq!(caller.client.line().await, PONG);
    assert_eq!(host_view(&caller), (Power::On, 1, true));
    let close = json!({"handle": 1000});
    assert!(caller.call("guest-file-close", close).await.is_string());
}

/// What the guest's host sees of it.
fn host_view(caller: &Caller) -> (Power, u64, bool) {
    let view = *caller.agent.machine().borrow();
    (view.power, view.resets, view.port_is_open)
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_in_an_unknown_mode_is_an_error() {
    let mut caller = Caller::new();
    let reply = caller.client.ask(shutdown("sideways")).await;
    assert!(reply.contains("mode is invalid"), "{reply}");
    assert_eq!(caller.client.ask(PING).await, PONG);
}

#[tokio::test(start_paused = true)]
async fn an_agent_may_answer_for_a_while_before_the_guest_goes() {
    let mut caller = Caller::new();
    caller
        .agent
        .edit_guest(|guest| guest.stop_milliseconds = 2000);
    caller.client.send(shutdown("powerdown")).await;
    let start = Instant::now();
    assert_eq!(caller.client.ask(PING).await, PONG);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(caller.client.rest().await, "");
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_reset_makes_an_end_of_a_shutdown_that_is_under_way() {
    let mut caller = Caller::new();
    let agent = &caller.agent;
    agent.edit_guest(|guest| guest.stop_milliseconds = 2000);
    caller.client.send(shutdown("powerdown")).await;
    assert_eq!(caller.client.ask(PING).await, PONG);
    caller.agent.reboot();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(caller.client.ask(PING).await, PONG);
}

/// What another client does after a start.
async fn first_numbers(caller: &mut Caller) -> [serde_json::Value; 2] {
    let open = json!({"path": "/etc/hostname"});
    let exec = json!({"path": "sleep", "arg": ["9"]});
    [
        caller.call("guest-file-open", open).await,
        caller.call("guest-exec", exec).await["pid"].clone(),
    ]
}

/// The boot's id and the agent's own line in /proc.
fn names(caller: &Caller) -> [Vec<u8>; 2] {
    let paths = ["/proc/sys/kernel/random/boot_id", "/proc/self/stat"];
    paths.map(|path| caller.agent.file_content(path).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_counting_and_a_reboot_begins_anew() {
    let mut caller = Caller::new();
    assert_eq!(first_numbers(&mut caller).await, [1000, 1001]);
    let [boot, agent] = names(&caller);

    caller.agent.restart();
    assert!(caller.agent.running_processes().is_empty() && caller.agent.open_handles().is_empty());
    let read = json!({"handle": 1000});
    let gone = caller.call("guest-file-read", read).await;
    assert_eq!(gone, "handle '1000' has not been found");
    assert_eq!(first_numbers(&mut caller).await, [1001, 1002]);
    let [boot_then, agent_then] = names(&caller);
    assert!(boot_then == boot && agent_then != agent);

    caller.agent.reboot();
    assert_eq!(first_numbers(&mut caller).await, [1000, 1001]);
    let [boot_now, agent_now] = names(&caller);
    assert!(boot_now != boot && agent_now != agent_then);
    let text = String::from_utf8(boot_now).unwrap();
    let parts: Vec<_> = text.trim_end().split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "{text}");
    let text = String::from_utf8(agent_now).unwrap();
    assert_eq!(text.split(' ').count(), 52, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_reboot_loses_what_was_not_written_out_and_thaws() {
    let mut caller = Caller::new();
    let open = json!({"path": "/tmp/x", "mode": "w"});
    let handle = caller.call("guest-file-open", open).await;
    let write = json!({"handle": handle, "buf-b64": "YWJj"});
    caller.call("guest-file-write", write).await;
    caller.agent.edit_guest(|guest| {
        guest.frozen = true;
        guest.vcpus[1].online = false;
    });
    caller.agent.reboot();
    assert!(caller.agent.guest().vcpus[1].online);
    assert_eq!(caller.agent.file_content("/tmp/x").unwrap(), b"");
    assert_eq!(caller.get("guest-fsfreeze-status").await, "thawed");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_was_switched_on_again_begins_anew() {
    for is_reboot in [false, true] {
        let mut caller = Caller::new();
        first_numbers(&mut caller).await;
        if is_reboot {
            caller.client.send(shutdown("reboot")).await;
        } else {
            caller.client.send(shutdown("powerdown")).await;
            caller.client.rest().await;
            caller.agent.wake();
            caller.client = Wire::new(caller.agent.connect());
        }
        assert_eq!(first_numbers(&mut caller).await, [1000, 1001]);
    }
}

#[tokio::test(start_paused = true)]
async fn only_linux_names_its_boots() {
    use qga_testserver::Profile;
    for profile in [Profile::Windows, Profile::FreeBsd] {
        let mut caller = Caller::new();
        caller.agent.profile(profile);
        caller.agent.reboot();
        let open = json!({"path": "/proc/sys/kernel/random/boot_id"});
        assert!(caller.call("guest-file-open", open).await.is_string());
    }
}
