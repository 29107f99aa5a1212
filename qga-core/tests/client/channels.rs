//! Channels that cannot be opened, or end: each says which address, at which stage, and what to do.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use qga_core::{
    Address, Client, Error, ErrorKind, Execution, Options, SshAddress, Stage, blocking,
};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::support::{Peer, Ping, chain};

/// How both clients fail to connect.
struct Failing {
    ssh: Vec<String>,
    timeout: Duration,
}

impl Failing {
    fn new() -> Self {
        Self {
            ssh: Vec::new(),
            timeout: Duration::from_secs(20),
        }
    }

    /// Has this script of a shell do what `ssh` does, with its arguments.
    fn ssh(script: &str) -> Self {
        let words = ["sh", "-c", script, "ssh"];
        Self {
            ssh: words.map(str::to_owned).into(),
            ..Self::new()
        }
    }

    fn soon(self) -> Self {
        Self {
            timeout: Duration::from_millis(200),
            ..self
        }
    }

    async fn errors(self, address: impl TryInto<Address, Error: std::fmt::Debug>) -> [Error; 2] {
        let address = address.try_into().unwrap();
        let text = address.to_string();
        let builder = Client::builder()
            .exec_scheme(true)
            .ssh(self.ssh.clone())
            .connect_timeout(self.timeout);
        let error = builder.connect(&address).await.unwrap_err();
        let blocking = tokio::task::spawn_blocking(move || {
            let builder = blocking::Client::builder()
                .exec_scheme(true)
                .ssh(self.ssh)
                .connect_timeout(self.timeout);
            builder.connect(address).unwrap_err()
        });
        let errors = [error, blocking.await.unwrap()];
        for error in &errors {
            assert_eq!(error.execution(), Execution::NotRun);
            assert_eq!(error.address(), Some(text.as_str()));
        }
        errors
    }
}

