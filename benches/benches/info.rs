//! A `guest-info` of 60 commands, decoded, beside the same bytes over a bare socket.

use criterion::{Criterion, criterion_group, criterion_main};
use qga_commands::commands::agent::Info;

fn info(criterion: &mut Criterion) {
    let commands: Vec<String> = (0..60)
        .map(|n| {
            format!("{{\"enabled\": true, \"name\": \"guest-some-command-{n}\", \"success-response\": true}}")
        })
        .collect();
    let returned = format!(
        "{{\"version\": \"10.0.2\", \"supported_commands\": [{}]}}",
        commands.join(", ")
    );
    benches::compare(criterion, Info, returned.leak());
}

criterion_group!(group, info);
criterion_main!(group);
