use qga_testserver::{Power, Profile, TestMachine};
use serde_json::{Value, json};

use super::{Qmp, shut_down, tell_agent};

/// What the events SHUTDOWN and RESET tell.
fn told(guest: bool, reason: &str) -> Value {
    json!({"guest": guest, "reason": reason})
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_of_the_guest_closes_its_port_is_told_and_ends_both_sockets() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let mut agent = shut_down(&machine, "powerdown").await;
    qmp.port(false).await;
    let event = qmp.event().await;
    assert_eq!(event["event"], "SHUTDOWN");
    assert_eq!(event["data"], told(true, "guest-shutdown"));
    qmp.end().await;
    assert_eq!(agent.rest().await, "");
    assert!(!machine.monitor_path().exists());
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_switched_on_again_boots_and_has_a_monitor() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    shut_down(&machine, "powerdown").await;
    qmp.port(false).await;
    qmp.events(&["SHUTDOWN"]).await;
    qmp.end().await;
    machine.power_on().await;
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.status().await, "running");
    qmp.port(true).await;
}

#[tokio::test(start_paused = true)]
async fn with_no_shutdown_qemu_stays_and_only_a_reset_lets_it_go_on() {
    let machine = TestMachine::start().await;
    machine.no_shutdown();
    let mut qmp = Qmp::connect(&machine).await;
    let mut agent = shut_down(&machine, "powerdown").await;
    qmp.port(false).await;
    qmp.events(&["SHUTDOWN", "STOP"]).await;
    assert_eq!(qmp.status().await, "shutdown");
    assert_eq!(
        qmp.get("cont").await,
        "Resetting the Virtual Machine is required"
    );
    agent.silence().await;
    assert_eq!(qmp.get("system_reset").await, json!({}));
    assert_eq!(
        qmp.event().await["data"],
        told(false, "host-qmp-system-reset")
    );
    qmp.events(&["RESET"]).await;
    assert_eq!(qmp.status().await, "prelaunch");
    assert_eq!(qmp.get("cont").await, json!({}));
    qmp.events(&["RESUME"]).await;
    qmp.port(true).await;
    assert_eq!(
        agent.ask("{\"execute\":\"guest-ping\"}").await,
        "{\"return\": {}}\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_halt_closes_the_port_and_the_machine_runs_on() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let _agent = shut_down(&machine, "halt").await;
    qmp.port(false).await;
    assert_eq!(qmp.status().await, "running");
    qmp.wire.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_reboot_is_told_several_times_and_the_port_opens_again() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let mut agent = shut_down(&machine, "reboot").await;
    qmp.port(false).await;
    for _ in 0..2 {
        let event = qmp.event().await;
        assert_eq!(event["event"], "RESET");
        assert_eq!(event["data"], told(true, "guest-reset"));
    }
    qmp.port(true).await;
    assert_eq!(qmp.status().await, "running");
    assert_eq!(
        agent.ask("{\"execute\":\"guest-ping\"}").await,
        "{\"return\": {}}\n"
    );
}

#[tokio::test(start_paused = true)]
async fn with_no_reboot_a_reboot_is_the_end() {
    let machine = TestMachine::start().await;
    machine.no_reboot();
    let mut qmp = Qmp::connect(&machine).await;
    shut_down(&machine, "reboot").await;
    qmp.port(false).await;
    let event = qmp.event().await;
    assert_eq!(event["event"], "SHUTDOWN");
    assert_eq!(event["data"], told(true, "guest-reset"));
    qmp.end().await;
}

#[tokio::test(start_paused = true)]
async fn with_no_reboot_a_reset_is_the_end() {
    let machine = TestMachine::start().await;
    machine.no_reboot();
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.get("system_reset").await, json!({}));
    let event = qmp.event().await;
    assert_eq!(event["event"], "SHUTDOWN");
    assert_eq!(event["data"], told(false, "host-qmp-system-reset"));
    qmp.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_happens_though_its_client_has_left() {
    let machine = TestMachine::start().await;
    machine
        .agent()
        .edit_guest(|guest| guest.stop_milliseconds = 2000);
    let mut qmp = Qmp::connect(&machine).await;
    drop(shut_down(&machine, "powerdown").await);
    qmp.port(false).await;
    qmp.events(&["SHUTDOWN"]).await;
    qmp.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_power_button_is_told_and_the_guest_shuts_down_unless_it_ignores_it() {
    let machine = TestMachine::start().await;
    machine.ignore_power_button();
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.get("system_powerdown").await, json!({}));
    qmp.events(&["POWERDOWN"]).await;
    qmp.wire.silence().await;
    assert_eq!(qmp.status().await, "running");

    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.get("system_powerdown").await, json!({}));
    qmp.events(&["POWERDOWN"]).await;
    qmp.port(false).await;
    assert_eq!(qmp.event().await["data"], told(true, "guest-shutdown"));
    qmp.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_by_the_host_is_told_before_its_reply() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.get("system_reset").await, json!({}));
    assert_eq!(qmp.events.len(), 3);
    qmp.port(false).await;
    assert_eq!(
        qmp.event().await["data"],
        told(false, "host-qmp-system-reset")
    );
    assert_eq!(qmp.event().await["data"], told(true, "guest-reset"));
    qmp.port(true).await;
}

