//! Copies whose channel is cut at each byte.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use clap::Parser as _;
use indicatif::ProgressBar;
use qga_testserver::TestAgent;

use super::Cp;
use crate::cli::{Cli, Command};
use crate::cut::{After, Cut, Line, alone, at_each_byte};
use crate::signals::Signals;

const OLD: &[u8] = b"as it was";
const REMOTE: &str = "/srv/remote";

/// Short, since there is a cut at each byte that it takes in a message.
fn new() -> Vec<u8> {
    (200..=255).collect()
}

/// What is typed, as far as it says how to copy.
fn cp(args: &[&str]) -> Cp {
    match Cli::parse_from([&["qga", "cp"], args, &["from", "to"]].concat()).command {
        Command::Cp(cp) => cp,
        _ => unreachable!(),
    }
}

static CP: LazyLock<Cp> = LazyLock::new(|| cp(&[]));
static RESUMING: LazyLock<Cp> = LazyLock::new(|| cp(&["--resume"]));

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
            let bar = ProgressBar::hidden();
            let copy = CP.carry(transfer, &bar);
            let copied = CP.unless_stopped(copy, &mut signals, &bar).await;
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

fn cut_at_each_byte(is_upload: bool, cut: Cut, after: After) {
    let copied_in_a_folder = |cut: Cut| {
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("local");
        let done = alone(copy(&local, is_upload, cut, after));
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "a temporary file is left, {cut:?}");
        done
    };
    let (copied, is_whole, all) = copied_in_a_folder(cut.at(u64::MAX));
    assert!(copied && is_whole);
    let failed = AtomicU64::new(0);
    at_each_byte(all, |bytes| {
        let (copied, is_whole, _) = copied_in_a_folder(cut.at(bytes));
        assert!(is_whole || !copied, "a success after {bytes} bytes");
        failed.fetch_add(u64::from(!copied), Ordering::Relaxed);
    });
    let failed = failed.into_inner();
    let expected = match after {
        After::Nothing => all / 2..=all,
        // Only the connecting itself is not done again.
        After::Another => 0..=200,
    };
    assert!(expected.contains(&failed), "{failed} of {all} have failed");
}

#[test]
fn an_upload_whose_answers_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at_each_byte(true, Cut::Answers(0), After::Nothing);
}

#[test]
fn an_upload_whose_requests_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at_each_byte(true, Cut::Requests(0), After::Nothing);
}

#[test]
fn an_upload_whose_answers_are_cut_once_goes_on() {
    cut_at_each_byte(true, Cut::Answers(0), After::Another);
}

#[test]
fn a_download_whose_answers_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at_each_byte(false, Cut::Answers(0), After::Nothing);
}

#[test]
fn a_download_whose_requests_are_cut_for_good_leaves_no_half_file_and_no_success() {
    cut_at_each_byte(false, Cut::Requests(0), After::Nothing);
}

#[test]
fn a_download_whose_answers_are_cut_once_goes_on() {
    cut_at_each_byte(false, Cut::Answers(0), After::Another);
}

/// Copies with `--resume`, once with a channel that is cut for good, and once more with another one. Whether the first one
/// has succeeded, and how many bytes have passed in it.
async fn resumed_after(local: &Path, is_upload: bool, cut: Cut) -> (bool, u64) {
    let agent = Arc::new(TestAgent::in_memory().0);
    let (here, there) = if is_upload {
        (new(), OLD.to_vec())
    } else {
        (OLD.to_vec(), new())
    };
    fs::write(local, &here).unwrap();
    agent.file(REMOTE, there);
    let mut outcomes = Vec::new();
    for cut in [cut, cut.at(u64::MAX)] {
        let line = Line::new(&agent, cut, After::Nothing);
        let Ok(guest) = line.guest().await else {
            outcomes.push((false, line.passed()));
            continue;
        };
        let transfer = if is_upload {
            guest.upload(local, REMOTE)
        } else {
            guest.download(REMOTE, local)
        };
        let copied = RESUMING.carry(transfer, &ProgressBar::hidden()).await;
        let found = if is_upload {
            agent.file_content(REMOTE).unwrap()
        } else {
            fs::read(local).unwrap()
        };
        assert!(found == new() || found == OLD, "half a file, {cut:?}");
        assert!(copied.is_err() || found == new(), "{cut:?}");
        outcomes.push((copied.is_ok(), line.passed()));
    }
    assert!(outcomes[1].0, "it does not go on, {cut:?}");
    outcomes[0]
}

fn resumed_after_each_byte(is_upload: bool) {
    let resumed_in_a_folder = |cut| {
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("local");
        let done = alone(resumed_after(&local, is_upload, cut));
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "a part is left, {cut:?}");
        done
    };
    let (is_whole, all) = resumed_in_a_folder(Cut::Answers(u64::MAX));
    assert!(is_whole);
    let failed = AtomicU64::new(0);
    at_each_byte(all, |bytes| {
        let (is_whole, _) = resumed_in_a_folder(Cut::Answers(bytes));
        failed.fetch_add(u64::from(!is_whole), Ordering::Relaxed);
    });
    let failed = failed.into_inner();
    assert!(failed > all / 2, "{failed} of {all} have failed");
}

#[test]
fn an_upload_that_was_cut_for_good_anywhere_is_ended_by_the_next_one() {
    resumed_after_each_byte(true);
}

#[test]
fn a_download_that_was_cut_for_good_anywhere_is_ended_by_the_next_one() {
    resumed_after_each_byte(false);
}

/// Copies a tree with a link, and says whether that has succeeded and how many bytes have passed. It is whole or absent.
async fn copy_tree(folder: &Path, is_upload: bool, cut: Cut) -> (bool, u64) {
    let (agent, here) = (Arc::new(TestAgent::in_memory().0), folder.join("here"));
    agent.file("/srv/tree/file", "x");
    agent.symlink("/srv/tree/link", "file");
    let line = Line::new(&agent, cut, After::Nothing);
    let copied = match line.guest().await {
        Ok(guest) if is_upload => {
            CP.carry(guest.upload(&here, "/srv/copy"), &ProgressBar::hidden())
                .await
        }
        Ok(guest) => {
            let download = guest.download("/srv/tree", folder.join("copy"));
            CP.carry(download, &ProgressBar::hidden()).await
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

fn tree_cut_at_each_byte(is_upload: bool) {
    let copied_in_a_folder = |cut| {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("here");
        fs::create_dir(&here).unwrap();
        fs::write(here.join("file"), "x").unwrap();
        std::os::unix::fs::symlink("file", here.join("link")).unwrap();
        let done = alone(copy_tree(folder.path(), is_upload, cut));
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "a temporary folder is left, {cut:?}");
        done
    };
    let (copied, all) = copied_in_a_folder(Cut::Answers(u64::MAX));
    assert!(copied);
    at_each_byte(all, |bytes| {
        copied_in_a_folder(Cut::Answers(bytes));
    });
}

#[test]
fn an_upload_of_a_tree_with_links_is_whole_or_absent_wherever_it_is_cut() {
    tree_cut_at_each_byte(true);
}

#[test]
fn a_download_of_a_tree_with_links_is_whole_or_absent_wherever_it_is_cut() {
    tree_cut_at_each_byte(false);
}
