//! Copies of trees to and from a real agent that go on after their channel was cut.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qga_commands::Guest;
use qga_commands::guest::copy::Transfer;
use qga_core::Client;
use qga_testserver::real_agent::RealAgent;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, duplex, sink, split,
};
use tokio::net::UnixStream;

use crate::copy_resume::names;
use crate::real_shells::copy::tree;

/// How many bytes have passed through a channel, in both directions.
type Passed = Arc<AtomicU64>;

/// A channel to the agent that ends for good after so many bytes.
async fn cut_after(agent: &RealAgent, most: u64) -> (Guest, Passed) {
    let (ours, end) = duplex(4096);
    let agent = UnixStream::connect(agent.path()).await.unwrap();
    let passed = Passed::default();
    let count = Arc::clone(&passed);
    tokio::spawn(async move {
        let (mut answers, mut to_agent) = agent.into_split();
        let (mut requests, mut to_client) = split(end);
        tokio::select! {
            () = pass(&mut answers, &mut to_client, most, &count) => {}
            () = pass(&mut requests, &mut to_agent, most, &count) => {}
        }
        // An agent ends where a connection is closed with answers in it that nobody has read.
        drop(to_agent.shutdown().await);
        drop(copy(&mut answers, &mut sink()).await);
    });
    (Guest::new(Client::new(ours)), passed)
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    most: u64,
    passed: &AtomicU64,
) {
    let mut buffer = vec![0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let before = passed.fetch_add(count as u64, Ordering::Relaxed);
        if before >= most || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Eight long files of 1 MB, and some short ones.
fn make(root: &Path) {
    fs::create_dir_all(root.join("deep/er")).unwrap();
    let content: Vec<u8> = (0..=250).cycle().take(1_000_000).collect();
    for name in ["a", "b\n\\", "deep/c", "deep/er/d", "e", "f", "g", "h"] {
        fs::write(root.join(name), &content).unwrap();
    }
    for number in 0..6 {
        fs::write(root.join(format!("deep/-{number}")), [number; 50]).unwrap();
    }
    fs::write(root.join("none"), "").unwrap();
    symlink("../elsewhere", root.join("link")).unwrap();
    for (name, mode) in [("a", 0o640), ("deep/c", 0o755), ("deep/er", 0o500)] {
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Copies with a channel that is cut in the middle, and then again with another one.
async fn goes_on(transfer: impl Fn(&Guest, &Path, &Path) -> Transfer) {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [from, whole, to] = ["from", "whole", "to"].map(|name| folder.path().join(name));
    make(&from);
    let (guest, all) = cut_after(&agent, u64::MAX).await;
    transfer(&guest, &from, &whole).await.unwrap();
    drop(guest);
    let all = all.load(Ordering::Relaxed);
    let (guest, _) = cut_after(&agent, all / 2).await;
    let error = transfer(&guest, &from, &to).resume(true).await.unwrap_err();
    assert!(!to.exists(), "{error}");
    assert_eq!(names(folder.path()).len(), 3, "a part is left: {error}");
    drop(guest);
    let (guest, rest) = cut_after(&agent, u64::MAX).await;
    let copied = transfer(&guest, &from, &to).resume(true).verify(true).await;
    let copied = copied.unwrap();
    assert!(
        (2_000_000..6_000_000).contains(&copied.resumed),
        "{copied:?}"
    );
    assert_eq!((copied.bytes, copied.grown), (8_000_300, 0));
    let rest = rest.load(Ordering::Relaxed);
    // Two files may be on their way at once, and count for nothing.
    assert!(rest < all * 4 / 5, "{rest} bytes after a half of {all}");
    assert!(tree(&from) == tree(&to));
    assert_eq!(names(folder.path()).len(), 3, "nothing is left");
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_upload_of_a_real_tree_whose_channel_was_cut_goes_on() {
    goes_on(|guest, from, to| guest.upload(from, text(to))).await;
}

#[tokio::test]
async fn a_download_of_a_real_tree_whose_channel_was_cut_goes_on() {
    goes_on(|guest, from, to| guest.download(text(from), to)).await;
}
