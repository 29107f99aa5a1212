use std::time::Duration;

use qga_testserver::{Fault, TestAgent};
use tokio::io::DuplexStream;
use tokio::time::Instant;

use crate::wire::Wire;

const PING: &str = "{\"execute\":\"guest-ping\",\"id\":1}";
const PONG: &str = "{\"return\": {}, \"id\": 1}\n";

/// A client of an agent whose next reply has this fault.
fn faulty(fault: Fault) -> (TestAgent, Wire<DuplexStream>) {
    let (agent, stream) = TestAgent::in_memory();
    agent.fault(fault);
    (agent, Wire::new(stream))
}

#[tokio::test(start_paused = true)]
async fn a_request_without_answer_is_carried_out_and_the_next_one_answered() {
    let (agent, mut client) = faulty(Fault::no_answer());
    client.send(PING).await;
    client.silence().await;
    assert_eq!(agent.requests().len(), 1);
    assert_eq!(client.ask(PING).await, PONG);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_agent_answers_nothing_more() {
    let (agent, mut client) = faulty(Fault::hang());
    client.send(PING).await;
    agent.wait_for("guest-ping", 1).await;
    client.send(PING).await;
    client.silence().await;
    assert_eq!(agent.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_up_everything_behind_it() {
    let (_agent, mut client) = faulty(Fault::delay(Duration::from_secs(3)));
    let start = Instant::now();
    assert_eq!(client.ask([PING, PING].concat()).await, PONG);
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert_eq!(client.line().await, PONG);
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn stale_bytes_come_before_the_reply_as_they_are() {
    let (_agent, mut client) = faulty(Fault::bytes_first("{\"return\": 5}\nAAAA"));
    assert_eq!(client.ask(PING).await, "{\"return\": 5}\n");
    assert_eq!(client.line().await, format!("AAAA{PONG}"));
}

#[tokio::test(start_paused = true)]
async fn a_drip_takes_its_time_and_loses_nothing() {
    let (_agent, mut client) = faulty(Fault::drip_every(2, Duration::from_secs(1)));
    let start = Instant::now();
    assert_eq!(client.ask(PING).await, PONG);
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(PONG.len() as u64 / 2 - 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_can_come_byte_by_byte_in_no_time() {
    let (_agent, mut client) = faulty(Fault::drip(1));
    let start = Instant::now();
    assert_eq!(client.ask(PING).await, PONG);
    assert!(start.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn the_connection_closes_before_within_or_after_a_reply() {
    let cases = [
        (Fault::close_before(), ""),
        (Fault::close_within(5), "{\"ret"),
        (Fault::close_after(), PONG),
    ];
    for (fault, wanted) in cases {
        let (agent, mut client) = faulty(fault);
        client.send(PING).await;
        assert_eq!(client.rest().await, wanted);
        assert_eq!(Wire::new(agent.connect()).ask(PING).await, PONG);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_line_comes_before_the_reply() {
    let (_agent, mut client) = faulty(Fault::long_line(3_000_001));
    let line = client.ask(PING).await;
    assert_eq!(line.len(), 3_000_001 + PONG.len());
    assert!(line.ends_with(&format!("x{PONG}")));
}

#[tokio::test(start_paused = true)]
async fn an_endless_line_ends_with_the_client_and_the_next_one_is_served() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (agent, mut stream) = TestAgent::in_memory();
    agent.fault(Fault::endless_line());
    stream.write_all(PING.as_bytes()).await.unwrap();
    let mut line = vec![0; 5 << 20];
    stream.read_exact(&mut line).await.unwrap();
    assert!(line.iter().all(|byte| *byte == b'x'));
    drop(stream);
    assert_eq!(Wire::new(agent.connect()).ask(PING).await, PONG);
}

#[tokio::test(start_paused = true)]
async fn megabytes_of_lines_come_before_a_sync() {
    let (_agent, mut client) = faulty(Fault::lines_first(15 * 100_000));
    let sync = "{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":7}}";
    client.send(sync).await;
    for _ in 0..100_000 {
        assert_eq!(client.line().await, "{\"return\": {}}\n");
    }
    assert_eq!(client.line().await, "\u{ff}{\"return\": 7}\n");
}

#[tokio::test(start_paused = true)]
async fn garbage_comes_in_place_of_the_reply() {
    let (_agent, mut client) = faulty(Fault::garbage(b"\xfe\x00not json\n"));
    assert_eq!(client.ask(PING).await, "\u{fe}\0not json\n");
    assert_eq!(client.ask(PING).await, PONG);
}

#[tokio::test(start_paused = true)]
async fn a_torn_reply_is_glued_to_the_next() {
    let (_agent, mut client) = faulty(Fault::torn(4));
    assert_eq!(
        client.ask([PING, PING].concat()).await,
        format!("{{\"re{PONG}")
    );
}

#[tokio::test(start_paused = true)]
async fn the_id_can_be_wrong_or_missing() {
    let (agent, mut client) = faulty(Fault::wrong_id("other"));
    agent.fault(Fault::no_id());
    assert_eq!(
        client.ask(PING).await,
        "{\"return\": {}, \"id\": \"other\"}\n"
    );
    assert_eq!(client.ask(PING).await, "{\"return\": {}}\n");
}

#[tokio::test(start_paused = true)]
async fn a_sync_can_lack_its_sentinel() {
    let (_agent, mut client) = faulty(Fault::no_sentinel());
    let sync = "{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":7}}";
    assert_eq!(client.ask(sync).await, "{\"return\": 7}\n");
    assert_eq!(client.ask(sync).await, "\u{ff}{\"return\": 7}\n");
}

#[tokio::test(start_paused = true)]
async fn a_restart_loses_the_request_and_the_handles_and_keeps_the_channel() {
    let (agent, stream) = TestAgent::in_memory();
    let mut client = Wire::new(stream);
    let open = "{\"execute\":\"guest-file-open\",\"arguments\":{\"path\":\"/etc/hostname\"}}";
    assert_eq!(client.ask(open).await, "{\"return\": 1000}\n");
    agent.fault(Fault::restart());
    client.send(PING).await;
    client.silence().await;
    let close = "{\"execute\":\"guest-file-close\",\"arguments\":{\"handle\":1000}}";
    assert!(
        client
            .ask(close)
            .await
            .contains("handle '1000' has not been found")
    );
    assert_eq!(client.ask(open).await, "{\"return\": 1001}\n");
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_reply_comes_as_the_closure_made_it() {
    let upper = Fault::rewrite(|reply| reply.to_ascii_uppercase());
    let (_agent, mut client) = faulty(upper.and(Fault::twice()));
    assert_eq!(client.ask(PING).await, PONG.to_ascii_uppercase());
    assert_eq!(client.line().await, PONG.to_ascii_uppercase());
}

#[tokio::test(start_paused = true)]
async fn joined_faults_act_one_after_the_other() {
    let fault = Fault::close_within(4)
        .and(Fault::delay(Duration::from_secs(1)))
        .and(Fault::bytes_first("old\n"));
    let (_agent, mut client) = faulty(fault);
    let start = Instant::now();
    assert_eq!(client.ask(PING).await, "old\n");
    assert!(start.elapsed().is_zero());
    assert_eq!(client.rest().await, "{\"re");
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn faults_queue_up_one_for_each_reply() {
    let (agent, mut client) = faulty(Fault::garbage("first\n"));
    agent.fault(Fault::garbage("second\n").times(2));
    let mut lines = Vec::new();
    for _ in 0..4 {
        lines.push(client.ask(PING).await);
    }
    assert_eq!(lines, ["first\n", "second\n", "second\n", PONG]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_one_command_leaves_the_others_alone() {
    let (agent, stream) = TestAgent::in_memory();
    let mut client = Wire::new(stream);
    agent.on("guest-ping").fault(Fault::garbage("standing\n"));
    agent
        .on("guest-ping")
        .up_to(1)
        .fault(Fault::garbage("once\n"));
    assert_eq!(client.ask(PING).await, "once\n");
    assert_eq!(client.ask(PING).await, "standing\n");
    assert!(
        client
            .ask("{\"execute\":\"guest-get-time\"}")
            .await
            .starts_with("{\"return\": 17")
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_on_the_third_message_leaves_the_others_alone() {
    let (agent, stream) = TestAgent::in_memory();
    let mut client = Wire::new(stream);
    agent.fault(Fault::garbage("third\n").on_reply(3));
    agent.fault(Fault::garbage("first\n"));
    let mut lines = Vec::new();
    for _ in 0..4 {
        lines.push(client.ask(PING).await);
    }
    assert_eq!(lines, ["first\n", PONG, "third\n", PONG]);
}

#[tokio::test(start_paused = true)]
async fn a_seed_decides_which_replies_a_fault_by_chance_is_for() {
    let struck = async |seed| {
        let (agent, stream) = TestAgent::in_memory();
        let mut client = Wire::new(stream);
        agent.fault(Fault::garbage("x\n").by_chance_with_seed(0.5, seed));
        let mut struck = Vec::new();
        for _ in 0..40 {
            struck.push(client.ask(PING).await == "x\n");
        }
        struck
    };
    let first = struck(1).await;
    assert!(first.contains(&true) && first.contains(&false));
    assert_eq!(first, struck(1).await);
    assert_ne!(first, struck(2).await);
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_come_beside_the_known_ones() {
    let (_agent, mut client) = faulty(Fault::unknown_fields());
    let reply = client.ask("{\"execute\":\"guest-get-host-name\"}").await;
    assert!(reply.contains("\"host-name\": \"test-guest\""), "{reply}");
    assert!(reply.contains("\"x-unknown\": {"), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_value_takes_the_place_of_a_known_one() {
    let (_agent, mut client) = faulty(Fault::unknown_values());
    let reply = client.ask("{\"execute\":\"guest-fsfreeze-status\"}").await;
    assert_eq!(reply, "{\"return\": \"x-unknown\"}\n");
}

#[tokio::test(start_paused = true)]
async fn broken_text_comes_without_a_sentinel() {
    let (_agent, mut client) = faulty(Fault::invalid_utf8());
    let reply = client.ask("{\"execute\":\"guest-get-host-name\"}").await;
    assert_eq!(
        reply,
        "{\"return\": {\"host-name\": \"test-guest\u{c3}(\"}}\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_can_be_nested_deeply() {
    let (_agent, mut client) = faulty(Fault::deep_nesting(100_000));
    let reply = client.ask(PING).await;
    assert_eq!(reply.len(), "{\"return\": }\n".len() + 200_000);
}

#[cfg(unix)]
#[tokio::test]
async fn a_reset_is_an_error_and_not_the_end_of_the_stream() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let unix = TestAgent::start().await;
    let mut stream = tokio::net::UnixStream::connect(unix.path()).await.unwrap();
    stream.write_all(PING.as_bytes()).await.unwrap();
    stream.read_exact(&mut vec![0; PONG.len()]).await.unwrap();
    unix.fault(Fault::reset());
    tokio::task::yield_now().await;
    stream
        .write_all(format!("{PING}\n").as_bytes())
        .await
        .unwrap();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

    let tcp = TestAgent::listen("tcp:127.0.0.1:0").await.unwrap();
    tcp.fault(Fault::reset());
    let address = tcp.address();
    let mut stream = tokio::net::TcpStream::connect(&address[4..]).await.unwrap();
    stream.write_all(PING.as_bytes()).await.unwrap();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}
