//! A command that waits for the agent of a machine that does not run ends before its time, and says why.

use std::sync::Arc;
use std::time::Duration;

use crate::host::{Door, Host};
use crate::support::{Echo, GetHostName, Peer, Ping, QUICK, Shutdown, echo};
use qga_core::{
    Answering, Client, Error, Execution, MachineState, MachineWatch, MessageTransport, NoReply,
    Options, Power, Stage,
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const LONG: Duration = Duration::from_secs(1000);
const PATIENCE: Duration = Duration::from_secs(3);
const STOPPED: [Power; 5] = [
    Power::Off,
    Power::Panicked,
    Power::Suspended,
    Power::Paused,
    Power::Stalled,
];

type Events = watch::Sender<MachineState>;

/// A client that is told of its machine, and the other end of its channel.
fn told(options: Options) -> (Client, Peer, Events) {
    let (events, machine) = watch::channel(MachineState::new());
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let builder = Client::builder().machine(&machine).options(options);
    (builder.build(ours), Peer::over(theirs), events)
}

/// The same, and it has synchronized.
async fn synced() -> (Client, Peer, Events) {
    let (client, mut peer, events) = told(QUICK.timeout(LONG));
    let (synced, ()) = tokio::join!(client.sync(), peer.sync());
    synced.unwrap();
    (client, peer, events)
}

fn becomes(events: &Events, power: Power) {
    events.send_modify(|state| state.power = power);
}

/// Asks for a host's name, and says when that ended and how.
fn ask(client: &Client) -> JoinHandle<(Error, Instant)> {
    let client = client.clone();
    tokio::spawn(async move {
        let failed = client.execute(GetHostName).await.unwrap_err();
        (failed, Instant::now())
    })
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_an_answer_ends_when_the_machine_has_stopped_and_says_which_way() {
    for power in STOPPED {
        let (client, mut peer, events) = synced().await;
        let asked = ask(&client);
        peer.request().await;
        sleep(Duration::from_secs(5)).await;
        let start = Instant::now();
        becomes(&events, power);
        let (error, end) = asked.await.unwrap();
        assert_eq!(error.machine_stopped(), Some(power), "{error}");
        assert_eq!(error.execution(), Execution::MaybeRun);
        assert_eq!(error.stage(), Stage::Receive);
        assert_eq!(error.command(), Some("guest-get-host-name"));
        assert!(error.to_string().contains(&power.to_string()), "{error}");
        assert_eq!(end - start, PATIENCE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_did_not_run_before_is_waited_for_as_long() {
    for power in STOPPED {
        let (client, mut peer, events) = synced().await;
        becomes(&events, power);
        sleep(LONG).await;
        let start = Instant::now();
        let asked = ask(&client);
        peer.request().await;
        let (error, end) = asked.await.unwrap();
        assert_eq!(error.machine_stopped(), Some(power));
        assert_eq!(end - start, PATIENCE);
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_command_synchronizes_and_no_late_answer_goes_to_it() {
    let (client, mut peer, events) = synced().await;
    let asked = ask(&client);
    let request = peer.request().await;
    becomes(&events, Power::Paused);
    asked.await.unwrap();
    becomes(&events, Power::Running);
    peer.send(crate::support::reply(
        &request,
        &json!({"host-name": "late"}),
    ))
    .await;
    let (echoed, ()) = tokio::join!(client.execute(echo("x")), async {
        peer.sync().await;
        peer.answer_echo().await;
    });
    assert_eq!(echoed.unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_arrived_counts_whatever_the_machine_is() {
    for power in STOPPED {
        let (client, mut peer, events) = synced().await;
        becomes(&events, power);
        let (answered, ()) = tokio::join!(client.execute(echo("x")), peer.answer_echo());
        assert_eq!(answered.unwrap(), "x");

        // It came at the very moment at which the wait would end.
        let asking = client.clone();
        let asked = tokio::spawn(async move { asking.execute(echo("y")).await });
        let request = peer.request().await;
        sleep(PATIENCE * 999 / 1000).await;
        peer.send(crate::support::reply(&request, &json!("y")))
            .await;
        assert_eq!(asked.await.unwrap().unwrap(), "y");
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_goes_on_soon_enough_ends_nothing() {
    let (client, mut peer, events) = synced().await;
    let asking = client.clone();
    let asked = tokio::spawn(async move { asking.execute(echo("x")).await });
    let request = peer.request().await;
    for _ in 0..5 {
        becomes(&events, Power::Paused);
        sleep(PATIENCE * 3 / 4).await;
        becomes(&events, Power::Running);
        sleep(PATIENCE / 4).await;
    }
    becomes(&events, Power::Unknown);
    sleep(LONG / 2).await;
    peer.send(crate::support::reply(&request, &json!("x")))
        .await;
    assert_eq!(asked.await.unwrap().unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_stops_in_one_way_after_another_has_stopped_since_the_first() {
    let (client, mut peer, events) = synced().await;
    let asked = ask(&client);
    peer.request().await;
    let start = Instant::now();
    becomes(&events, Power::Paused);
    sleep(PATIENCE / 2).await;
    becomes(&events, Power::Off);
    let (error, end) = asked.await.unwrap();
    assert_eq!(error.machine_stopped(), Some(Power::Off));
    assert_eq!(end - start, PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn how_long_a_machine_is_waited_for_can_be_set() {
    let (client, mut peer, events) = synced().await;
    becomes(&events, Power::Stalled);
    let at_once = client.with_options(client.options().machine_timeout(Duration::ZERO));
    let start = Instant::now();
    let asked = ask(&at_once);
    peer.request().await;
    let (error, end) = asked.await.unwrap();
    assert_eq!(
        (error.machine_stopped(), end),
        (Some(Power::Stalled), start)
    );

    let never = QUICK.machine_timeout(Duration::MAX);
    let error = client.with_options(never).execute(Ping).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_has_not_run() {
    for power in STOPPED {
        let (client, mut peer, events) = told(QUICK.timeout(LONG));
        becomes(&events, power);
        let asked = ask(&client);
        assert_eq!(peer.request().await["execute"], "guest-sync-delimited");
        let (error, _) = asked.await.unwrap();
        assert_eq!(error.machine_stopped(), Some(power));
        assert_eq!(error.execution(), Execution::NotRun);
        assert_eq!(error.stage(), Stage::Sync);
        assert_eq!(
            client.sync().await.unwrap_err().machine_stopped(),
            Some(power)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_hopes_for_silence_is_no_failure_when_the_machine_stops() {
    for power in STOPPED {
        let (client, mut peer, events) = synced().await;
        let asking = client.with_options(QUICK.timeout(LONG).grace(LONG / 10));
        let asked = tokio::spawn(async move { asking.execute(Shutdown).await });
        peer.request().await;
        becomes(&events, power);
        sleep(PATIENCE * 5).await;
        assert!(!asked.is_finished());
        drop(peer);
        assert_eq!(asked.await.unwrap().unwrap(), NoReply::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn all_commands_of_a_pipeline_end_and_say_whether_they_may_have_run() {
    let (client, mut peer, events) = synced().await;
    let start = Instant::now();
    let mut pipeline = client.pipeline((0..4).map(echo)).in_flight(2);
    let asked = tokio::spawn(async move {
        let mut results = Vec::new();
        while let Some(result) = pipeline.next().await {
            results.push(result.unwrap_err());
        }
        (results, Instant::now())
    });
    peer.request().await;
    becomes(&events, Power::Panicked);
    let (errors, end) = asked.await.unwrap();
    assert_eq!(errors[0].machine_stopped(), Some(Power::Panicked));
    assert_eq!(errors[1].execution(), Execution::MaybeRun);
    assert_eq!((errors.len(), end - start), (2, PATIENCE));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_channel_does_not_wait_for_a_machine_that_is_off() {
    for door in [
        Door::Refuses,
        Door::HangsUp,
        Door::Silent,
        Door::OpensAfter(LONG),
    ] {
        let (events, machine) = watch::channel(MachineState::new());
        let (host, client) = Host::lost(&[door], |builder| {
            let options = QUICK.timeout(LONG).wait_for_channel(true);
            builder.machine(&machine).options(options)
        })
        .await;
        let asked = ask(&client);
        sleep(LONG / 10).await;
        let start = Instant::now();
        becomes(&events, Power::Off);
        let (error, end) = asked.await.unwrap();
        assert_eq!(
            error.machine_stopped(),
            Some(Power::Off),
            "{door:?}: {error}"
        );
        assert_eq!(error.execution(), Execution::NotRun);
        assert!(end - start <= PATIENCE, "{door:?}: {:?}", end - start);

        // It is not the channel's failure, and the machine may be back at any time.
        becomes(&events, Power::Running);
        events.send_modify(|state| state.port_is_open = Some(true));
        host.doors(&[Door::Agent]);
        client.execute(Ping).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_the_channel_was_lost_may_have_run() {
    let (events, machine) = watch::channel(MachineState::new());
    let (host, client) = Host::client(&[Door::Refuses], |builder| {
        let options = QUICK.timeout(LONG).wait_for_channel(true);
        builder.machine(&machine).options(options)
    })
    .await;
    host.goes_mute();
    let asked = ask(&client);
    sleep(Duration::from_secs(1)).await;
    becomes(&events, Power::Off);
    host.hang_up().await;
    let (error, _) = asked.await.unwrap();
    assert_eq!(error.execution(), Execution::MaybeRun, "{error}");
}

#[tokio::test(start_paused = true)]
async fn connecting_ends_when_the_machine_is_off() {
    for door in [Door::Silent, Door::OpensAfter(LONG)] {
        let (events, machine) = watch::channel(MachineState::new());
        becomes(&events, Power::Off);
        let host = Host::default();
        host.doors(&[door]);
        let builder = Client::builder().machine(&machine).connect_timeout(LONG);
        let start = Instant::now();
        let error = host.connect(builder).await.unwrap_err();
        assert_eq!(error.machine_stopped(), Some(Power::Off), "{door:?}");
        assert_eq!(start.elapsed(), PATIENCE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_has_ended_still_counts_for_what_it_said_last() {
    let (client, mut peer, events) = synced().await;
    becomes(&events, Power::Off);
    drop(events);
    let asked = ask(&client);
    peer.request().await;
    let (error, _) = asked.await.unwrap();
    assert_eq!(error.machine_stopped(), Some(Power::Off));

    let (client, mut peer, events) = synced().await;
    drop(events);
    let asked = ask(&client);
    peer.request().await;
    assert!(asked.await.unwrap().0.is_timeout());
}

/// A transport of messages that never answers, and hears what the host tells.
struct Silent(Arc<watch::Receiver<MachineState>>);

impl MessageTransport for Silent {
    fn call<'a>(&'a mut self, _: &'a [u8], _: std::time::Instant) -> Answering<'a> {
        Box::pin(std::future::pending())
    }

    fn machine(&self) -> Option<Arc<dyn MachineWatch>> {
        Some(self.0.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_of_messages_is_listened_to_by_who_waits_for_long() {
    for power in STOPPED {
        let (events, machine) = watch::channel(MachineState::new());
        let options = QUICK.timeout(LONG);
        let client = Client::builder()
            .options(options)
            .build_messages(Silent(Arc::new(machine)));
        let before = events.receiver_count();
        let asked = ask(&client);
        sleep(Duration::from_millis(999)).await;
        assert_eq!(events.receiver_count(), before);
        sleep(Duration::from_millis(2)).await;
        assert_eq!(events.receiver_count(), before + 1);
        becomes(&events, power);
        let (error, _) = asked.await.unwrap();
        assert_eq!(error.machine_stopped(), Some(power));
        assert_eq!(error.execution(), Execution::MaybeRun);
        assert_eq!(events.receiver_count(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_of_messages_is_not_cut_off_while_it_carries_what_hopes_for_silence() {
    let (events, machine) = watch::channel(MachineState::new());
    let options = QUICK.timeout(LONG).grace(LONG / 10);
    let client = Client::builder()
        .options(options)
        .build_messages(Silent(Arc::new(machine)));
    becomes(&events, Power::Off);
    assert_eq!(client.execute(Shutdown).await.unwrap(), NoReply::Silent);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_dropped_leaves_nothing_that_ends_the_next_one() {
    let (client, mut peer, events) = synced().await;
    becomes(&events, Power::Paused);
    let dropped = tokio::time::timeout(PATIENCE / 2, client.execute(GetHostName)).await;
    assert!(dropped.is_err());
    let start = Instant::now();
    let (_, end) = ask(&client).await.unwrap();
    assert_eq!(end - start, PATIENCE);
    let _: (Echo, Value) = (echo("unused"), peer.request().await);
}
