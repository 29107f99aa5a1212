//! What the host knows of the machine makes a client quicker, and never slower.

use std::sync::Arc;
use std::time::Duration;

use crate::host::{Door, Host};
use crate::support::{Ping, QUICK};
use qga_core::{Answering, Client, MachineState, MachineWatch, MessageTransport, Power};
use tokio::sync::watch;
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(1000);

/// A client whose channel was lost and cannot be opened, in the middle of a long pause.
async fn paused() -> (Host, Client, watch::Sender<MachineState>) {
    let (events, machine) = watch::channel(MachineState::new());
    let (host, client) = Host::lost(&[Door::Refuses], |builder| {
        let builder = builder.options(QUICK.timeout(LONG));
        builder.machine(&machine).pauses(LONG..=LONG)
    })
    .await;
    while client.execute(Ping).await.unwrap_err().retry_after() < Some(LONG / 4) {}
    (host, client, events)
}

fn opens(events: &watch::Sender<MachineState>) {
    events.send_modify(|state| state.port_is_open = Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_when_the_guest_opens_the_port_of_its_agent() {
    let (host, client, events) = paused().await;
    host.doors(&[Door::Agent]);
    client.execute(Ping).await.unwrap_err();
    opens(&events);
    client.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_port_that_was_opened_ends_a_pause_although_its_source_has_ended() {
    let (host, client, events) = paused().await;
    host.doors(&[Door::Agent]);
    opens(&events);
    drop(events);
    client.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_channel_goes_on_when_the_port_is_opened() {
    let (host, client, events) = paused().await;
    let patient = client.with_options(client.options().wait_for_channel(true));
    let task = tokio::spawn(async move {
        let answer = patient.execute(Ping).await;
        (answer, Instant::now())
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    host.doors(&[Door::Agent]);
    let start = Instant::now();
    opens(&events);
    let (answer, end) = task.await.unwrap();
    answer.unwrap();
    assert_eq!(end, start);
}

#[tokio::test(start_paused = true)]
async fn other_news_does_not_end_a_pause() {
    let (host, client, events) = paused().await;
    host.doors(&[Door::Agent]);
    let before = host.reopened();
    events.send_modify(|state| state.power = Power::Running);
    events.send_modify(|state| state.port_is_open = Some(false));
    client.execute(Ping).await.unwrap_err();
    assert_eq!(host.reopened(), before);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_has_ended_or_is_wrong_keeps_nothing_from_being_done() {
    for is_over in [false, true] {
        let (host, client, events) = paused().await;
        events.send_modify(|state| {
            state.power = Power::Off;
            state.port_is_open = Some(false);
        });
        if is_over {
            drop(events);
        }
        host.doors(&[Door::Agent]);
        let patient = client.options().wait_for_channel(true);
        client.with_options(patient).execute(Ping).await.unwrap();
    }
}

/// A transport that answers everything, and hears what the host tells.
struct Told(watch::Receiver<MachineState>);

impl MessageTransport for Told {
    fn call<'a>(&'a mut self, request: &'a [u8], _: std::time::Instant) -> Answering<'a> {
        Box::pin(async move {
            let request: serde_json::Value = serde_json::from_slice(request).unwrap();
            let reply = serde_json::json!({"return": {}, "id": request["id"]});
            Ok(reply.to_string().into())
        })
    }

    fn machine(&self) -> Option<Arc<dyn MachineWatch>> {
        Some(Arc::new(self.0.clone()))
    }
}

fn told_by_its_transport(
    events: &watch::Sender<MachineState>,
    builder: qga_core::ClientBuilder,
) -> Client {
    builder.build_messages(Told(events.subscribe()))
}

#[tokio::test]
async fn what_a_transport_tells_of_its_machine_is_what_the_client_knows() {
    let (events, _) = watch::channel(MachineState::new());
    let client = told_by_its_transport(&events, Client::builder());
    events.send_modify(|state| state.power = Power::Paused);
    assert_eq!(client.machine().unwrap().borrow().power, Power::Paused);
}

#[tokio::test]
async fn a_transport_that_is_opened_later_tells_from_then_on() {
    let (events, machine) = watch::channel(MachineState::new());
    let client = Client::builder()
        .scheme_messages("told", move |_| {
            let machine = machine.clone();
            async { Ok(Told(machine)) }
        })
        .connect_lazy("told:vm1")
        .unwrap();
    assert!(client.machine().is_none());
    client.execute(Ping).await.unwrap();
    events.send_modify(|state| state.power = Power::Paused);
    assert_eq!(client.machine().unwrap().borrow().power, Power::Paused);
}

#[tokio::test]
async fn a_transport_is_not_listened_to_before_somebody_wants_to_know() {
    let (events, machine) = watch::channel(MachineState::new());
    let client = told_by_its_transport(&events, Client::builder());
    drop(machine);
    let before = events.receiver_count();
    client.execute(Ping).await.unwrap();
    client.sync().await.unwrap();
    assert_eq!(events.receiver_count(), before);
    let wanted = client.machine();
    assert_eq!(events.receiver_count(), before + 1);
    drop(wanted);
    assert_eq!(events.receiver_count(), before);
}

#[tokio::test]
async fn a_source_that_the_client_was_told_of_comes_before_its_transports() {
    let (events, _) = watch::channel(MachineState::new());
    let (own, machine) = watch::channel(MachineState::new());
    let client = told_by_its_transport(&events, Client::builder().machine(&machine));
    events.send_modify(|state| state.power = Power::Paused);
    own.send_modify(|state| state.power = Power::Suspended);
    let known = client.machine().unwrap().borrow().power;
    assert_eq!(known, Power::Suspended);
}
