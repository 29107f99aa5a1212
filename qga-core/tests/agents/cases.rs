//! What every agent must do with this client. The real one runs as root on this very machine: it
//! gets harmless commands and files of its own folder only.

use std::future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use qga_core::{ErrorKind, Execution, Options, QgaCommand, Stage};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::Handle;

use crate::any::{AnyClient, Connecting, Driver, EVERY, FUTURES, STREAMS};
use crate::channel::Channel;
use crate::host::Host;
use crate::proxy::{Proxy, TROUBLES, Trouble};

pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What the agent's administrator has disabled.
    pub(crate) blocked: &'static [&'static str],
    /// What it runs with.
    pub(crate) drivers: &'static [Driver],
    /// What it runs over beside the agent's own socket.
    pub(crate) channels: Channels,
    pub(crate) run: for<'a> fn(&'a Host) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

/// The channels over which a case makes sense.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Channels {
    Every,
    /// Where a second client can open the channel while a first one has it, and where nothing is left unread of one that
    /// is given up: a real agent ends then.
    Shared,
    /// None, since the case connects to the socket itself.
    Own,
}

impl Channels {
    pub(crate) fn has(self, channel: Channel) -> bool {
        match self {
            Self::Every => true,
            Self::Shared => matches!(channel, Channel::Tcp | Channel::Vsock | Channel::VsockProxy),
            Self::Own => false,
        }
    }
}

macro_rules! cases {
    ($($name:ident over $drivers:ident $(on $channels:ident)? $(with $blocked:literal blocked)?),* $(,)?) => {
        pub(crate) const CASES: &[Case] = &[$(Case {
            name: stringify!($name),
            blocked: &[$($blocked)?],
            drivers: $drivers,
            channels: [$(Channels::$channels,)? Channels::Every][0],
            run: |host| Box::pin($name(host)),
        }),*];
    };
}

cases![
    a_client_connects_and_pings over EVERY,
    ids_are_echoed_whatever_else_is_sent over EVERY,
    an_unknown_command_is_not_found over EVERY,
    a_disabled_command_is_told_from_an_unknown_one over EVERY with "guest-get-osinfo" blocked,
    without_the_delimited_sync_the_plain_one_is_used over STREAMS with "guest-sync-delimited" blocked,
    a_missing_argument_is_the_agents_error over EVERY,
    none_is_left_out_and_bytes_travel_as_base64 over EVERY,
    a_request_split_at_every_byte_is_answered over STREAMS on Own,
    a_large_reply_arrives_whole over EVERY,
    a_reply_beyond_the_limit_is_refused_and_the_next_command_works over EVERY,
    a_pipeline_gives_replies_in_order over EVERY,
    a_pipeline_dropped_half_read_does_no_harm over EVERY,
    a_command_dropped_at_any_point_does_no_harm over FUTURES,
    a_deadline_at_any_point_does_no_harm over EVERY,
    threads_that_share_a_client_and_run_out_of_time_get_their_own_replies over EVERY,
    half_a_request_of_an_earlier_client_is_survived over EVERY on Shared,
    a_second_client_hears_nothing_until_the_first_has_left over STREAMS on Shared,
    a_client_that_has_given_up_connections_to_a_busy_agent_has_its_turn over STREAMS on Shared,
    whatever_goes_wrong_on_the_way_the_answer_is_right_or_an_honest_error over EVERY,
];

#[derive(QgaCommand)]
#[qga(name = "guest-ping", retry = Safe)]
struct Ping;

#[derive(QgaCommand)]
#[qga(name = "guest-sync", response = i64)]
struct Sync {
    id: i64,
}

#[derive(QgaCommand)]
#[qga(name = "guest-file-open", response = i64)]
struct FileOpen<'a> {
    path: &'a str,
    mode: Option<&'a str>,
}

#[derive(QgaCommand)]
#[qga(name = "guest-file-write", response = Written)]
struct FileWrite<'a> {
    handle: i64,
    #[qga(base64, rename = "buf-b64")]
    bytes: &'a [u8],
    count: Option<u32>,
}

#[derive(Deserialize)]
struct Written {
    count: usize,
}