#[track_caller]
fn assert_say(errors: &[Error], stage: Stage, words: &[&str]) {
    for error in errors {
        assert_eq!(error.stage(), stage, "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
    }
}

fn exec(script: &str) -> Address {
    Address::Exec(["sh", "-c", script].map(str::to_owned).into())
}

mod programs {
    use super::*;

    #[tokio::test]
    async fn a_program_runs_only_if_the_builder_allows_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ran");
        let address = exec(&format!("touch {}", file.display()));
        let error = Client::connect(&address).await.unwrap_err();
        let lazy = Client::builder().connect_lazy(&address).err().unwrap();
        let from_blocking = blocking::Client::connect(&address).err().unwrap();
        let errors = [error, lazy, from_blocking];
        assert_say(
            &errors,
            Stage::Connect,
            &["connect at exec:sh", "exec_scheme"],
        );
        assert!(errors.iter().all(Error::is_permanent));
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let errors = Failing::new().errors("exec:qga-no-such-program x").await;
        let words = ["at exec:qga-no-such-program x: there is no program `qga-no-such-program`"];
        assert_say(&errors, Stage::Connect, &words);
    }

    #[tokio::test]
    async fn a_program_that_ends_at_once_says_why_and_with_which_status() {
        let errors = Failing::new()
            .errors(exec("echo no such pod >&2; echo sorry >&2; exit 3"))
            .await;
        let words = ["the program `sh` ended with exit status 3: no such pod; sorry"];
        assert_say(&errors, Stage::Sync, &words);
        assert!(errors.iter().all(Error::is_closed));
        let errors = Failing::new().errors(exec("kill -9 $$")).await;
        assert_say(
            &errors,
            Stage::Sync,
            &["the program `sh` was ended by signal 9"],
        );
        let errors = Failing::new().errors(exec("echo nothing to do >&2")).await;
        assert_say(&errors, Stage::Sync, &["exit status 0: nothing to do"]);
    }

    #[tokio::test]
    async fn a_program_that_ends_well_is_a_channel_that_ends() {
        let errors = Failing::new().errors("exec:true").await;
        assert_say(&errors, Stage::Sync, &["the other side closed the channel"]);
    }

    #[tokio::test]
    async fn what_a_program_says_of_errors_is_short_and_safe_to_show() {
        let script =
            "head -c 5000 /dev/zero | tr '\\0' x >&2; printf '\\n\\033[2Jbad\\n' >&2; exit 1";
        for error in Failing::new().errors(exec(script)).await {
            let text = error.to_string();
            assert!(
                text.len() < 1500 && text.contains(r"\u{1b}[2Jbad"),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn a_program_that_only_complains_ends_at_the_deadline() {
        let errors = Failing::new()
            .soon()
            .errors(exec("yes complaint >&2"))
            .await;
        assert!(errors.iter().all(Error::is_timeout), "{errors:?}");
    }

    #[tokio::test]
    async fn a_program_that_talks_nonsense_ends_at_the_deadline() {
        let errors = Failing::new().soon().errors("exec:yes nonsense").await;
        assert!(errors.iter().all(Error::is_timeout), "{errors:?}");
    }

    #[tokio::test]
    async fn a_program_that_closes_its_output_and_runs_on_is_a_channel_that_ends() {
        let errors = Failing::new()
            .errors(exec("exec >&- <&-; exec sleep 1000"))
            .await;
        assert!(errors.iter().all(Error::is_closed), "{errors:?}");
    }

    #[tokio::test]
    async fn a_program_is_killed_with_its_client() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let script = format!(
            "trap '' HUP TERM; echo $$ >> {}; exec sleep 1000",
            pids.display()
        );
        let errors = Failing::new().soon().errors(exec(&script)).await;
        assert!(errors.iter().all(Error::is_timeout), "{errors:?}");
        let pids = std::fs::read_to_string(pids).unwrap();
        assert_eq!(pids.lines().count(), 2);
        for pid in pids.lines() {
            until_it_runs_no_more(pid).await;
        }
        // The next one has the ends of those before taken note of.
        let errors = Failing::new().errors("exec:false").await;
        assert_eq!(errors.len(), 2);
        for pid in pids.lines() {
            assert!(!Path::new("/proc").join(pid).exists());
        }
    }

    async fn until_it_runs_no_more(pid: &str) {
        let status = Path::new("/proc").join(pid).join("status");
        while std::fs::read_to_string(&status).is_ok_and(|status| !status.contains("State:\tZ")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

mod devices {
    use super::*;

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
        for path in [Path::new("/dev/null"), folder.path(), &file] {
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
}

mod proxies {
    use super::*;

    /// What listens at the path, and answers each client so.
    async fn errors(answer: &'static [u8], hangs: bool) -> [Error; 2] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let serving = tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 13];
                stream.read_exact(&mut request).await.unwrap();
                assert_eq!(&request, b"CONNECT 1024\n");
                let _ = stream.write_all(answer).await;
                if hangs {
                    kept.push(stream);
                }
            }
        });
        let failing = Failing::new();
        let failing = if hangs { failing.soon() } else { failing };
        let errors = failing
            .errors(Address::VsockProxy { path, port: 1024 })
            .await;
        serving.abort();
        errors
    }

    #[tokio::test]
    async fn a_proxy_that_answers_nonsense_is_quoted() {
        for answer in [
            &b"HTTP/1.1 400\x1b\r\n"[..],
            b"OKAY\n",
            b"\n",
            &[b'x'; 1000],
        ] {
            let errors = errors(answer, false).await;
            assert_say(
                &errors,
                Stage::Connect,
                &["in place of OK; is it the vsock socket"],
            );
            assert!(errors.iter().all(|error| error.to_string().len() < 400));
        }
    }

    #[tokio::test]
    async fn an_end_before_ok_means_that_nobody_listens_in_the_machine_yet() {
        for answer in [&b""[..], b"OK 10"] {
            let errors = errors(answer, false).await;
            assert_say(
                &errors,
                Stage::Connect,
                &["nobody listens on port 1024 in the machine"],
            );
            assert!(!errors.iter().any(Error::is_permanent));
        }
    }

    #[tokio::test]
    async fn a_proxy_that_says_nothing_ends_at_the_deadline() {
        let errors = errors(b"OK ", true).await;
        assert_say(&errors, Stage::Connect, &["no connection within 200ms"]);
        assert!(errors.iter().all(Error::is_timeout));
    }

    #[tokio::test]
    async fn a_machine_that_listens_later_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let patient = Options::new()
            .timeout(Duration::from_secs(60))
            .wait_for_channel(true);
        let client = Client::builder()
            .options(patient)
            .pauses(Duration::from_millis(1)..=Duration::from_millis(5))
            .connect_lazy(Address::VsockProxy { path, port: 1024 })
            .unwrap();
        let machine = async {
            for attempt in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.read_exact(&mut [0; 13]).await.unwrap();
                if attempt == 4 {
                    // What the agent says at once belongs to the channel.
                    stream
                        .write_all(b"OK 1073741824\n{\"return\": 5}\n")
                        .await
                        .unwrap();
                    let mut peer = Peer::over(stream);
                    peer.sync().await;
                    peer.answer(serde_json::json!({})).await;
                    return;
                }
            }
        };
        let (answer, ()) = tokio::join!(client.execute(Ping), machine);
        answer.unwrap();
    }

    #[tokio::test]
    async fn a_path_that_is_no_socket_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.sock");
        std::fs::write(&path, "").unwrap();
        for error in Failing::new()
            .errors(Address::VsockProxy { path, port: 1 })
            .await
        {
            assert!(matches!(error.kind(), ErrorKind::NotASocket), "{error:?}");
        }
    }
}