#[tokio::test(start_paused = true)]
async fn quit_and_sigterm_are_told_and_sigkill_is_not() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.get("quit").await, json!({}));
    assert_eq!(qmp.event().await["data"], told(false, "host-qmp-quit"));
    qmp.end().await;

    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.terminate();
    assert_eq!(qmp.event().await["data"], told(false, "host-signal"));
    qmp.end().await;
    assert!(!machine.monitor_path().exists());

    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.kill().await;
    qmp.end().await;
    let refused = tokio::net::UnixStream::connect(machine.monitor_path()).await;
    assert_eq!(
        refused.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    machine.power_on().await;
    assert_eq!(Qmp::connect(&machine).await.status().await, "running");
}

#[tokio::test(start_paused = true)]
async fn a_quit_ends_qemu_though_it_is_not_to_shut_down() {
    let machine = TestMachine::start().await;
    machine.no_shutdown();
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.get("quit").await, json!({}));
    qmp.events(&["SHUTDOWN"]).await;
    qmp.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_suspended_guest_is_woken_by_the_monitor_and_then_answers() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let awake = "Unable to wake up: guest is not in suspended state";
    assert_eq!(qmp.get("system_wakeup").await, awake);
    let mut agent = tell_agent(&machine, json!({"execute": "guest-suspend-ram"})).await;
    qmp.port(false).await;
    qmp.events(&["SUSPEND"]).await;
    assert_eq!(qmp.status().await, "suspended");
    agent.send("{\"execute\":\"guest-ping\"}").await;
    agent.silence().await;
    assert_eq!(qmp.get("cont").await, json!({}));
    assert_eq!(qmp.status().await, "suspended");
    assert_eq!(qmp.get("system_wakeup").await, json!({}));
    assert_eq!(qmp.event().await["event"], "WAKEUP");
    qmp.port(true).await;
    assert_eq!(agent.line().await, "{\"return\": {}}\n");
    assert_eq!(qmp.status().await, "running");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_sleeps_is_paused_since_9_0() {
    for (version, status, events) in [
        (Profile::Qemu7_2, "suspended", &[][..]),
        (Profile::Qemu10_0, "paused", &["STOP"][..]),
    ] {
        let machine = TestMachine::start().await;
        machine.version(version);
        let mut qmp = Qmp::connect(&machine).await;
        tell_agent(&machine, json!({"execute": "guest-suspend-ram"})).await;
        qmp.port(false).await;
        qmp.events(&["SUSPEND"]).await;
        assert_eq!(qmp.get("stop").await, json!({}));
        assert_eq!(qmp.status().await, status);
        assert_eq!(qmp.events.len(), events.len());
        qmp.events(events).await;
        assert_eq!(qmp.get("cont").await, json!({}));
        assert_eq!(qmp.status().await, "suspended");
        assert_eq!(qmp.events.len(), events.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_while_suspended_needs_to_be_let_run() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    tell_agent(&machine, json!({"execute": "guest-suspend-ram"})).await;
    qmp.port(false).await;
    qmp.events(&["SUSPEND"]).await;
    assert_eq!(qmp.get("system_reset").await, json!({}));
    qmp.events(&["RESET", "RESET"]).await;
    assert_eq!(qmp.status().await, "prelaunch");
    assert_eq!(qmp.get("cont").await, json!({}));
    qmp.events(&["RESUME"]).await;
    qmp.port(true).await;
}

#[tokio::test(start_paused = true)]
async fn hibernation_is_told_as_such_and_as_a_shutdown() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    tell_agent(&machine, json!({"execute": "guest-suspend-disk"})).await;
    qmp.port(false).await;
    qmp.events(&["SUSPEND_DISK"]).await;
    assert_eq!(qmp.event().await["data"], told(true, "guest-shutdown"));
    qmp.end().await;
}

#[tokio::test(start_paused = true)]
async fn stop_and_cont_hold_the_agent_and_are_told_once() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.get("stop").await, json!({}));
    assert_eq!(qmp.get("stop").await, json!({}));
    assert_eq!(qmp.status().await, "paused");
    let mut agent = tell_agent(&machine, json!({"execute": "guest-ping"})).await;
    agent.silence().await;
    assert_eq!(qmp.get("query-chardev").await[2]["frontend-open"], true);
    assert_eq!(qmp.get("cont").await, json!({}));
    assert_eq!(qmp.get("cont").await, json!({}));
    assert_eq!(agent.line().await, "{\"return\": {}}\n");
    qmp.events(&["STOP", "RESUME"]).await;
    qmp.wire.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_waits_for_cont_boots_then() {
    let machine = TestMachine::start().await;
    machine.wait_for_cont();
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.status().await, "prelaunch");
    let mut agent = tell_agent(&machine, json!({"execute": "guest-ping"})).await;
    agent.silence().await;
    assert_eq!(qmp.get("cont").await, json!({}));
    qmp.events(&["RESUME"]).await;
    agent.silence().await;
    qmp.port(true).await;
    assert_eq!(agent.line().await, "{\"return\": {}}\n");
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_qemu_unless_it_is_told_otherwise() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.panic();
    let event = qmp.event().await;
    assert_eq!(event["event"], "GUEST_PANICKED");
    assert_eq!(event["data"], json!({"action": "poweroff"}));
    assert_eq!(qmp.event().await["data"], told(true, "guest-panic"));
    qmp.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_stands_still_after_a_panic_has_its_port_open() {
    for by_command in [true, false] {
        let machine = TestMachine::start().await;
        let mut qmp = Qmp::connect(&machine).await;
        if by_command {
            let action = json!({"panic": "pause", "reboot": "shutdown", "shutdown": "pause"});
            assert_eq!(qmp.call("set-action", action).await, json!({}));
        } else {
            machine.no_shutdown();
        }
        machine.panic();
        assert_eq!(qmp.event().await["data"], json!({"action": "pause"}));
        qmp.events(&["STOP"]).await;
        assert_eq!(qmp.status().await, "guest-panicked");
        assert_eq!(machine.agent().machine().borrow().power, Power::Panicked);
        assert_eq!(qmp.get("query-chardev").await[2]["frontend-open"], true);
        let mut agent = tell_agent(&machine, json!({"execute": "guest-ping"})).await;
        agent.silence().await;
        assert_eq!(qmp.get("cont").await, json!({}));
        qmp.events(&["RESUME"]).await;
        assert_eq!(qmp.status().await, "running");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_is_to_be_ignored_is_told_and_the_machine_runs_on() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    qmp.call("set-action", json!({"panic": "none"})).await;
    machine.panic();
    assert_eq!(qmp.event().await["data"], json!({"action": "run"}));
    assert_eq!(qmp.status().await, "running");
    assert_eq!(qmp.get("query-chardev").await[2]["frontend-open"], true);
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_nobody_tells_leaves_an_agent_that_does_not_answer() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.panic_untold();
    qmp.wire.silence().await;
    assert_eq!(qmp.status().await, "running");
    assert_eq!(qmp.get("query-chardev").await[2]["frontend-open"], true);
    let mut agent = tell_agent(&machine, json!({"execute": "guest-ping"})).await;
    agent.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_of_the_host_lets_the_machine_stand_still_until_there_is_room() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.fill_disk();
    for _ in 0..2 {
        let event = qmp.event().await;
        assert_eq!(event["event"], "BLOCK_IO_ERROR");
        assert_eq!(event["data"]["nospace"], true);
        assert_eq!(event["data"]["action"], "stop");
        assert_eq!(event["data"]["device"], "drive0");
    }
    qmp.events(&["STOP"]).await;
    assert_eq!(qmp.status().await, "io-error");
    assert_eq!(machine.agent().machine().borrow().power, Power::Stalled);
    assert_eq!(qmp.get("query-block").await[0]["io-status"], "nospace");
    let mut agent = tell_agent(&machine, json!({"execute": "guest-ping"})).await;
    agent.silence().await;

    assert_eq!(qmp.get("cont").await, json!({}));
    qmp.events(&["RESUME", "BLOCK_IO_ERROR", "BLOCK_IO_ERROR", "STOP"])
        .await;
    machine.free_disk();
    assert_eq!(qmp.get("cont").await, json!({}));
    qmp.events(&["RESUME"]).await;
    assert_eq!(agent.line().await, "{\"return\": {}}\n");
    assert_eq!(qmp.get("query-block").await[0]["io-status"], "ok");
}

#[tokio::test(start_paused = true)]
async fn an_action_that_is_not_known_is_refused_and_nothing_is_changed() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let refused = qmp
        .call("set-action", json!({"reboot": "shutdown", "panic": "cry"}))
        .await;
    assert_eq!(refused, "Parameter 'panic' does not accept value 'cry'");
    qmp.get("system_reset").await;
    qmp.port(false).await;
    qmp.events(&["RESET"]).await;
}