#[derive(Clone, QgaCommand)]
#[qga(name = "guest-file-read", response = Read, reply_limit = self.count * 4 / 3 + 4096)]
struct FileRead {
    handle: i64,
    count: usize,
}

#[derive(Deserialize)]
struct Read {
    count: usize,
    #[serde(rename = "buf-b64")]
    base64: String,
}

#[derive(QgaCommand)]
#[qga(name = "guest-file-close")]
struct FileClose {
    handle: i64,
}

async fn connect(host: &Host) -> AnyClient {
    let connecting = Connecting::over(host.driver, &host.way);
    connecting.connect(&host.address).await.unwrap()
}

async fn open_file(host: &Host, client: &AnyClient, size: usize) -> i64 {
    let path = &host.file(&vec![b'x'; size]);
    client.execute(FileOpen { path, mode: None }).await.unwrap()
}

async fn a_client_connects_and_pings(host: &Host) {
    let client = connect(host).await;
    client.execute(Ping).await.unwrap();
    let info = client.execute_raw("guest-info", Value::Null).await.unwrap();
    assert!(info["version"].is_string(), "{info}");
}

async fn ids_are_echoed_whatever_else_is_sent(host: &Host) {
    let client = connect(host).await;
    for id in [0, 1, -1, i64::MAX, i64::MIN] {
        assert_eq!(client.execute(Sync { id }).await.unwrap(), id);
    }
    let token = json!({"id": 7});
    let reply = client.execute_raw("guest-sync-delimited", token).await;
    assert_eq!(reply.unwrap(), 7);
    client.execute(Ping).await.unwrap();
}

async fn an_unknown_command_is_not_found(host: &Host) {
    let client = connect(host).await;
    let name = "guest-no-such-\"command\"\u{e9}";
    let error = client.execute_raw(name, Value::Null).await.unwrap_err();
    assert!(
        error.is_command_not_found() && !error.is_disabled(),
        "{error}"
    );
    assert_eq!(error.execution(), Execution::NotRun);
    assert_eq!(error.command(), Some(name));
}

async fn a_disabled_command_is_told_from_an_unknown_one(host: &Host) {
    let client = connect(host).await;
    let answer = client.execute_raw("guest-get-osinfo", Value::Null).await;
    let error = answer.unwrap_err();
    assert!(
        error.is_command_not_found() && error.is_disabled(),
        "{error}"
    );
}

async fn without_the_delimited_sync_the_plain_one_is_used(host: &Host) {
    let client = connect(host).await;
    client.execute(Ping).await.unwrap();
}

async fn a_missing_argument_is_the_agents_error(host: &Host) {
    let client = connect(host).await;
    let answer = client.execute_raw("guest-file-open", json!({})).await;
    let error = answer.unwrap_err();
    let agents = error.agent_error().unwrap();
    assert_eq!(agents.class, "GenericError");
    assert_eq!(agents.desc, "Parameter 'path' is missing");
    assert_eq!(error.execution(), Execution::Answered);
}

async fn none_is_left_out_and_bytes_travel_as_base64(host: &Host) {
    let client = connect(host).await;
    let path = &host.new_path();
    let bytes: Vec<u8> = (0..=255).collect();
    let mode = Some("w");
    let handle = client.execute(FileOpen { path, mode }).await.unwrap();
    let write = FileWrite {
        handle,
        bytes: &bytes,
        count: None,
    };
    assert_eq!(client.execute(write).await.unwrap().count, 256);
    let write = FileWrite {
        handle,
        bytes: &bytes,
        count: Some(10),
    };
    assert_eq!(client.execute(write).await.unwrap().count, 10);
    client.execute(FileClose { handle }).await.unwrap();
    assert_eq!(host.content(path), [&bytes[..], &bytes[..10]].concat());
}

async fn a_request_split_at_every_byte_is_answered(host: &Host) {
    let client = AnyClient::byte_by_byte(host).await;
    for id in 0..5 {
        assert_eq!(client.execute(Sync { id }).await.unwrap(), id);
    }
}

async fn a_large_reply_arrives_whole(host: &Host) {
    let client = connect(host).await;
    let count = 20 << 20;
    let handle = open_file(host, &client, count).await;
    let read = client.execute(FileRead { handle, count }).await.unwrap();
    assert_eq!(read.count, count);
    assert_eq!(read.base64.len(), count.div_ceil(3) * 4);
    assert!(read.base64.starts_with("eHh4") && read.base64[..1000].ends_with("eHh4"));
}