mod hosts {
    use super::*;

    const ADDRESS: &str = "ssh://me@vm-host:2222/run/qga.sock";

    #[tokio::test]
    async fn what_ssh_says_is_in_the_error_and_what_to_do() {
        let script = "echo 'me@vm-host: Permission denied (publickey).' >&2; exit 255";
        let errors = Failing::ssh(script).errors(ADDRESS).await;
        let words = [
            "connect at ssh://me@vm-host:2222/run/qga.sock",
            "exit status 255: me@vm-host: Permission denied (publickey).",
            "give it a key",
        ];
        assert_say(&errors, Stage::Connect, &words);
        let script = "echo 'Host key verification failed.' >&2; exit 255";
        let errors = Failing::ssh(script).errors(ADDRESS).await;
        assert_say(&errors, Stage::Connect, &["log in by hand once"]);
    }

    #[tokio::test]
    async fn ssh_is_never_asked_for_a_password_and_gets_host_and_user_apart_from_options() {
        let script = "printf '<%s>\\n' \"$@\" >&2; exit 255";
        let folder = tempfile::tempdir().unwrap();
        let arguments = folder.path().join("arguments");
        let script = format!(
            "printf '<%s>\\n' \"$@\" > {}; {script}",
            arguments.display()
        );
        Failing::ssh(&script).errors(ADDRESS).await;
        let arguments = std::fs::read_to_string(arguments).unwrap();
        assert!(
            arguments.starts_with("<-T>\n<-o>\n<BatchMode=yes>\n"),
            "{arguments}"
        );
        assert!(
            arguments.contains("<-p>\n<2222>\n<-l>\n<me>\n<-->\n<vm-host>\n<"),
            "{arguments}"
        );
    }

    #[tokio::test]
    async fn a_host_or_user_that_begins_with_a_dash_is_not_given_to_ssh() {
        let socket = || Address::Unix("/run/qga.sock".into());
        let host = SshAddress::new("-oProxyCommand=x", socket());
        let user = SshAddress::new("vm", socket()).user("-x");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ran");
        let script = format!("touch {}", file.display());
        for address in [host, user] {
            let errors = Failing::ssh(&script).errors(address).await;
            assert_say(&errors, Stage::Connect, &["begins with `-`"]);
        }
        let tcp = SshAddress::new("vm", Address::Tcp("vm:80".into()));
        let errors = Failing::ssh(&script).errors(tcp).await;
        assert_say(
            &errors,
            Stage::Connect,
            &["only the absolute path of a Unix socket"],
        );
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_shell_that_only_talks_is_left() {
        let errors = Failing::ssh("yes welcome").errors(ADDRESS).await;
        assert_say(&errors, Stage::Connect, &["says more than it should"]);
    }

    #[tokio::test]
    async fn a_host_that_says_nothing_ends_at_the_deadline() {
        let errors = Failing::ssh("exec sleep 1000").soon().errors(ADDRESS).await;
        assert_say(&errors, Stage::Connect, &["no connection within 200ms"]);
    }

    #[tokio::test]
    async fn a_vsock_port_needs_a_program_on_that_host() {
        let script = "echo welcome; echo QGA NO PROGRAM";
        let errors = Failing::ssh(script).errors("ssh://vm-host/vsock:3:1").await;
        assert_say(&errors, Stage::Connect, &["install `socat` there"]);
    }

    #[tokio::test]
    async fn a_path_reaches_the_far_shell_as_one_word() {
        let folder = tempfile::tempdir().unwrap();
        let ran = folder.path().join("ran");
        let words = folder.path().join("words");
        // It does what a far shell does: it takes the last argument for a command.
        let script = format!(
            "eval \"set -- $(printf '%s' \"${{@: -1}}\")\"; printf '%s\\n' \"$5\" > {}; exit 255",
            words.display()
        );
        let script = script.replace("${@: -1}", "$(for last; do :; done; printf '%s' \"$last\")");
        let path = format!("/run/a b'c\"d$(touch {})`e;f.sock", ran.display());
        let address = format!("ssh://vm-host{path}");
        Failing::ssh(&script).errors(address.as_str()).await;
        assert_eq!(
            std::fs::read_to_string(words).unwrap(),
            format!("unix:{path}\n")
        );
        assert!(!ran.exists());
    }
}

mod schemes {
    use super::*;

