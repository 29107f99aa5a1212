//! A machine that starts.

use std::time::Duration;

use qga_commands::commands::agent::Ping;
use qga_commands::guest::ready::Ready;
use qga_vm::Vm;

use crate::case::{EVERY, MACHINES, On, cases};
use crate::machine::Machine;

cases![
    an_agent_answers on EVERY,
    a_client_that_connects_before_the_guest_is_up_becomes_ready on MACHINES,
];

async fn an_agent_answers(on: On) {
    let machine = Machine::start(on).await;
    machine.guest().await.execute(Ping).await.unwrap();
}

async fn a_client_that_connects_before_the_guest_is_up_becomes_ready(on: On) {
    let vm = Vm::of(on.image()).boot().await.unwrap();
    let ready = Ready::ping().timeout(Duration::from_secs(120));
    let guest = ready.connect(vm.address()).await.unwrap();
    guest.execute(Ping).await.unwrap();
}
