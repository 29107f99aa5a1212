//! What the host knows of the machine makes a client quicker, and never slower.

use std::time::Duration;

use crate::host::{Door, Host};
use crate::support::{Ping, QUICK};
use qga_core::{Client, MachineState, Power};
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