    #[tokio::test]
    async fn an_unknown_scheme_is_an_error_that_knows_what_was_meant() {
        let builder = || Client::builder().scheme("libvirt", UnixStream::connect);
        let error = builder().connect("libvrt:vm1").await.unwrap_err();
        let lazy = builder().connect_lazy("libvrt:vm1").err().unwrap();
        let from_blocking = blocking::Client::builder()
            .scheme("libvirt", |path| {
                std::os::unix::net::UnixStream::connect(path)
            })
            .connect("libvrt:vm1")
            .err()
            .unwrap();
        let errors = [error, lazy, from_blocking];
        assert_say(
            &errors,
            Stage::Connect,
            &["connect at libvrt:vm1", "did you mean libvirt:vm1"],
        );
        assert!(errors.iter().all(Error::is_permanent));
    }

    #[tokio::test]
    async fn a_scheme_of_ones_own_is_opened_again_after_a_loss() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm1");
        let listener = UnixListener::bind(&path).unwrap();
        let root = folder.path().to_owned();
        let connecting = Client::builder()
            .scheme("vm", move |name| UnixStream::connect(root.join(name)))
            .connect("vm:vm1");
        let (client, ()) = tokio::join!(connecting, async {
            let (stream, _) = listener.accept().await.unwrap();
            Peer::over(stream).sync().await;
        });
        let client = client.unwrap();
        assert_eq!(client.address().unwrap().to_string(), "vm:vm1");
        let (answer, ()) = tokio::join!(client.execute(Ping), async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut peer = Peer::over(stream);
            peer.sync().await;
            peer.answer(serde_json::json!({})).await;
        });
        answer.unwrap();
    }

    #[tokio::test]
    async fn what_a_scheme_says_of_a_failure_is_in_the_error() {
        let closed = |_: String| async {
            Err::<UnixStream, _>(std::io::Error::other("vm1 is switched off"))
        };
        let error = Client::builder()
            .scheme("vm", closed)
            .connect("vm:vm1")
            .await
            .unwrap_err();
        assert_say(
            &[error],
            Stage::Connect,
            &["connect at vm:vm1", "vm1 is switched off"],
        );
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_a_scheme_is_an_error_at_once() {
        let error = Client::builder()
            .scheme("VM", UnixStream::connect)
            .connect("/run/qga.sock")
            .await
            .unwrap_err();
        assert_say(
            &[error],
            Stage::Connect,
            &["a scheme begins with a small letter"],
        );
    }
}

mod names {
    use super::*;

    #[tokio::test]
    async fn a_host_name_that_leads_nowhere_is_named() {
        let errors = Failing::new().errors("tcp:no..such..host:80").await;
        assert_say(
            &errors,
            Stage::Connect,
            &["no address is found for the host no..such..host"],
        );
        for error in &errors {
            assert_eq!(
                chain(error).matches("no..such..host").count(),
                2,
                "{}",
                chain(error)
            );
        }
    }
}
