//! A program whose channel is cut at each byte.

use std::sync::Arc;

use qga_commands::guest::process::ExitStatus;
use qga_testserver::TestAgent;

use super::follow::Follow;
use crate::cut::{After, Cut, Line};
use crate::signals::Signals;

const STDOUT: &[u8] = b"one\ntwo\nthree\n";
const STDERR: &[u8] = b"hm\n";

fn agent() -> Arc<TestAgent> {
    let (agent, _) = TestAgent::in_memory();
    let program = agent.program("three");
    program.stdout(STDOUT).stderr(STDERR).exit(0);
    Arc::new(agent)
}

/// Runs it, and says how it ended, what was seen of it, and how many bytes have passed.
async fn run(
    agent: &Arc<TestAgent>,
    cut: Cut,
    after: After,
) -> (anyhow::Result<ExitStatus>, bool, u64) {
    let line = Line::new(agent, cut, after);
    let guest = match line.guest().await {
        Ok(guest) => guest,
        Err(error) => return (Err(error.into()), false, line.passed()),
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (_sender, mut signals) = Signals::sent();
    let follow = Follow {
        stdout: &mut stdout,
        stderr: &mut stderr,
        signals: &mut signals,
        timeout: None,
        guest: "vm1",
        detail: &|_| {},
    };
    let ended = follow.run(&guest.command("three")).await;
    let is_whole = stdout == STDOUT && stderr == STDERR;
    (ended, is_whole, line.passed())
}

async fn cut_at_each_byte(cut: Cut, after: After) {
    let mut agent = agent();
    let (ended, is_whole, all) = run(&agent, cut.at(u64::MAX), after).await;
    assert!(ended.unwrap().success() && is_whole);
    let tried = all.div_ceil(cut.step(after) as u64);
    let mut failed = 0;
    for bytes in (0..all).step_by(cut.step(after)) {
        if after == After::Another {
            // What was left running is its own.
            agent = self::agent();
        }
        let (ended, is_whole, _) = run(&agent, cut.at(bytes), after).await;
        match ended {
            Ok(status) => assert!(
                status.success() && is_whole,
                "{status} without all of it, when cut after {bytes} bytes"
            ),
            Err(_) => failed += 1,
        }
    }
    // The last replies are to questions that nothing depends on.
    let most = match after {
        After::Nothing => tried * 8 / 10..=tried,
        After::Another => 0..=tried / 2,
    };
    assert!(most.contains(&failed), "{failed} of {tried} have failed");
}

#[tokio::test(start_paused = true)]
async fn no_answer_that_is_cut_for_good_lets_a_program_succeed_without_all_of_its_output() {
    cut_at_each_byte(Cut::Answers(0), After::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn no_answer_that_is_cut_once_lets_a_program_succeed_without_all_of_its_output() {
    cut_at_each_byte(Cut::Answers(0), After::Another).await;
}

#[tokio::test(start_paused = true)]
async fn no_request_that_is_cut_for_good_lets_a_program_succeed_without_all_of_its_output() {
    cut_at_each_byte(Cut::Requests(0), After::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn no_request_that_is_cut_once_lets_a_program_succeed_without_all_of_its_output() {
    cut_at_each_byte(Cut::Requests(0), After::Another).await;
}