async fn a_reply_beyond_the_limit_is_refused_and_the_next_command_works(host: &Host) {
    let client = connect(host).await;
    let handle = open_file(host, &client, 1 << 20).await;
    let strict = client.with_options(|options| options.reply_limit(100_000));
    let arguments = json!({"handle": handle, "count": 1 << 20});
    let error = strict
        .execute_raw("guest-file-read", arguments)
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::ReplyTooLong(100_000)),
        "{error:?}"
    );
    strict.execute(Ping).await.unwrap();
}

async fn a_pipeline_gives_replies_in_order(host: &Host) {
    let client = connect(host).await;
    for in_flight in [1, 2, 16] {
        let syncs = (0..100).map(|id| Sync { id });
        let mut replies = client.pipeline(syncs, in_flight);
        for id in 0..100 {
            assert_eq!(replies.next().await.unwrap().unwrap(), id);
        }
        assert!(replies.next().await.is_none());
    }
}

async fn a_pipeline_dropped_half_read_does_no_harm(host: &Host) {
    let client = connect(host).await;
    let handle = open_file(host, &client, 4 << 20).await;
    let count = 256 << 10;
    let mut reads = client.pipeline(std::iter::repeat(FileRead { handle, count }), 2);
    assert_eq!(reads.next().await.unwrap().unwrap().count, count);
    drop(reads);
    assert_eq!(client.execute(Sync { id: 7 }).await.unwrap(), 7);
}

async fn a_command_dropped_at_any_point_does_no_harm(host: &Host) {
    let client = connect(host).await;
    let handle = open_file(host, &client, 1 << 20).await;
    for polls in 1..40 {
        let read = client.execute(FileRead {
            handle,
            count: 1 << 20,
        });
        poll_and_drop(read, polls).await;
        let id = i64::from(polls);
        assert_eq!(
            client.execute(Sync { id }).await.unwrap(),
            id,
            "after {polls} polls"
        );
    }
}

/// A deadline does to a command of a thread what a drop does to one of a future.
async fn a_deadline_at_any_point_does_no_harm(host: &Host) {
    let client = connect(host).await;
    let handle = open_file(host, &client, 1 << 20).await;
    for step in 1..40_u32 {
        let time = Duration::from_micros(400) * step;
        let brief = client.with_options(|options| options.timeout(time));
        let count = 1 << 20;
        if let Err(error) = brief.execute(FileRead { handle, count }).await {
            assert!(error.is_timeout(), "{error:?}");
        }
        let id = i64::from(step);
        let answer = client.execute(Sync { id }).await;
        assert_eq!(answer.unwrap(), id, "after {time:?}");
    }
}

