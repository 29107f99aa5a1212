//! Transports of whole messages.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Ping, QUICK, Shutdown, echo};
use qga_core::{
    Answering, ChannelState, Client, Error, ErrorKind, Execution, MessageTransport, NoReply,
    QgaCommand, Stage, TransportError, TransportLimits,
};
use serde_json::{Value, json};

#[derive(QgaCommand)]
#[qga(name = "test-ask", response = Value, retry = Safe)]
struct Ask;

/// What comes of a call.
enum Call {
    /// What the request holds, or an empty object.
    Echo,
    Reply(&'static str),
    Fails(TransportError),
    Hangs,
    /// At the deadline that it is told.
    TimesOut,
}

/// A host that carries messages as a test says, and afterwards answers them all.
#[derive(Clone, Default)]
struct Host {
    calls: Arc<Mutex<VecDeque<Call>>>,
    requests: Arc<Mutex<Vec<Value>>>,
    opened: Arc<Mutex<u32>>,
    limits: TransportLimits,
}

impl Host {
    fn new(calls: impl IntoIterator<Item = Call>) -> Self {
        let host = Self::default();
        host.calls.lock().unwrap().extend(calls);
        host
    }

    fn build(&self) -> Client {
        let builder = Client::builder().options(QUICK);
        builder.build_messages(Transport(self.clone()))
    }

    async fn connect(&self) -> Client {
        let host = self.clone();
        let open = move || {
            *host.opened.lock().unwrap() += 1;
            let transport = Transport(host.clone());
            async move { Ok(transport) }
        };
        let builder = Client::builder().options(QUICK);
        builder.connect_messages(open).await.unwrap()
    }

    /// The commands that came.
    fn ran(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let names = requests.iter().map(|request| request["execute"].as_str());
        names.map(|name| name.unwrap().to_owned()).collect()
    }

    fn opened(&self) -> u32 {
        *self.opened.lock().unwrap()
    }
}

struct Transport(Host);

impl MessageTransport for Transport {
    fn limits(&self) -> TransportLimits {
        self.0.limits
    }

