//! Commands and their replies.

use std::time::Duration;

use qga_core::{ErrorKind, Execution, Stage};
use qga_qmp::Monitor;
use qga_qmp::commands::object::{Yank, YankInstance, YankInstanceChardev};
use qga_qmp::commands::power::Stop;
use qga_qmp::commands::status::{QueryName, QueryStatus, RunState};
use serde_json::json;

use crate::peer::pair;

#[tokio::test(start_paused = true)]
async fn a_command_is_answered() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let serve = async {
        peer.begin().await;
        peer.serve(
            "query-status",
            r#"{"status": "running", "singlestep": false, "running": true}"#,
        )
        .await;
    };
    let (status, ()) = tokio::join!(monitor.execute(QueryStatus), serve);
    assert_eq!(status.unwrap().status, RunState::Running);
    assert_eq!(monitor.version().unwrap().major, 10);
}

#[tokio::test(start_paused = true)]
async fn commands_are_on_their_way_together_and_replies_find_their_own() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let serve = async {
        peer.begin().await;
        let (first, second) = (peer.request().await, peer.request().await);
        assert_eq!(first["execute"], "query-status");
        peer.reply(&second, r#"{"name": "vm1"}"#).await;
        peer.reply(&first, r#"{"status": "paused", "running": false}"#)
            .await;
    };
    let (status, name, ()) = tokio::join!(
        monitor.execute(QueryStatus),
        monitor.execute(QueryName),
        serve
    );
    assert_eq!(status.unwrap().status, RunState::Paused);
    assert_eq!(name.unwrap().name.as_deref(), Some("vm1"));
}

#[tokio::test(start_paused = true)]
async fn objects_may_be_spread_over_lines() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let serve = async {
        peer.send("{\n    \"QMP\": {\n        \"capabilities\": [\n        ]\n    }\n}")
            .await;
        let request = peer.request().await;
        let id = &request["id"];
        peer.send(&format!(
            "{{\n    \"return\": {{\n    }},\n    \"id\": {id}\n}}"
        ))
        .await;
        let request = peer.request().await;
        let id = &request["id"];
        peer.send(&format!(
            "{{\n    \"return\": {{\n        \"name\": \"vm1\"\n    }},\n    \"id\": {id}\n}}"
        ))
        .await;
    };
    let (name, ()) = tokio::join!(monitor.execute(QueryName), serve);
    assert_eq!(name.unwrap().name.as_deref(), Some("vm1"));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_qemu_is_that_of_the_command_and_a_refusal_has_not_run() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let serve = async {
        peer.begin().await;
        let request = peer.request().await;
        peer.fail(
            &request,
            "CommandNotFound",
            "The command nope has not been found",
        )
        .await;
        let request = peer.request().await;
        peer.fail(&request, "GenericError", "no").await;
    };
    let ask = async {
        let refused = monitor.execute_raw("nope", None).await.unwrap_err();
        (refused, monitor.execute(Stop).await.unwrap_err())
    };
    let ((refused, failed), ()) = tokio::join!(ask, serve);
    assert!(refused.is_command_not_found());
    assert_eq!(refused.execution(), Execution::NotRun);
    assert_eq!(refused.command(), Some("nope"));
    assert_eq!(failed.execution(), Execution::Answered);
    assert_eq!(failed.to_string(), "stop: no (GenericError)");
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_another_shape_says_where() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let serve = async {
        peer.begin().await;
        peer.serve("query-status", r#"{"status": 3, "running": true}"#)
            .await;
    };
    let (error, ()) = tokio::join!(monitor.execute(QueryStatus), serve);
    assert_eq!(error.unwrap_err().decode_error().unwrap().path(), "status");
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_goes_to_nobody_and_the_next_command_works() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::builder()
        .timeout(Duration::from_secs(1))
        .build(stream);
    let serve = async {
        peer.begin().await;
        let late = peer.request().await;
        let next = peer.request().await;
        peer.reply(&late, r#"{"name": "late"}"#).await;
        peer.reply(&next, r#"{"name": "next"}"#).await;
    };
    let ask = async {
        let error = monitor.execute(QueryName).await.unwrap_err();
        (error, monitor.execute(QueryName).await.unwrap())
    };
    let ((error, name), ()) = tokio::join!(ask, serve);
    assert!(error.is_timeout());
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Receive, Execution::MaybeRun)
    );
    assert_eq!(name.name.as_deref(), Some("next"));
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_its_turn_until_its_time_is_up_has_not_run() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::builder()
        .timeout(Duration::from_secs(1))
        .build(stream);
    let hang = async {
        peer.begin().await;
        for _ in 0..4 {
            peer.request().await;
        }
        std::future::pending::<()>().await;
    };
    let ask = async {
        tokio::join!(
            monitor.execute(QueryName),
            monitor.execute(QueryName),
            monitor.execute(QueryName),
            monitor.execute(QueryName),
            monitor.execute(QueryName),
        )
        .4
        .unwrap_err()
    };
    let error = tokio::select! { error = ask => error, () = hang => unreachable!() };
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Queue, Execution::NotRun)
    );
}