async fn threads_that_share_a_client_and_run_out_of_time_get_their_own_replies(host: &Host) {
    let client = connect(host).await;
    let handle = open_file(host, &client, 1 << 20).await;
    let threads = (1..5).map(|thread| {
        let (client, runtime) = (client.clone(), Handle::current());
        tokio::task::spawn_blocking(move || runtime.block_on(in_a_thread(&client, handle, thread)))
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.await.unwrap();
    }
}

async fn in_a_thread(client: &AnyClient, handle: i64, thread: u32) {
    let brief = Duration::from_millis(1) * thread;
    let brief = client.with_options(|options| options.timeout(brief));
    for step in 0..20 {
        let count = 1 << 18;
        if let Err(error) = brief.execute(FileRead { handle, count }).await {
            assert!(error.is_timeout(), "{error:?}");
        }
        let id = i64::from(1000 * thread + step);
        assert_eq!(client.execute(Sync { id }).await.unwrap(), id);
    }
}

async fn half_a_request_of_an_earlier_client_is_survived(host: &Host) {
    let mut earlier = UnixStream::connect(host.socket()).await.unwrap();
    let half = b"{\"execute\": \"guest-file-open\", \"arguments\": {\"path\": \"/etc";
    earlier.write_all(half).await.unwrap();
    earlier.shutdown().await.unwrap();
    assert_eq!(earlier.read(&mut [0; 10]).await.unwrap(), 0);
    let client = connect(host).await;
    client.execute(Ping).await.unwrap();
}

async fn a_second_client_hears_nothing_until_the_first_has_left(host: &Host) {
    let first = connect(host).await;
    let brief = Duration::from_millis(if host.channel.is_slow() { 3000 } else { 200 });
    let impatient = Connecting::over(host.driver, &host.way).connect_timeout(brief);
    let error = impatient.connect(&host.address).await.err().unwrap();
    assert!(error.is_timeout());
    assert_eq!(error.stage(), Stage::Sync);
    first.execute(Ping).await.unwrap();
    drop(first);
    let patient = Options::new().timeout(Duration::from_secs(20));
    let second = Connecting::over(host.driver, &host.way)
        .connect_timeout(Duration::from_secs(20))
        .options(patient)
        .connect(&host.address)
        .await
        .unwrap();
    second.execute(Ping).await.unwrap();
}

async fn whatever_goes_wrong_on_the_way_the_answer_is_right_or_an_honest_error(host: &Host) {
    let proxy = Proxy::start(host.kind, host.driver, host.channel).await;
    for (number, trouble) in (0..).zip(TROUBLES) {
        // Each line of the first handshake, and some behind it.
        let lines = if host.channel.is_slow() { 2..3 } else { 0..5 };
        for line in lines {
            let serial = 100 * number + 10 * line;
            troubled(host.driver, &proxy, *trouble, line, serial).await;
        }
    }
}

/// The agent finds the connections that were given up in its queue, and a request to synchronize in each.
async fn a_client_that_has_given_up_connections_to_a_busy_agent_has_its_turn(host: &Host) {
    let first = Connecting::over(Driver::Tokio, &host.way)
        .connect(&host.address)
        .await
        .unwrap();
    let options = Options::new().timeout(Duration::from_secs(30));
    let second = Connecting::over(host.driver, &host.way)
        .options(options.wait_for_channel(true))
        // So that connections are given up after one second, and two.
        .connect_timeout(Duration::from_millis(100))
        .connect_lazy(&host.address);
    let leaves = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(3500)).await;
        first.execute(Ping).await.unwrap();
    });
    let answer = second.execute(Sync { id: 5 }).await;
    leaves.await.unwrap();
    assert_eq!(answer.unwrap(), 5);
    assert_eq!(second.execute(Sync { id: 6 }).await.unwrap(), 6);
}

/// Some commands while something goes wrong, and one that must work when it is over.
async fn troubled(driver: Driver, proxy: &Proxy, trouble: Trouble, line: i64, serial: i64) {
    let what = format!("{trouble:?} at line {line}");
    let options = Options::new().timeout(Duration::from_millis(250));
    let connecting = Connecting::over(driver, &proxy.way).options(options);
    let client = connecting.connect(&proxy.address).await.expect(&what);
    client.sync().await.expect(&what);
    proxy.at_line(line, trouble);
    for id in serial..serial + 4 {
        if let Ok(answer) = client.execute(Sync { id }).await {
            assert_eq!(answer, id, "{what}");
        }
        let path = &format!("{}{id}", proxy.host().await.new_path());
        let mode = Some("w");
        let opened = client.execute(FileOpen { path, mode }).await;
        let host = proxy.host().await;
        match opened {
            Ok(_) => assert!(host.exists(path), "{what}"),
            Err(error) if error.execution() == Execution::NotRun => {
                assert!(!host.exists(path), "{what}: {error}");
            }
            Err(error) => assert_eq!(error.execution(), Execution::MaybeRun, "{what}: {error}"),
        }
    }
    assert!(proxy.is_over(), "{what} has not come");
    let patient = client.with_options(|options| options.timeout(Duration::from_secs(20)));
    patient.execute(Sync { id: 99 }).await.expect(&what);
    assert_eq!(client.execute(Sync { id: 7 }).await.expect(&what), 7);
}

/// Polls a future so many times, whenever it asks for it, then drops it.
async fn poll_and_drop(future: impl Future, polls: u32) {
    let mut future = Box::pin(future);
    let mut left = polls;
    future::poll_fn(|cx| {
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Pending if left > 0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}
