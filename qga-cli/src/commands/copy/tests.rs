//! A copy whose channel is cut at each byte.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use clap::Parser as _;
use indicatif::ProgressBar;
use qga_testserver::TestAgent;

use super::Cp;
use crate::cli::{Cli, Command};
use crate::cut::{After, Cut, Line};
use crate::signals::Signals;

const OLD: &[u8] = b"as it was";
const REMOTE: &str = "/srv/remote";

fn new() -> Vec<u8> {
    (0..=255).cycle().take(700).collect()
}

/// What is typed, as far as it says how to copy.
fn cp() -> Cp {
    match Cli::parse_from(["qga", "cp", "from", "to"]).command {
        Command::Cp(cp) => cp,
        _ => unreachable!(),
    }
}

/// Copies over a file that is there, and says whether that has succeeded, whether all of it is there, and how many bytes
/// have passed.
async fn copy(local: &Path, is_upload: bool, cut: Cut, after: After) -> (bool, bool, u64) {
    let agent = Arc::new(TestAgent::in_memory().0);
    let (here, there) = if is_upload {
        (new(), OLD.to_vec())
    } else {
        (OLD.to_vec(), new())
    };
    fs::write(local, &here).unwrap();
    agent.file(REMOTE, there);
    let line = Line::new(&agent, cut, after);
    let copied = match line.guest().await {
        Ok(guest) => {
            let transfer = if is_upload {
                guest.upload(local, REMOTE)
            } else {
                guest.download(REMOTE, local)
            };
            let (_sender, mut signals) = Signals::sent();
            let (cp, bar) = (cp(), ProgressBar::hidden());
            let copy = cp.carry(transfer, &bar);
            let copied = cp.unless_stopped(copy, &mut signals, &bar).await;
            copied.is_ok_and(|copied| copied.unwrap().bytes == new().len() as u64)
        }
        Err(_) => false,
    };
    let found = if is_upload {
        agent.file_content(REMOTE).unwrap()
    } else {
        fs::read(local).unwrap()
    };
    let is_whole = found == new();
    assert!(is_whole || found == OLD, "half a file, {cut:?}");
    (copied, is_whole, line.passed())
}

async fn cut_at_each_byte(is_upload: bool, cut: Cut, after: After) {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("local");
    let (copied, is_whole, all) = copy(&local, is_upload, cut.at(u64::MAX), after).await;
    assert!(copied && is_whole);
    let tried = all.div_ceil(cut.step(after) as u64);
    let mut failed = 0;
    for bytes in (0..all).step_by(cut.step(after)) {
        let (copied, is_whole, _) = copy(&local, is_upload, cut.at(bytes), after).await;
        assert!(is_whole || !copied, "a success after {bytes} bytes");
        failed += u64::from(!copied);
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "a temporary file is left after {bytes} bytes");
    }
    let expected = match after {
        After::Nothing => tried / 2..=tried,
        // Only the connecting itself is not done again.
        After::Another => 0..=200,
    };
    assert!(
        expected.contains(&failed),
        "{failed} of {tried} have failed"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_answers_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at_each_byte(true, Cut::Answers(0), After::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_requests_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at_each_byte(true, Cut::Requests(0), After::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_answers_are_cut_once_goes_on() {
    cut_at_each_byte(true, Cut::Answers(0), After::Another).await;
}

#[tokio::test(start_paused = true)]
async fn a_download_whose_answers_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at_each_byte(false, Cut::Answers(0), After::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn a_download_whose_requests_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at_each_byte(false, Cut::Requests(0), After::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn a_download_whose_answers_are_cut_once_goes_on() {
    cut_at_each_byte(false, Cut::Answers(0), After::Another).await;
}
