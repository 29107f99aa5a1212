//! How a run has gone, in numbers and in words.

use crate::{Ping, answering};
use qga_core::fleet::FailureKind;
use qga_core::{Client, Fleet};
use qga_testserver::{Fault, TestAgent};

#[tokio::test(start_paused = true)]
async fn each_failure_is_counted_by_its_kind() {
    let (_, agents) = answering(9);
    agents[0].on("guest-ping").fault(Fault::no_answer());
    agents[1].on("guest-ping").fault(Fault::close_before());
    agents[2].disable("guest-ping");
    agents[3].on("guest-ping").error("GenericError", "no");
    agents[4].on("guest-ping").fault(Fault::garbage("{]\n"));
    for command in ["guest-sync", "guest-sync-delimited"] {
        agents[5].disable(command);
    }
    let mut clients: Vec<_> = agents
        .iter()
        .map(TestAgent::connect)
        .map(Client::new)
        .collect();
    clients[6] = Client::builder()
        .deny(["guest-ping"])
        .build(agents[6].connect());
    let guests = clients.into_iter().enumerate();
    let fleet = Fleet::clients(guests.map(|(number, client)| (format!("vm{number}"), client)));
    let mut run = fleet.run(|client| async move { client.execute(Ping).await });
    assert_eq!(run.summary().outstanding(), 9);
    while run.next().await.is_some() {}
    let summary = run.summary();
    let expected = [
        (FailureKind::Timeout, 1),
        (FailureKind::Closed, 1),
        (FailureKind::Refused, 2),
        (FailureKind::NotAllowed, 1),
        (FailureKind::AgentError, 1),
        (FailureKind::BadReply, 1),
    ];
    assert_eq!(summary.failures().collect::<Vec<_>>(), expected);
    assert_eq!((summary.answered(), summary.outstanding()), (2, 0));
    assert_eq!(
        summary.to_string(),
        "2 of 9 guests answered; 7 failed: 1 timed out, 1 closed the channel, 2 refused, \
         1 not allowed by the client, 1 with an error in the guest, 1 with a bad reply"
    );
}

#[tokio::test(start_paused = true)]
async fn a_summary_says_how_many_are_outstanding_and_how_many_were_not_asked() {
    let fleet = Fleet::new(["/no/such/guest.sock"; 5]);
    let fleet = fleet.concurrency(2).stop_after(2);
    let mut run = fleet.run(|_| async { Ok(()) });
    let texts = [
        "0 of 5 guests answered; 5 are outstanding",
        "0 of 5 guests answered; 1 failed: 1 not reached; 4 are outstanding",
        "0 of 5 guests answered; 2 failed: 2 not reached; 2 were not asked; 1 is outstanding",
        "0 of 5 guests answered; 3 failed: 3 not reached; 2 were not asked",
    ];
    for text in texts {
        assert_eq!(run.summary().to_string(), text);
        run.next().await;
    }
    assert_eq!(
        Fleet::new([""])
            .run(|_| async { Ok(()) })
            .summary()
            .guests(),
        1
    );
}
