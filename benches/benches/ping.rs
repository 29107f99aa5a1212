//! A sequential `guest-ping` beside the same bytes over a bare socket.

use criterion::{Criterion, criterion_group, criterion_main};
use qga_commands::commands::agent::Ping;

fn ping(criterion: &mut Criterion) {
    benches::compare(criterion, Ping, "{}");
    benches::compare_blocking(criterion, Ping, "{}");
}

criterion_group!(group, ping);
criterion_main!(group);
