use std::time::Duration;

use qga_testserver::TestAgent;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::wire::Wire;

const PING: &str = "{\"execute\":\"guest-ping\"}\n";
const PONG: &str = "{\"return\": {}}\n";

#[cfg(unix)]
async fn connect(agent: &TestAgent) -> Wire<tokio::net::UnixStream> {
    Wire::new(tokio::net::UnixStream::connect(agent.path()).await.unwrap())
}

#[cfg(unix)]
#[tokio::test]
async fn a_socket_agent_answers_at_its_address_and_removes_it_on_drop() {
    let agent = TestAgent::start().await;
    let path = agent.path().to_owned();
    assert_eq!(agent.address(), format!("unix:{}", path.display()));
    assert_eq!(connect(&agent).await.ask(PING).await, PONG);
    drop(agent);
    assert!(!path.exists());
    assert!(!path.parent().unwrap().exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_client_sees_the_end_of_the_stream_when_the_agent_is_dropped() {
    let agent = TestAgent::start().await;
    let mut client = connect(&agent).await;
    assert_eq!(client.ask(PING).await, PONG);
    drop(agent);
    assert_eq!(client.rest().await, "");
}

#[cfg(unix)]
#[tokio::test]
async fn the_reply_to_a_half_closed_client_still_comes() {
    let agent = TestAgent::start().await;
    let mut client = connect(&agent).await;
    client.send(PING).await;
    client.shut_down().await;
    assert_eq!(client.rest().await, PONG);
}

#[tokio::test(start_paused = true)]
async fn a_second_client_gets_silence_until_the_first_has_gone() {
    let (agent, first) = TestAgent::in_memory();
    let mut first = Wire::new(first);
    let mut second = Wire::new(agent.connect());
    second
        .send("{\"execute\":\"guest-sync\",\"arguments\":{\"id\":2}}\n")
        .await;
    assert_eq!(first.ask(PING).await, PONG);
    second.silence().await;
    drop(first);
    assert_eq!(second.line().await, "{\"return\": 2}\n");
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sent_before_it_left_is_carried_out() {
    let (agent, mut first) = TestAgent::in_memory();
    first.write_all(PING.as_bytes()).await.unwrap();
    let mut second = agent.connect();
    second.write_all(PING.as_bytes()).await.unwrap();
    drop((first, second));
    assert_eq!(agent.wait_for("guest-ping", 2).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn half_a_request_of_one_client_is_ended_by_the_next() {
    let (agent, mut first) = TestAgent::in_memory();
    first
        .write_all(b"{\"execute\":\"guest-sync\",\"argum")
        .await
        .unwrap();
    drop(first);
    let mut second = Wire::new(agent.connect());
    assert_eq!(
        second.ask("ents\":{\"id\":5}}\n").await,
        "{\"return\": 5}\n"
    );
}

#[tokio::test(start_paused = true)]
async fn open_files_outlive_the_client_that_opened_them() {
    let (agent, first) = TestAgent::in_memory();
    let mut first = Wire::new(first);
    let open = "{\"execute\":\"guest-file-open\",\"arguments\":{\"path\":\"/etc/hostname\"}}";
    assert_eq!(first.ask(open).await, "{\"return\": 1000}\n");
    drop(first);
    let mut second = Wire::new(agent.connect());
    let read = "{\"execute\":\"guest-file-read\",\"arguments\":{\"handle\":1000,\"count\":4}}";
    let bytes = "{\"return\": {\"count\": 4, \"buf-b64\": \"dGVzdA==\", \"eof\": false}}\n";
    assert_eq!(second.ask(read).await, bytes);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_blocks_neither_the_drop_nor_the_test() {
    let (agent, mut stream) = TestAgent::in_memory();
    agent.file("/big", vec![0; 4 << 20]);
    let read = "{\"execute\":\"guest-file-open\",\"arguments\":{\"path\":\"/big\"}}\
                {\"execute\":\"guest-file-read\",\"arguments\":{\"handle\":1000,\"count\":4194304}}";
    stream.write_all(read.as_bytes()).await.unwrap();
    agent.wait_for("guest-file-read", 1).await;
    drop(agent);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < 4 << 20);
}

#[tokio::test(start_paused = true)]
async fn five_thousand_pipelined_requests_are_answered_in_order() {
    let (_agent, stream) = TestAgent::in_memory();
    let mut client = Wire::new(stream);
    let request = |id| format!("{{\"execute\":\"guest-ping\",\"id\":{id}}}");
    client
        .send((0..5000).map(request).collect::<String>())
        .await;
    for id in 0..5000 {
        assert_eq!(
            client.line().await,
            format!("{{\"return\": {{}}, \"id\": {id}}}\n")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn agents_are_independent_of_each_other() {
    let (one, mut stream) = TestAgent::in_memory();
    let (other, _) = TestAgent::in_memory();
    one.disable("guest-info");
    stream.write_all(PING.as_bytes()).await.unwrap();
    one.wait_for("guest-ping", 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(other.requests().is_empty());
}
