use std::time::Duration;

use qga_testserver::{Fault, TestAgent};

/// What goes wrong, and how often in 10,000 replies.
fn all() -> [(Fault, f64); 14] {
    let old = "{\"return\": \"old\", \"id\": 5}\n";
    [
        (Fault::delay(Duration::from_millis(20)), 300.0),
        (Fault::delay(Duration::from_millis(600)), 20.0),
        (Fault::no_answer(), 30.0),
        (Fault::restart(), 10.0),
        (Fault::close_before(), 40.0),
        (Fault::close_within(9), 40.0),
        (Fault::close_after(), 20.0),
        (Fault::twice(), 200.0),
        (Fault::bytes_first(old), 200.0),
        (Fault::torn(20), 40.0),
        (Fault::garbage("\u{1}nothing\n"), 40.0),
        (Fault::wrong_id(5), 40.0),
        (Fault::drip(7), 200.0),
        (Fault::long_line(300_000), 10.0),
    ]
}

/// Makes the agent go wrong by chance, as this seed has it.
pub(crate) fn let_go_wrong(agent: &TestAgent, seed: u64) {
    for (number, (fault, chance)) in (0..).zip(all()) {
        let seed = seed.wrapping_mul(31).wrapping_add(number);
        agent.fault(fault.by_chance_with_seed(chance / 10_000.0, seed));
    }
}