    fn call<'a>(&'a mut self, request: &'a [u8], deadline: Instant) -> Answering<'a> {
        let request: Value = serde_json::from_slice(request).unwrap();
        self.0.requests.lock().unwrap().push(request.clone());
        let call = self.0.calls.lock().unwrap().pop_front();
        Box::pin(async move {
            match call.unwrap_or(Call::Echo) {
                Call::Echo => {
                    let text = &request["arguments"]["text"];
                    let returned = if text.is_null() { &json!({}) } else { text };
                    let reply = json!({"return": returned, "id": request["id"]});
                    Ok(reply.to_string().into_bytes())
                }
                Call::Reply(text) => Ok(text.into()),
                Call::Fails(error) => Err(error),
                Call::Hangs => std::future::pending().await,
                Call::TimesOut => {
                    tokio::time::sleep_until(deadline.into()).await;
                    Err(TransportError::timeout())
                }
            }
        })
    }
}

fn ended() -> TransportError {
    TransportError::closed(Some(io::ErrorKind::BrokenPipe.into()))
}

fn what(error: &Error) -> (Stage, Execution) {
    (error.stage(), error.execution())
}

#[tokio::test(start_paused = true)]
async fn a_transport_carries_commands_and_pipelines_without_a_sync() {
    let host = Host::new([]);
    let client = host.build();
    client.execute(Ping).await.unwrap();
    let mut pipeline = client.pipeline((0..5).map(echo)).in_flight(3);
    for n in 0..5 {
        assert_eq!(pipeline.next().await.unwrap().unwrap(), n.to_string());
    }
    assert!(pipeline.next().await.is_none());
    client.sync().await.unwrap();
    let mut expected = vec!["guest-ping"];
    expected.extend(["test-echo"; 5]);
    assert_eq!(host.ran(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_has_ended_is_opened_again_by_the_next_command() {
    let host = Host::new([Call::Fails(ended())]);
    let client = host.connect().await;
    let error = client.execute(Ping).await.unwrap_err();
    assert!(error.is_closed() && !error.is_permanent(), "{error:?}");
    assert_eq!(what(&error), (Stage::Receive, Execution::MaybeRun));
    assert!(matches!(
        *client.state().borrow(),
        ChannelState::Lost { .. }
    ));
    client.execute(Ping).await.unwrap();
    assert_eq!(*client.state().borrow(), ChannelState::Ready);
    assert_eq!((host.opened(), host.ran().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_transport_says_of_the_execution_decides_what_is_sent_again() {
    let not_run = || ended().with_execution(Execution::NotRun);
    let host = Host::new([Call::Fails(not_run())]);
    let client = host.connect().await;
    assert_eq!(client.execute(echo(1)).await.unwrap(), "1");
    assert_eq!(host.ran(), ["test-echo"; 2]);
    let host = Host::new([Call::Fails(ended()), Call::Fails(ended())]);
    let client = host.connect().await;
    client.execute(Ask).await.unwrap();
    assert_eq!((host.opened(), host.ran().len()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_was_handed_over_ends_for_good() {
    let host = Host::new([Call::Fails(ended())]);
    let client = host.build();
    for ran in [Execution::MaybeRun, Execution::NotRun] {
        let error = client.execute(Ping).await.unwrap_err();
        assert!(error.is_closed() && error.is_permanent(), "{error:?}");
        assert_eq!(error.execution(), ran);
    }
    assert_eq!(host.ran().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_no_end_keeps_the_transport() {
    let host = Host::new([
        Call::Fails(TransportError::timeout()),
        Call::Fails(TransportError::other("the moon is full")),
        Call::Fails(TransportError::reply_too_long(7)),
    ]);
    let client = host.connect().await;
    let error = client.execute(Ping).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    let error = client.execute(Ping).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Transport(_)), "{error:?}");
    assert!(crate::support::chain(&error).contains("the moon is full"));
    let error = client.execute(Ping).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::ReplyTooLong(7)),
        "{error:?}"
    );
    assert_eq!(error.execution(), Execution::MaybeRun);
    client.execute(Ping).await.unwrap();
    assert_eq!(host.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_ends_at_the_deadline_and_when_it_is_dropped() {
    let host = Host::new([Call::Hangs, Call::Hangs]);
    let client = host.build();
    let error = client.execute(Ping).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(what(&error), (Stage::Receive, Execution::MaybeRun));
    let dropped = tokio::time::timeout(Duration::from_secs(1), client.execute(Ping));
    dropped.await.unwrap_err();
    assert_eq!(client.execute(echo("next")).await.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_another_request_is_not_taken_and_the_next_command_works() {
    for reply in [
        "{\"return\": \"other\", \"id\": 5}",
        "garbage",
        "",
        "{\"return\": 1, \"error\": {}}",
    ] {
        let host = Host::new([Call::Reply(reply)]);
        let client = host.build();
        let error = client.execute(echo("own")).await.unwrap_err();
        assert!(!error.is_timeout(), "{reply}: {error:?}");
        assert_eq!(error.execution(), Execution::MaybeRun, "{reply}: {error:?}");
        assert_eq!(client.execute(echo("next")).await.unwrap(), "next");
    }
    // A transport that takes the number out of a reply pairs them itself.
    let host = Host::new([Call::Reply("{\"return\": \"own\"}")]);
    assert_eq!(host.build().execute(echo("own")).await.unwrap(), "own");
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_a_transport_hold_and_are_told() {
    let limits = TransportLimits::new().request(200).reply(1000);
    let host = Host {
        limits,
        ..Host::new([])
    };
    for client in [host.build(), host.connect().await] {
        assert_eq!(client.transport_limits(), limits);
        let error = client.execute(echo("x".repeat(300))).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::RequestTooLong(200)),
            "{error:?}"
        );
        assert_eq!(what(&error), (Stage::Send, Execution::NotRun));
        client.execute(Ping).await.unwrap();
    }
    assert_eq!(host.ran(), ["guest-ping"; 2]);
    let strict = host.build();
    let strict = strict.with_options(QUICK.reply_limit(50));
    let error = strict.execute(echo("x".repeat(60))).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::ReplyTooLong(50)),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_answered_only_on_failure_ends_in_its_ways_over_messages_too() {
    let host = Host::new([
        Call::Hangs,
        Call::TimesOut,
        Call::Fails(TransportError::timeout()),
        Call::Echo,
        Call::Fails(TransportError::closed(None)),
    ]);
    let client = host.connect().await;
    // Whether the client or the transport sees the end of the grace.
    assert_eq!(client.execute(Shutdown).await.unwrap(), NoReply::Silent);
    assert_eq!(client.execute(Shutdown).await.unwrap(), NoReply::Silent);
    // One that gives up earlier has not listened for the whole grace.
    let error = client.execute(Shutdown).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(client.execute(Shutdown).await.unwrap(), NoReply::Replied);
    assert_eq!(client.execute(Shutdown).await.unwrap(), NoReply::Closed);
    client.execute(Ping).await.unwrap();
    assert_eq!(host.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_cannot_be_opened_is_an_error_of_connecting() {
    let open = || async { Err::<Transport, _>(io::ErrorKind::ConnectionRefused.into()) };
    let error = Client::builder().connect_messages(open).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
    assert_eq!(error.stage(), Stage::Connect);
}

/// One that may not be sent twice.
#[derive(QgaCommand)]
#[qga(name = "test-erase", response = Value)]
struct Erase;

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_could_not_send_is_never_sent_for_another_command() {
    let unsent = TransportError::other("no room").with_execution(Execution::NotRun);
    let closed = TransportError::closed(None);
    let host = Host::new([Call::Fails(unsent), Call::Fails(closed)]);
    let client = host.connect().await;

    let mut erasing = client.pipeline([Erase]);
    let error = erasing.next().await.unwrap().unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun);
    drop(erasing);
    client.execute(Ask).await.unwrap();
    assert_eq!(host.ran(), ["test-erase", "test-ask", "test-ask"]);
}

#[tokio::test(start_paused = true)]
async fn a_lazy_client_tells_the_limits_once_its_transport_is_open() {
    let limits = TransportLimits::new().request(200).reply(1000);
    let host = Host {
        limits,
        ..Host::new([])
    };
    let opened = host.clone();
    let client = Client::builder()
        .options(QUICK)
        .scheme_messages("host", move |_| {
            let transport = Transport(opened.clone());
            async move { Ok(transport) }
        })
        .connect_lazy("host:1")
        .unwrap();
    let clone = client.clone();
    assert_eq!(client.transport_limits(), TransportLimits::new());
    client.execute(Ping).await.unwrap();
    assert_eq!(client.transport_limits(), limits);
    assert_eq!(clone.transport_limits(), limits);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_another_one_follows_tells_its_own_limits() {
    let host = Host::new([Call::Fails(ended())]);
    let sizes = Arc::new(Mutex::new(vec![300, 200]));
    let client = Client::builder().options(QUICK).connect_messages(move || {
        let size = sizes.lock().unwrap().pop().unwrap();
        let transport = Transport(Host {
            limits: TransportLimits::new().request(size),
            ..host.clone()
        });
        async move { Ok(transport) }
    });
    let client = client.await.unwrap();
    assert_eq!(client.transport_limits().request, Some(200));
    client.execute(Ping).await.unwrap_err();
    client.execute(Ping).await.unwrap();
    assert_eq!(client.transport_limits().request, Some(300));
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_cannot_reach_the_agent_is_a_channel_that_cannot_be_opened() {
    let off = || TransportError::cannot_open(io::Error::new(io::ErrorKind::NotFound, "it is off"));
    let host = Host::new([Call::Fails(off())]);
    let client = host.build();
    let error = client.execute(Ping).await.unwrap_err();
    assert_eq!(what(&error), (Stage::Connect, Execution::NotRun));
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
    assert!(error.is_permanent(), "{error:?}");
    // The next command of a client that can do so opens another one.
    let host = Host::new([Call::Fails(off())]);
    let client = host.connect().await;
    let error = client.execute(Ping).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
    assert_eq!(client.execute(echo(1)).await.unwrap(), "1");
    assert_eq!(host.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn why_a_scheme_of_others_cannot_be_opened_is_told_in_their_words() {
    for kind in [
        io::ErrorKind::NotFound,
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::PermissionDenied,
    ] {
        let connected = Client::builder()
            .scheme_messages("host", move |_| async move {
                Err::<Transport, _>(io::Error::new(kind, "the machine 7 is off"))
            })
            .connect("host:7")
            .await;
        let error = connected.err().unwrap().to_string();
        assert!(error.contains("the machine 7 is off"), "{error}");
        assert!(!error.contains("socket"), "{error}");
    }
}
