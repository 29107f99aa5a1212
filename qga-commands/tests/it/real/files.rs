//! Files read and written by a real agent, where one is installed.

#![cfg(unix)]

use std::io::SeekFrom;

use qga_commands::guest::files::OpenOptions;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::real;

#[tokio::test]
async fn a_real_file_comes_back_as_it_went() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file").display().to_string();
    for length in [0, 1, 262_144, 3_000_000] {
        let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
        guest.write(&path, &bytes).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
        assert!(guest.read(&path).await.unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_real_file_is_read_written_and_sought() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file").display().to_string();
    guest.write(&path, "0123456789").await.unwrap();
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .open(&guest, &path)
        .await
        .unwrap();
    let mut two = [0; 2];
    file.read_exact(&mut two).await.unwrap();
    file.write_all(b"ab").await.unwrap();
    file.read_exact(&mut two).await.unwrap();
    assert_eq!(&two, b"45");
    file.seek(SeekFrom::End(-1)).await.unwrap();
    file.write_all(b"cd").await.unwrap();
    file.close().await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"01ab45678cd");

    options.read(false).write(false).append(true).create(true);
    let mut file = options.open(&guest, &path).await.unwrap();
    file.write_all(b"!").await.unwrap();
    file.flush().await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"01ab45678cd!");
    drop(file);
    let name = guest.read_to_string("/etc/hostname").await.unwrap();
    assert_eq!(name, std::fs::read_to_string("/etc/hostname").unwrap());
}
