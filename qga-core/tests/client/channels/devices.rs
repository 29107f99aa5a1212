//! Serial devices.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use qga_core::{Address, Client, Error, Stage};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{Failing, assert_say};

fn pseudoterminal() -> (File, PathBuf) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap();
    (File::from(master), path.into_string().unwrap().into())
}

#[tokio::test]
async fn what_is_no_terminal_and_no_virtio_port_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "as it was").unwrap();
    for path in [
        Path::new("/dev/null"),
        Path::new("/dev/tty"),
        Path::new("/dev/ptmx"),
        folder.path(),
        &file,
    ] {
        let errors = Failing::new().errors(Address::Serial(path.into())).await;
        assert_say(
            &errors,
            Stage::Connect,
            &["neither a terminal nor a virtio port"],
        );
        assert!(errors.iter().all(Error::is_permanent));
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"as it was");
}

#[tokio::test]
async fn a_device_that_is_not_there_is_told_from_a_socket() {
    let errors = Failing::new().errors("serial:/dev/qga-none").await;
    assert_say(
        &errors,
        Stage::Connect,
        &["at serial:/dev/qga-none: there is no such device"],
    );
}

#[tokio::test]
async fn a_device_that_another_program_has_locked_is_held() {
    let (_master, path) = pseudoterminal();
    let other = File::open(&path).unwrap();
    other.lock().unwrap();
    let errors = Failing::new().errors(Address::Serial(path.clone())).await;
    assert_say(&errors, Stage::Connect, &["the channel is busy"]);
    assert!(errors.iter().all(Error::is_held));
    drop(other);
    let errors = Failing::new().soon().errors(Address::Serial(path)).await;
    assert!(errors.iter().all(Error::is_timeout), "{errors:?}");
}

#[tokio::test]
async fn the_end_of_a_pseudoterminal_is_the_end_of_the_channel() {
    let (master, path) = pseudoterminal();
    let builder = Client::builder().connect_timeout(Duration::from_secs(20));
    let connecting = tokio::spawn(async move { builder.connect(Address::Serial(path)).await });
    // Its other side has opened it once it has written.
    let master = tokio::task::spawn_blocking(move || {
        use std::io::Read;
        (&master).read_exact(&mut [0; 10]).unwrap();
        master
    });
    drop(master.await.unwrap());
    let error = connecting.await.unwrap().unwrap_err();
    assert!(error.is_closed(), "{error}");
}
