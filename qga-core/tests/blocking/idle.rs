//! Channels that are closed while nobody uses them.

use crate::support::{Ping, echo, synced_pair};
use qga_core::blocking::Client;
use std::thread;

#[test]
fn a_channel_that_is_closed_while_it_is_idle_comes_back_with_the_next_command() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let agent = runtime.block_on(qga_testserver::TestAgent::start());
    let client = Client::connect(agent.path()).unwrap();
    client.execute(Ping).unwrap();
    assert!(client.close_idle() && client.close_idle());
    // The agent is free for others meanwhile.
    Client::connect(agent.path()).unwrap();
    client.execute(Ping).unwrap();
}

#[test]
fn a_channel_in_use_and_one_that_could_not_be_opened_again_are_not_closed() {
    let (client, mut peer) = synced_pair();
    thread::scope(|scope| {
        let busy = scope.spawn(|| client.execute(echo(1)));
        let request = peer.request();
        assert!(!client.close_idle());
        peer.send(crate::support::echo_reply(&request));
        busy.join().unwrap().unwrap();
    });
    assert!(!client.close_idle());
    thread::scope(|scope| {
        let answer = scope.spawn(|| client.execute(echo(2)));
        peer.answer_echo();
        assert_eq!(answer.join().unwrap().unwrap(), "2");
    });
}