#[tokio::test(start_paused = true)]
async fn a_dropped_command_disturbs_no_other() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let serve = async {
        peer.begin().await;
        let dropped = peer.request().await;
        let kept = peer.request().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        peer.reply(&dropped, r#"{"name": "dropped"}"#).await;
        peer.reply(&kept, r#"{"name": "kept"}"#).await;
    };
    let drop_one = tokio::time::timeout(Duration::from_secs(1), monitor.execute(QueryName));
    let (dropped, kept, ()) = tokio::join!(drop_one, monitor.execute(QueryName), serve);
    assert!(dropped.is_err());
    assert_eq!(kept.unwrap().name.as_deref(), Some("kept"));
}

/// Whoever was polled last is gone when the reply comes.
#[tokio::test]
async fn one_who_waits_is_woken_though_another_who_has_read_last_is_gone() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let waits = tokio::spawn({
        let monitor = monitor.clone();
        async move { monitor.execute(QueryName).await }
    });
    peer.begin().await;
    let request = peer.request().await;
    let reads_last = tokio::spawn({
        let monitor = monitor.clone();
        async move { monitor.execute(QueryStatus).await }
    });
    peer.request().await;
    reads_last.abort();
    assert!(reads_last.await.unwrap_err().is_cancelled());
    peer.reply(&request, r#"{"name": "vm1"}"#).await;
    assert_eq!(waits.await.unwrap().unwrap().name.as_deref(), Some("vm1"));
}

#[tokio::test(start_paused = true)]
async fn what_goes_out_of_band_does_not_wait_for_others() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let chardev = YankInstance::Chardev(YankInstanceChardev::new("qga0"));
    let yank = Yank::new([chardev]);
    let (connected, ()) = tokio::join!(monitor.connected(), peer.begin());
    connected.unwrap();
    let serve = async {
        let slow = peer.request().await;
        let yank = peer.request().await;
        assert_eq!(
            (&yank["exec-oob"], &yank["arguments"]),
            (
                &json!("yank"),
                &json!({"instances": [{"type": "chardev", "id": "qga0"}]})
            )
        );
        peer.reply(&yank, "{}").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        peer.reply(&slow, "{}").await;
    };
    let begun = tokio::time::Instant::now();
    let yank = async {
        monitor.execute_oob(yank).await.unwrap();
        begun.elapsed()
    };
    let (slow, took, ()) = tokio::join!(monitor.execute_raw("slow", None), yank, serve);
    slow.unwrap();
    assert!(took < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_qemu_tells_each_command_whether_it_may_have_run() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let serve = async {
        peer.begin().await;
        for _ in 0..4 {
            peer.request().await;
        }
        drop(peer);
    };
    let (a, b, c, d, queued, ()) = tokio::join!(
        monitor.execute(QueryName),
        monitor.execute(QueryName),
        monitor.execute(QueryName),
        monitor.execute(QueryName),
        monitor.execute(QueryName),
        serve,
    );
    for sent in [a, b, c, d] {
        let error = sent.unwrap_err();
        assert!(error.is_closed());
        assert_eq!(error.execution(), Execution::MaybeRun);
    }
    let error = queued.unwrap_err();
    assert!(error.is_closed());
    assert_eq!(error.execution(), Execution::NotRun);
    let later = monitor.execute(QueryName).await.unwrap_err();
    assert!(later.is_closed());
    assert_eq!(later.execution(), Execution::NotRun);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_never_rests_does_not_keep_a_command_from_its_deadline() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::builder()
        .timeout(Duration::from_millis(50))
        .build(stream);
    let flood = async {
        peer.begin().await;
        loop {
            peer.event("NOISE", "{}").await;
            tokio::task::yield_now().await;
        }
    };
    // The clock goes on by itself here.
    tokio::time::resume();
    let error = tokio::select! { asked = monitor.execute(QueryName) => asked.unwrap_err(), () = flood => unreachable!() };
    assert!(error.is_timeout());
}

#[tokio::test(start_paused = true)]
async fn nonsense_ends_the_connection_and_is_quoted() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let serve = async {
        peer.begin().await;
        peer.request().await;
        peer.send("SSH-2.0-OpenSSH_9.2").await;
    };
    let (error, ()) = tokio::join!(monitor.execute(QueryName), serve);
    let error = error.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Malformed { .. }));
    assert!(error.to_string().contains("SSH-2.0-OpenSSH_9.2"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_handle_with_a_deadline_has_it_for_all_its_commands() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream).within(Duration::from_secs(3));
    let serve = async {
        peer.begin().await;
        let request = peer.request().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        peer.reply(&request, "{}").await;
        std::future::pending::<()>().await;
    };
    let ask = async {
        monitor.execute(QueryName).await.unwrap();
        let second = monitor.execute(QueryName).await.unwrap_err();
        (second, monitor.execute(QueryName).await.unwrap_err())
    };
    let (second, third) = tokio::select! { errors = ask => errors, () = serve => unreachable!() };
    assert!(second.is_deadline());
    assert_eq!(second.execution(), Execution::MaybeRun);
    assert!(third.is_deadline());
    assert_eq!(third.execution(), Execution::NotRun);
}

#[tokio::test(start_paused = true)]
async fn the_longest_times_that_can_be_written_are_no_panic() {
    let (stream, mut peer) = pair();
    let builder = Monitor::builder();
    let builder = builder
        .timeout(Duration::MAX)
        .connect_timeout(Duration::MAX);
    let monitor = builder.build(stream).within(Duration::MAX);
    let serve = async {
        peer.begin().await;
        peer.serve("query-name", r#"{"name": "vm1"}"#).await;
    };
    let (name, ()) = tokio::join!(monitor.execute(QueryName), serve);
    assert_eq!(name.unwrap().name.as_deref(), Some("vm1"));
}
