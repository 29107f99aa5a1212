//! Copies whose channel is cut at each byte.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use clap::Parser as _;
use indicatif::ProgressBar;
use qga_testserver::TestAgent;

use super::Cp;
use crate::cli::{Cli, Command};
use crate::cut::{
    After, Cut, EACH_BYTE, EACH_BYTE_WOULD_TAKE_A_MINUTE, EACH_BYTE_WOULD_TAKE_HALF_A_MINUTE, Line,
};
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

async fn cut_at(step: usize, is_upload: bool, cut: Cut, after: After) {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("local");
    let (copied, is_whole, all) = copy(&local, is_upload, cut.at(u64::MAX), after).await;
    assert!(copied && is_whole);
    let tried = all.div_ceil(step as u64);
    let mut failed = 0;
    for bytes in (0..all).step_by(step) {
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
    cut_at(EACH_BYTE, true, Cut::Answers(0), After::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_requests_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at(
        EACH_BYTE_WOULD_TAKE_A_MINUTE,
        true,
        Cut::Requests(0),
        After::Nothing,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_answers_are_cut_once_goes_on() {
    cut_at(EACH_BYTE, true, Cut::Answers(0), After::Another).await;
}

#[tokio::test(start_paused = true)]
async fn a_download_whose_answers_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at(EACH_BYTE, false, Cut::Answers(0), After::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn a_download_whose_requests_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at(EACH_BYTE, false, Cut::Requests(0), After::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn a_download_whose_answers_are_cut_once_goes_on() {
    cut_at(EACH_BYTE, false, Cut::Answers(0), After::Another).await;
}

/// What is typed to go on with a copy.
fn resuming() -> Cp {
    match Cli::parse_from(["qga", "cp", "--resume", "from", "to"]).command {
        Command::Cp(cp) => cp,
        _ => unreachable!(),
    }
}

/// Copies with `--resume`, once with a channel that is cut for good, and once more with another one.
async fn resumed_after_a_cut(is_upload: bool) {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("local");
    let cut = Cut::Answers(0);
    let mut failed = 0;
    for bytes in (0..).step_by(EACH_BYTE_WOULD_TAKE_HALF_A_MINUTE) {
        let agent = Arc::new(TestAgent::in_memory().0);
        let (here, there) = if is_upload {
            (new(), OLD.to_vec())
        } else {
            (OLD.to_vec(), new())
        };
        fs::write(&local, &here).unwrap();
        agent.file(REMOTE, there);
        let mut outcomes = Vec::new();
        for cut in [cut.at(bytes), cut.at(u64::MAX)] {
            let line = Line::new(&agent, cut, After::Nothing);
            let Ok(guest) = line.guest().await else {
                outcomes.push(false);
                continue;
            };
            let transfer = if is_upload {
                guest.upload(&local, REMOTE)
            } else {
                guest.download(REMOTE, &local)
            };
            let copied = resuming().carry(transfer, &ProgressBar::hidden()).await;
            let found = if is_upload {
                agent.file_content(REMOTE).unwrap()
            } else {
                fs::read(&local).unwrap()
            };
            assert!(found == new() || found == OLD, "half a file, {bytes}");
            assert!(copied.is_err() || found == new(), "{bytes}");
            outcomes.push(copied.is_ok());
        }
        assert!(outcomes[1], "it does not go on after {bytes} bytes");
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "a part is left after {bytes} bytes");
        if outcomes[0] {
            assert!(failed > 20, "only {failed} have failed");
            return;
        }
        failed += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_was_cut_for_good_anywhere_is_ended_by_the_next_one() {
    resumed_after_a_cut(true).await;
}

#[tokio::test(start_paused = true)]
async fn a_download_that_was_cut_for_good_anywhere_is_ended_by_the_next_one() {
    resumed_after_a_cut(false).await;
}

/// Copies a tree with a link, and says whether that has succeeded and how many bytes have passed. It is whole or absent.
async fn copy_tree(folder: &Path, is_upload: bool, cut: Cut) -> (bool, u64) {
    let (agent, here) = (Arc::new(TestAgent::in_memory().0), folder.join("here"));
    agent.file("/srv/tree/file", "x");
    agent.symlink("/srv/tree/link", "file");
    let line = Line::new(&agent, cut, After::Nothing);
    let copied = match line.guest().await {
        Ok(guest) if is_upload => {
            cp().carry(guest.upload(&here, "/srv/copy"), &ProgressBar::hidden())
                .await
        }
        Ok(guest) => {
            let download = guest.download("/srv/tree", folder.join("copy"));
            cp().carry(download, &ProgressBar::hidden()).await
        }
        Err(_) => return (false, line.passed()),
    };
    let (is_there, is_whole) = if is_upload {
        let found = agent.file_content("/srv/copy/link");
        let file = agent.file_content("/srv/copy/file");
        (
            found.is_some() || file.is_some(),
            found == Some(b"x".to_vec()) && file.is_some(),
        )
    } else {
        let target = folder.join("copy");
        let found = fs::read_link(target.join("link"));
        let is_linked = found.is_ok_and(|found| found == Path::new("file"));
        let file = fs::read(target.join("file"));
        (
            target.exists(),
            is_linked && file.is_ok_and(|file| file == b"x"),
        )
    };
    assert!(is_whole || !is_there, "half a tree, {cut:?}");
    assert!(is_whole || copied.is_err(), "a success, {cut:?}");
    let _ = fs::remove_dir_all(folder.join("copy"));
    (copied.is_ok(), line.passed())
}

async fn tree_cut_at_each_byte(is_upload: bool) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("file"), "x").unwrap();
    std::os::unix::fs::symlink("file", here.join("link")).unwrap();
    let cut = Cut::Answers(0);
    let (copied, all) = copy_tree(folder.path(), is_upload, cut.at(u64::MAX)).await;
    assert!(copied);
    for bytes in 0..all {
        copy_tree(folder.path(), is_upload, cut.at(bytes)).await;
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "a temporary folder is left after {bytes} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_of_a_tree_with_links_is_whole_or_absent_wherever_it_is_cut() {
    tree_cut_at_each_byte(true).await;
}

#[tokio::test(start_paused = true)]
async fn a_download_of_a_tree_with_links_is_whole_or_absent_wherever_it_is_cut() {
    tree_cut_at_each_byte(false).await;
}
