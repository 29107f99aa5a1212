//! A program whose channel is cut at each byte, and one whose output nobody takes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use qga_commands::guest::process::ExitStatus;
use qga_testserver::TestAgent;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc::UnboundedSender;

use super::follow::Follow;
use crate::cut::{After, Cut, Line, alone, at_each_byte};
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
async fn run(cut: Cut, after: After) -> (anyhow::Result<ExitStatus>, bool, u64) {
    let line = Line::new(&agent(), cut, after);
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

fn cut_at_each_byte(cut: Cut, after: After) {
    let (ended, is_whole, all) = alone(run(cut.at(u64::MAX), after));
    assert!(ended.unwrap().success() && is_whole);
    let failed = AtomicU64::new(0);
    at_each_byte(all, |bytes| {
        let (ended, is_whole, _) = alone(run(cut.at(bytes), after));
        match ended {
            Ok(status) => assert!(
                status.success() && is_whole,
                "{status} without all of it, when cut after {bytes} bytes"
            ),
            Err(_) => drop(failed.fetch_add(1, Ordering::Relaxed)),
        }
    });
    let failed = failed.into_inner();
    // The last replies are to questions that nothing depends on.
    let most = match after {
        After::Nothing => all * 8 / 10..=all,
        After::Another => 0..=all / 2,
    };
    assert!(most.contains(&failed), "{failed} of {all} have failed");
}

#[test]
fn no_answer_that_is_cut_for_good_lets_a_program_succeed_without_all_of_its_output() {
    cut_at_each_byte(Cut::Answers(0), After::Nothing);
}

#[test]
fn no_answer_that_is_cut_once_lets_a_program_succeed_without_all_of_its_output() {
    cut_at_each_byte(Cut::Answers(0), After::Another);
}

#[test]
fn no_request_that_is_cut_for_good_lets_a_program_succeed_without_all_of_its_output() {
    cut_at_each_byte(Cut::Requests(0), After::Nothing);
}

#[test]
fn no_request_that_is_cut_once_lets_a_program_succeed_without_all_of_its_output() {
    cut_at_each_byte(Cut::Requests(0), After::Another);
}

/// Takes nothing, and somebody ends this program as soon as something comes.
struct Full(UnboundedSender<u8>);

impl AsyncWrite for Full {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        self.0.send(15).unwrap();
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_signal_while_a_program_is_killed_for_its_output_does_not_leave_it_running() {
    let agent = agent();
    let program = agent.program("much");
    program.stdout(STDOUT).never_ends();
    let guest = Line::new(&agent, Cut::Answers(0).at(u64::MAX), After::Nothing);
    let guest = guest.guest().await.unwrap();
    let (sender, mut signals) = Signals::sent();
    let follow = Follow {
        stdout: &mut Full(sender),
        stderr: &mut Vec::new(),
        signals: &mut signals,
        timeout: None,
        guest: "vm1",
        detail: &|_| {},
    };
    let error = follow.run(&guest.command("much")).await.unwrap_err();
    assert!(error.is::<io::Error>(), "{error}");
    assert!(agent.running_processes().is_empty());
}
