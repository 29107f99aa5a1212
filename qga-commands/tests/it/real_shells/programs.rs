//! Programs that are run through a guest's shell.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use qga_commands::GuestError;
use qga_testserver::Profile;
use tokio::io::AsyncWrite;

use super::{Place, places};
use crate::support::faults::reconnecting;

#[tokio::test]
async fn a_program_runs_in_the_folder_that_is_set() {
    for Place {
        name, guest, base, ..
    } in &places("current_dir").await
    {
        let folder = format!("{base}/a folder");
        guest.create_dir_all(&folder).await.unwrap();
        let ends = |text: &str| text.trim_end().ends_with("/a folder");
        let mut pwd = guest.command("pwd");
        pwd.current_dir(&folder);
        let output = pwd.output().await.unwrap();
        assert!(ends(&output.stdout_lossy()), "{name}: {output:?}");
        let spawned = pwd.spawn().await.unwrap();
        let output = spawned.wait_with_output(1000).await.unwrap();
        assert!(ends(&output.stdout_lossy()), "{name}: {output:?}");
        let started = pwd.start().await.unwrap().wait().await.unwrap();
        assert!(ends(&started.stdout_lossy()), "{name}");
        let mut env = guest.command("env");
        env.env("A", "1 2").current_dir(&folder);
        let output = env.output().await.unwrap();
        assert!(
            output.stdout_lossy().lines().any(|line| line == "A=1 2"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_125_and_a_program_127() {
    for Place {
        name, guest, base, ..
    } in &places("no folder").await
    {
        let none = format!("{base}/none");
        let output = guest
            .command("pwd")
            .current_dir(&none)
            .output()
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(125), "{name}");
        assert!(output.stderr_lossy().contains("none"), "{name}: {output:?}");
        let mut none = guest.command("no-such-program");
        let output = none.current_dir(base).output().await.unwrap();
        assert_eq!(output.status.code(), Some(127), "{name}");
        let error = guest
            .command("-x")
            .current_dir(base)
            .output()
            .await
            .unwrap_err();
        assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_without_a_shell_says_what_it_cannot_do() {
    for windows in [true, false] {
        let (agent, guest) = reconnecting().await;
        agent.file("/etc/hostname", "x");
        if windows {
            agent.profile(Profile::Windows);
            let text = "Failed to execute helper program (No such file or directory)";
            agent.on("guest-exec").error("GenericError", text);
        } else {
            agent.disable("guest-exec");
        }
        let mut errors = vec![
            guest.create_dir_all("/x").await.unwrap_err(),
            guest.remove_file("/x").await.unwrap_err(),
            guest.metadata("/x").await.unwrap_err(),
            guest.read_dir("/x").await.unwrap_err(),
        ];
        if windows {
            let mut command = guest.command("cmd");
            errors.push(command.current_dir("C:\\").output().await.unwrap_err());
        }
        for error in errors {
            assert!(matches!(error, GuestError::Unsupported(_)), "{error:?}");
            let io = io::Error::from(error);
            assert_eq!(io.kind(), io::ErrorKind::Unsupported);
        }
        // An agent can at least try to open a file.
        assert!(guest.try_exists("/etc/hostname").await.unwrap());
        assert!(!guest.try_exists("/etc/none").await.unwrap());
        assert!(agent.open_handles().is_empty());
    }
}

#[tokio::test]
async fn a_childs_output_is_copied_to_two_writers() {
    for Place { name, guest, .. } in &places("copy_output").await {
        let script = "echo one; echo two >&2; echo three; exit 3";
        let mut shell = guest.command("sh");
        let mut child = shell.args(["-c", script]).spawn().await.unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = child.copy_output(&mut out, &mut err).await.unwrap();
        assert_eq!(status.code(), Some(3), "{name}");
        assert_eq!(
            (&*out, &*err),
            (&b"one\nthree\n"[..], &b"two\n"[..]),
            "{name}"
        );
    }
}

/// A writer that takes one byte at a time, or nothing.
struct Reluctant(Vec<u8>, usize);

impl AsyncWrite for Reluctant {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = self.1.min(bytes.len());
        self.0.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_takes_little_loses_nothing_and_one_that_takes_nothing_is_an_error() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").stdout("abc").stderr("def").exit(0);
    let mut child = guest.command("job").spawn().await.unwrap();
    let (mut out, mut err) = (Reluctant(Vec::new(), 1), Reluctant(Vec::new(), 2));
    child.copy_output(&mut out, &mut err).await.unwrap();
    assert_eq!((&*out.0, &*err.0), (&b"abc"[..], &b"def"[..]));
    let mut child = guest.command("job").spawn().await.unwrap();
    let mut none = Reluctant(Vec::new(), 0);
    let error = child.copy_output(&mut out, &mut none).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_taken_is_not_copied() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").stdout("abc").stderr("def").exit(0);
    let mut child = guest.command("job").spawn().await.unwrap();
    let _taken = child.stderr.take();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    child.copy_output(&mut out, &mut err).await.unwrap();
    assert_eq!((&*out, &*err), (&b"abc"[..], &b""[..]));
}
