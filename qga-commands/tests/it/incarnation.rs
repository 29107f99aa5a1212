//! What belongs to an agent that is gone: it is never taken for what another agent calls by its number.

use std::io::SeekFrom;
use std::sync::Arc;
use std::time::Duration;

use qga_commands::commands::agent::Ping;
use qga_commands::commands::exec::{Exec, ExecStatus};
use qga_commands::commands::file::{FileOpen, FileRead};
use qga_commands::commands::os::GetHostName;
use qga_commands::guest::files::File;
use qga_commands::guest::power::Outcome;
use qga_commands::guest::process::Process;
use qga_commands::guest::{AgentResource, HealthState};
use qga_commands::{ClientExt as _, Guest, GuestError};
use qga_core::Execution;
use qga_testserver::{Answer, Fault, Profile, TestAgent};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use crate::support::faults::reconnecting;
use crate::support::requests_of;

const SECOND: Duration = Duration::from_secs(1);

/// How a guest gets another agent.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// It is reset, and nothing shows on the channel.
    Quietly,
    /// It is reset, and the channel is closed and opened again at once.
    WithTheChannel,
    /// It is reset while a question is out, which is not answered.
    WithAnAnswer,
    /// It is rebooted by this client.
    ByThisClient,
}

const CHANGES: [Change; 4] = [
    Change::Quietly,
    Change::WithTheChannel,
    Change::WithAnAnswer,
    Change::ByThisClient,
];

impl Change {
    /// Afterwards somebody else has opened more files and started more programs than this client had.
    async fn happen(self, agent: &TestAgent, guest: &Guest) {
        let client = guest.client();
        match self {
            Self::Quietly => {
                agent.reboot();
                sleep(10 * SECOND).await;
            }
            Self::WithTheChannel | Self::WithAnAnswer => {
                let fault = match self {
                    Self::WithTheChannel => Fault::close_before(),
                    _ => Fault::no_answer(),
                };
                agent.on("guest-sync").up_to(1).fault(fault);
                let sync = json!({"id": 1});
                client.execute_raw("guest-sync", sync).await.unwrap_err();
                agent.reboot();
            }
            Self::ByThisClient => {
                assert_eq!(guest.reboot().await.unwrap(), Outcome::Back);
            }
        }
        agent.file("/tmp/strange", "strange");
        agent.program("stranger").never_ends();
        for _ in 0..10 {
            let open = FileOpen::new("/tmp/strange").mode("r+");
            client.execute(open).await.unwrap();
            client.execute(Exec::new("stranger")).await.unwrap();
        }
    }
}

/// Nothing was asked of the old number since, and nothing of what has it now is touched.
async fn assert_untouched(agent: &TestAgent, guest: &Guest, handle: i64, context: &str) {
    let of_file = agent.requests().into_iter().rev();
    let since = of_file.take_while(|request| request.name != "guest-exec");
    for request in since {
        let named = request.arguments["handle"] == handle;
        assert!(!named, "{context}: {} was sent", request.name);
    }
    let strange = FileRead::new(handle);
    let read = guest.client().execute(strange).await.unwrap();
    assert_eq!(read.data.into_vec(), b"strange", "{context}");
    assert_eq!(agent.file_content("/tmp/strange").unwrap(), b"strange");
}

fn assert_gone(error: &GuestError, what: AgentResource, context: &str) {
    assert!(error.is_agent_gone(), "{context}: {error:?}");
    let GuestError::AgentGone { what: gone, .. } = error else {
        panic!("{context}: {error:?}");
    };
    assert_eq!(*gone, what, "{context}");
}

async fn opened(agent: &TestAgent, guest: &Guest) -> File {
    agent.file("/tmp/file", "content");
    let mut options = qga_commands::guest::files::OpenOptions::new();
    options.read(true).write(true);
    options.open(guest, "/tmp/file").await.unwrap()
}

/// The agent's own error, of a stream.
fn of_stream(error: &std::io::Error) -> &GuestError {
    assert_eq!(error.kind(), std::io::ErrorKind::StaleNetworkFileHandle);
    error.get_ref().unwrap().downcast_ref().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_file_of_an_agent_that_is_gone_is_never_used_again() {
    for change in CHANGES {
        for way in ["read", "write", "seek", "flush", "close"] {
            let context = format!("{way} after {change:?}");
            let (agent, guest) = reconnecting().await;
            let mut file = opened(&agent, &guest).await;
            let handle = file.handle();
            change.happen(&agent, &guest).await;
            let failed = match way {
                "read" => file.read_u8().await.map(drop),
                "seek" => file.seek(SeekFrom::End(0)).await.map(drop),
                "flush" => file.flush().await,
                _ => file.write_all(b"x").await,
            };
            let closed = file.close().await.unwrap_err();
            if way == "read" || way == "seek" {
                let error = failed.unwrap_err();
                assert_gone(of_stream(&error), AgentResource::File(handle), &context);
            }
            assert_gone(&closed, AgentResource::File(handle), &context);
            assert_eq!(closed.execution(), Execution::NotRun, "{context}");
            assert_untouched(&agent, &guest, handle, &context).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_file_of_an_agent_that_is_gone_is_not_closed_in_the_next_one() {
    for change in CHANGES {
        for is_dropped_before in [false, true] {
            let context = format!("{change:?} {is_dropped_before}");
            let (agent, guest) = reconnecting().await;
            let file = opened(&agent, &guest).await;
            let handle = file.handle();
            let mut file = Some(file);
            if is_dropped_before {
                file = None;
            }
            change.happen(&agent, &guest).await;
            drop(file);
            // A reboot by this client has closed it in time.
            for _ in 0..3 {
                guest.execute(GetHostName).await.unwrap();
            }
            assert_untouched(&agent, &guest, handle, &context).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_read_ahead_is_told_and_then_that_the_agent_is_gone() {
    let (agent, guest) = reconnecting().await;
    agent.file("/tmp/large", vec![7; 8 << 20]);
    let mut file = guest.open("/tmp/large").await.unwrap();
    let handle = file.handle();
    // Two runs were wanted in turn, so the third is there.
    let mut run = vec![0; (1 << 20) + 1];
    file.read_exact(&mut run).await.unwrap();
    sleep(SECOND / 2).await;
    Change::Quietly.happen(&agent, &guest).await;
    let mut rest = Vec::new();
    let error = file.read_to_end(&mut rest).await.unwrap_err();
    assert_gone(of_stream(&error), AgentResource::File(handle), "read ahead");
    assert!(rest.len() >= (1 << 20) - 1 && rest.iter().all(|byte| *byte == 7));
    assert_untouched(&agent, &guest, handle, "read ahead").await;
}

async fn started(agent: &TestAgent, guest: &Guest) -> Process {
    agent.program("job").never_ends();
    guest.command("job").start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_process_of_an_agent_that_is_gone_is_neither_waited_for_nor_killed() {
    for change in CHANGES {
        for way in ["wait", "try_wait", "kill"] {
            let context = format!("{way} after {change:?}");
            let (agent, guest) = reconnecting().await;
            let mut process = started(&agent, &guest).await;
            let pid = process.pid();
            change.happen(&agent, &guest).await;
            assert!(
                agent.running_processes().contains(&pid),
                "{context}: the number is in use"
            );
            let before = agent.requests_of("guest-exec").len();
            let error = match way {
                "wait" => process.wait().await.map(drop),
                "try_wait" => process.try_wait().await.map(drop),
                _ => process.kill().await,
            };
            let error = error.unwrap_err();
            assert_gone(&error, AgentResource::Process(pid), &context);
            // The program was started, whatever became of it.
            assert_eq!(error.execution(), Execution::MaybeRun, "{context}");
            assert!(
                agent.requests_of("guest-exec-status").is_empty(),
                "{context}"
            );
            assert_eq!(agent.requests_of("guest-exec").len(), before, "{context}");
            assert!(agent.running_processes().contains(&pid), "{context}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_waited_for_over_a_reboot_is_not_a_strangers() {
    for change in CHANGES {
        let (agent, guest) = reconnecting().await;
        agent.program("job").never_ends();
        let mut command = guest.command("job");
        let output = command.kill_on_drop(true);
        let output = output.output();
        let (output, ()) = tokio::join!(output, async {
            // Until then the agent is known.
            sleep(5 * SECOND).await;
            change.happen(&agent, &guest).await;
        });
        let error = output.unwrap_err();
        assert!(error.is_agent_gone(), "{change:?}: {error:?}");
        sleep(20 * SECOND).await;
        assert_eq!(agent.running_processes().len(), 10, "{change:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_of_an_agent_that_is_gone_has_neither_streams_nor_an_end() {
    for change in CHANGES {
        let context = format!("{change:?}");
        let (agent, guest) = reconnecting().await;
        agent.program("job").never_ends();
        let mut command = guest.command("job");
        let mut child = command.kill_on_drop(true).spawn().await.unwrap();
        let pid = child.pid();
        change.happen(&agent, &guest).await;
        let running = agent.running_processes();
        let mut stdout = child.stdout.take().unwrap();
        let error = stdout.read_u8().await.unwrap_err();
        assert!(of_stream(&error).is_agent_gone(), "{context}");
        assert_gone(
            &child.wait().await.unwrap_err(),
            AgentResource::Process(pid),
            &context,
        );
        assert_gone(
            &child.kill().await.unwrap_err(),
            AgentResource::Process(pid),
            &context,
        );
        drop((child, stdout));
        sleep(20 * SECOND).await;
        guest.execute(GetHostName).await.unwrap();
        assert_eq!(agent.running_processes(), running, "{context}");
        assert_untouched(&agent, &guest, 1000, &context).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_and_a_long_rest_lose_no_file_and_no_process() {
    for is_lost in [false, true] {
        let (agent, guest) = reconnecting().await;
        let mut file = opened(&agent, &guest).await;
        let mut process = started(&agent, &guest).await;
        let mut byte = [0];
        file.read_exact(&mut byte).await.unwrap();
        for _ in 0..3 {
            if is_lost {
                agent.on("guest-sync").up_to(1).fault(Fault::close_before());
                let sync = guest.client().execute_raw("guest-sync", json!({"id": 1}));
                sync.await.unwrap_err();
            } else {
                sleep(60 * SECOND).await;
            }
            file.read_exact(&mut byte).await.unwrap();
            assert_eq!(process.try_wait().await.unwrap(), None);
        }
        assert_eq!(byte, *b"t");
        file.close().await.unwrap();
        process.kill().await.unwrap();
        assert_eq!(process.wait().await.unwrap().status.signal(), Some(9));
        assert!(agent.open_handles().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_was_started_anew_has_none_of_the_old_files_and_processes() {
    for is_quiet in [false, true] {
        let (agent, guest) = reconnecting().await;
        let mut file = opened(&agent, &guest).await;
        let mut other = guest.open("/tmp/file").await.unwrap();
        let mut process = started(&agent, &guest).await;
        agent.restart();
        if is_quiet {
            sleep(10 * SECOND).await;
        }
        let error = file.read_u8().await.unwrap_err();
        assert_gone(
            of_stream(&error),
            AgentResource::File(file.handle()),
            "file",
        );
        let before = agent.requests().len();
        let error = other.read_u8().await.unwrap_err();
        assert_gone(
            of_stream(&error),
            AgentResource::File(other.handle()),
            "other",
        );
        let pid = process.pid();
        assert_gone(
            &process.wait().await.unwrap_err(),
            AgentResource::Process(pid),
            "process",
        );
        assert_eq!(agent.requests().len(), before);
        let mut file = guest.open("/tmp/file").await.unwrap();
        assert_eq!(file.read_u8().await.unwrap(), b'c');
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_somebody_else_has_closed_does_not_take_the_others_along() {
    let (agent, guest) = reconnecting().await;
    let mut file = opened(&agent, &guest).await;
    let mut other = guest.open("/tmp/file").await.unwrap();
    let close = qga_commands::commands::file::FileClose::new(file.handle());
    guest.client().execute(close).await.unwrap();
    let error = file.read_u8().await.unwrap_err();
    let error = error
        .get_ref()
        .unwrap()
        .downcast_ref::<GuestError>()
        .unwrap();
    assert!(!error.is_agent_gone(), "{error:?}");
    assert!(error.command_error().unwrap().agent_error().is_some());
    assert_eq!(other.read_u8().await.unwrap(), b'c');
}

#[tokio::test(start_paused = true)]
async fn what_the_next_agent_has_handed_out_is_not_lost_with_the_old_one() {
    for profile in [Profile::Qemu10_0, Profile::Windows] {
        for change in [Change::Quietly, Change::WithTheChannel] {
            let (agent, guest) = reconnecting().await;
            agent.profile(profile);
            let mut old = Vec::new();
            for _ in 0..30 {
                old.push(opened(&agent, &guest).await);
            }
            change.happen(&agent, &guest).await;
            let mut file = opened(&agent, &guest).await;
            let mut process = started(&agent, &guest).await;
            for mut old in old {
                let error = old.read_u8().await.unwrap_err();
                assert!(of_stream(&error).is_agent_gone(), "{profile} {change:?}");
            }
            for byte in *b"con" {
                assert_eq!(file.read_u8().await.unwrap(), byte, "{profile} {change:?}");
                assert_eq!(process.try_wait().await.unwrap(), None);
                sleep(10 * SECOND).await;
            }
            file.close().await.unwrap();
        }
    }
}

/// Without `/proc`, as in Windows, another agent shows only by a number that it hands out again.
#[tokio::test(start_paused = true)]
async fn a_number_that_is_handed_out_again_tells_of_another_agent_in_any_system() {
    for profile in [Profile::Windows, Profile::FreeBsd] {
        for change in CHANGES {
            let (agent, guest) = reconnecting().await;
            agent.profile(profile);
            let mut files = Vec::new();
            for _ in 0..30 {
                files.push(opened(&agent, &guest).await);
            }
            change.happen(&agent, &guest).await;
            for mut file in files {
                let handle = AgentResource::File(file.handle());
                let error = file.read_u8().await.unwrap_err();
                assert_gone(of_stream(&error), handle, &format!("{profile} {change:?}"));
            }
            assert_untouched(&agent, &guest, 1000, &format!("{profile} {change:?}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_gives_a_small_number_again_is_not_taken_for_another() {
    let (agent, guest) = reconnecting().await;
    agent.on("guest-file-open").reply(7);
    let read = json!({"count": 1, "buf-b64": "eA==", "eof": true});
    agent.on("guest-file-read").reply(read);
    agent.on("guest-file-close").reply(json!({}));
    let mut file = guest.open("/a").await.unwrap();
    for _ in 0..3 {
        guest.open("/b").await.unwrap().close().await.unwrap();
        sleep(5 * SECOND).await;
    }
    assert_eq!(file.read_u8().await.unwrap(), b'x');
}

fn is_question(arguments: &serde_json::Value) -> bool {
    let path = arguments["path"].as_str();
    path.is_some_and(|path| path.starts_with("/proc/s"))
}

/// The question who answers is asked of an agent that answers it in any way, or not at all.
#[tokio::test(start_paused = true)]
async fn who_answers_is_asked_in_vain_and_files_and_programs_can_be_used_all_the_same() {
    type Spoil = fn(&TestAgent);
    let spoilt: [Spoil; 7] = [
        |agent| {
            agent
                .on("guest-file-open")
                .with(is_question)
                .fault(Fault::no_answer());
        },
        |agent| {
            agent
                .on("guest-file-open")
                .with(is_question)
                .fault(Fault::close_before());
        },
        |agent| {
            agent
                .on("guest-file-open")
                .with(is_question)
                .reply(json!({"not": "a number"}));
        },
        |agent| {
            agent
                .on("guest-file-open")
                .with(is_question)
                .error("CommandNotFound", "no");
        },
        |agent| agent.file("/proc/self/stat", vec![0xFF; 100_000]),
        |agent| agent.file("/proc/sys/kernel/random/boot_id", ""),
        |agent| {
            let mine = |arguments: &serde_json::Value| arguments["count"] == 4096;
            agent
                .on("guest-file-read")
                .with(mine)
                .fault(Fault::no_answer());
        },
    ];
    for (number, spoil) in spoilt.into_iter().enumerate() {
        let (agent, guest) = reconnecting().await;
        spoil(&agent);
        let start = Instant::now();
        let mut file = opened(&agent, &guest).await;
        assert_eq!(file.read_u8().await.unwrap(), b'c', "{number}");
        agent.program("job").stdout("done").exit(0);
        let mut process = guest.command("job").start().await.unwrap();
        assert_eq!(process.wait().await.unwrap().stdout, b"done", "{number}");
        sleep(10 * SECOND).await;
        assert_eq!(file.read_u8().await.unwrap(), b'o', "{number}");
        file.close().await.unwrap();
        assert!(
            start.elapsed() < 25 * SECOND,
            "{number}: {:?}",
            start.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_question_who_answers_is_asked_once_and_leaves_no_file_open() {
    let (agent, guest) = reconnecting().await;
    let question = |agent: &TestAgent| agent.requests().len();
    let file = opened(&agent, &guest).await;
    let once = question(&agent);
    for _ in 0..5 {
        opened(&agent, &guest).await.close().await.unwrap();
        guest.command("true").start().await.unwrap();
    }
    // An opening and a close, and a start.
    assert_eq!(question(&agent), once + 5 * 3);
    file.close().await.unwrap();
    assert!(agent.open_handles().is_empty());
    // What is done in one go needs no such question.
    let (agent, guest) = reconnecting().await;
    guest.write("/tmp/file", "x").await.unwrap();
    guest.read("/tmp/file").await.unwrap();
    guest.command("true").output().await.unwrap();
    assert_eq!(agent.requests_of("guest-file-open").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_may_be_the_next_agents_is_not_believed() {
    let (agent, guest) = reconnecting().await;
    let agent_too = Arc::clone(&agent);
    let mut file = opened(&agent, &guest).await;
    let handle = file.handle();
    // The request waits in the channel while the guest is reset, and the next agent has such a file too.
    let strange = json!({"count": 7, "buf-b64": "c3RyYW5nZQ==", "eof": false});
    agent
        .on("guest-file-read")
        .with(move |arguments| arguments["handle"] == handle)
        .with_fault(Fault::delay(3 * SECOND))
        .reply_with(move |_| {
            agent_too.reboot();
            Answer::from(strange.clone())
        });
    let mut text = Vec::new();
    let error = file.read_to_end(&mut text).await.unwrap_err();
    assert_gone(of_stream(&error), AgentResource::File(handle), "late");
    assert!(text.is_empty(), "{text:?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_may_be_a_strangers_is_not_believed() {
    let (agent, guest) = reconnecting().await;
    let mut process = started(&agent, &guest).await;
    let agent_too = Arc::clone(&agent);
    agent
        .on("guest-exec-status")
        .with_fault(Fault::delay(3 * SECOND))
        .reply_with(move |_| {
            agent_too.reboot();
            Answer::from(json!({"exited": true, "exitcode": 0, "out-data": "c3RyYW5nZQ=="}))
        });
    let error = process.wait().await.unwrap_err();
    assert_gone(&error, AgentResource::Process(process.pid()), "late");
}

/// The loss shows only when the next command is about to be sent, and is then mended by the client itself.
#[tokio::test(start_paused = true)]
async fn nothing_old_is_sent_over_a_connection_that_was_opened_for_it() {
    for way in ["read", "write", "kill"] {
        let (agent, guest) = reconnecting().await;
        let mut file = opened(&agent, &guest).await;
        let mut process = started(&agent, &guest).await;
        agent.on("guest-ping").fault(Fault::close_after());
        guest.execute(Ping).await.unwrap();
        let other = qga_core::Client::new(agent.connect());
        agent.reboot();
        agent.file("/tmp/strange", "strange");
        for _ in 0..10 {
            let open = FileOpen::new("/tmp/strange").mode("r+");
            other.execute(open).await.unwrap();
            other
                .execute(Exec::new("sleep").arg(["999"]))
                .await
                .unwrap();
        }
        drop(other);
        let is_gone = match way {
            "read" => of_stream(&file.read_u8().await.unwrap_err()).is_agent_gone(),
            "write" => {
                file.write_all(b"x").await.unwrap();
                of_stream(&file.flush().await.unwrap_err()).is_agent_gone()
            }
            _ => process.kill().await.unwrap_err().is_agent_gone(),
        };
        assert!(is_gone, "{way}");
        assert_eq!(agent.running_processes().len(), 10, "{way}");
        assert_untouched(&agent, &guest, file.handle(), way).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_is_not_killed_by_the_agent_that_came_after_the_question() {
    for fault in [Fault::close_after(), Fault::delay(3 * SECOND)] {
        let (agent, guest) = reconnecting().await;
        let mut process = started(&agent, &guest).await;
        let agent_too = Arc::clone(&agent);
        agent
            .on("guest-exec-status")
            .up_to(1)
            .with_fault(fault)
            .reply_with(move |_| {
                agent_too.reboot();
                Answer::from(json!({"exited": false}))
            });
        let error = process.kill().await.unwrap_err();
        assert!(error.is_agent_gone(), "{error:?}");
        assert_eq!(agent.requests_of("guest-exec").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reboot_is_told_though_somebody_else_has_the_number_of_the_file_that_tells_it() {
    let (agent, guest) = reconnecting().await;
    agent.file("/tmp/strange", "strange");
    let agent_too = Arc::clone(&agent);
    // The next agent has opened a file by the time that it is looked at.
    agent.on("guest-shutdown").reply_with(move |_| {
        agent_too.reboot();
        Answer::from(json!({}))
    });
    let marked = async {
        agent.wait_for("guest-shutdown", 1).await;
        sleep(SECOND).await;
    };
    let ((), outcome) = tokio::join!(marked, async {
        let reboot = guest.reboot().timeout(60 * SECOND);
        tokio::join!(reboot.into_future(), async {
            agent.wait_for("guest-shutdown", 1).await;
            let open = FileOpen::new("/tmp/strange");
            assert_eq!(guest.client().execute(open).await.unwrap(), 1000);
        })
        .0
    });
    assert_eq!(outcome.unwrap(), Outcome::Back);
    let read = guest.client().execute(FileRead::new(1000)).await.unwrap();
    assert_eq!(read.data.into_vec(), b"strange");
    guest.execute(GetHostName).await.unwrap();
    assert_eq!(agent.open_handles(), [1000]);
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_can_do_is_asked_again_of_the_next_one() {
    for change in CHANGES {
        let (agent, guest) = reconnecting().await;
        let client = guest.client();
        let first = client.capabilities().await.unwrap();
        assert!(first.is_enabled("guest-get-load"));
        // It is asked once as long as the agent is heard.
        for _ in 0..5 {
            client.capabilities().await.unwrap();
            sleep(SECOND).await;
            client.execute(Ping).await.unwrap();
        }
        assert_eq!(agent.requests_of("guest-info").len(), 1);
        change.happen(&agent, &guest).await;
        agent.disable("guest-get-load");
        let next = client.capabilities().await.unwrap();
        assert!(!next.is_enabled("guest-get-load"), "{change:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_attached_to_belongs_to_the_agent_that_is_first_asked_for_it() {
    let (agent, guest) = reconnecting().await;
    let pid = started(&agent, &guest).await.pid();
    sleep(60 * SECOND).await;
    let mut process = guest.process(pid);
    assert_eq!(process.try_wait().await.unwrap(), None);
    Change::Quietly.happen(&agent, &guest).await;
    assert!(guest.client().execute(ExecStatus::new(pid)).await.is_ok());
    assert_gone(
        &process.kill().await.unwrap_err(),
        AgentResource::Process(pid),
        "attached",
    );
    assert!(agent.running_processes().contains(&pid));
}

#[tokio::test(start_paused = true)]
async fn an_error_says_what_is_gone_and_why() {
    let (agent, guest) = reconnecting().await;
    let file = opened(&agent, &guest).await;
    assert_eq!(file.handle(), 1002);
    Change::Quietly.happen(&agent, &guest).await;
    let error = file.close().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "open file 1002 is gone with the agent to which it belonged: the guest was rebooted, or its agent was \
         started anew"
    );
    assert_eq!(guest.health().await.state, HealthState::Ready);
    assert!(requests_of(&agent, "guest-file-close").is_empty());
}

/// From here on each answer takes so long that another agent may have given it.
fn slow_down(agent: &TestAgent) {
    agent.fault(Fault::delay(4 * SECOND).always());
}

#[tokio::test(start_paused = true)]
async fn files_and_processes_are_used_and_known_though_the_agent_becomes_slow() {
    for timeout in [5, 30] {
        let (agent, guest) = reconnecting().await;
        let client = guest.client();
        let options = client.options().timeout(timeout * SECOND);
        let guest = Guest::new(client.with_options(options));
        let mut file = opened(&agent, &guest).await;
        let mut process = started(&agent, &guest).await;
        slow_down(&agent);
        for pause in [0, 1, 20] {
            sleep(pause * SECOND).await;
            file.seek(SeekFrom::Start(1)).await.unwrap();
            let mut read = [0; 3];
            file.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"ont", "{timeout} s, after {pause} s");
            assert!(process.try_wait().await.unwrap().is_none());
        }
        let open = agent.open_handles();
        assert!(open.len() < 5, "{open:?}");
        agent.reboot();
        agent.file("/tmp/strange", "strange");
        agent.program("stranger").never_ends();
        for _ in 0..20 {
            let open = FileOpen::new("/tmp/strange");
            guest.client().execute(open).await.unwrap();
            guest.client().execute(Exec::new("stranger")).await.unwrap();
        }
        let error = file.seek(SeekFrom::End(0)).await.unwrap_err();
        assert!(of_stream(&error).is_agent_gone(), "{error}");
        let error = process.kill().await.unwrap_err();
        assert!(error.is_agent_gone(), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_agent_is_not_asked_for_what_it_cannot_tell_in_time() {
    let (agent, guest) = reconnecting().await;
    agent.file("/tmp/file", "content");
    guest.execute(Ping).await.unwrap();
    slow_down(&agent);
    assert_eq!(guest.read("/tmp/file").await.unwrap(), b"content");
    guest.write("/tmp/other", "x").await.unwrap();
    let questions = agent.requests_of("guest-file-open").into_iter();
    let questions = questions.filter(|request| is_question(&request.arguments));
    assert_eq!(questions.count(), 0);
}

/// Where the channel has to be synchronized first, nothing tells another agent but that it does not know the
/// file.
#[tokio::test(start_paused = true)]
async fn a_file_that_the_next_agent_does_not_know_is_gone_and_not_what_was_opened_since() {
    let (agent, guest) = reconnecting().await;
    agent.file("/tmp/file", "content");
    let open = async || {
        let mut options = qga_commands::guest::files::OpenOptions::new();
        options.read(true).open(&guest, "/tmp/file").await.unwrap()
    };
    // An agent that does not let itself be known at first.
    let nobody = ["/proc/sys/kernel/random/boot_id", "/proc/self/stat"];
    for path in nobody {
        let is_asked = move |arguments: &serde_json::Value| arguments["path"] == path;
        let on = agent.on("guest-file-open").with(is_asked).up_to(1);
        on.error("GenericError", "failed to open file: Permission denied");
    }
    let mut file = open().await;
    agent.on("guest-file-read").up_to(1).fault(Fault::restart());
    let error = file.read_u8().await.unwrap_err();
    let handle = file.handle();
    assert_gone(of_stream(&error), AgentResource::File(handle), "the first");
    let mut since = open().await;
    assert_eq!(since.read_u8().await.unwrap(), b'c');
    let error = file.close().await.unwrap_err();
    assert_gone(&error, AgentResource::File(handle), "the first, once more");
    sleep(10 * SECOND).await;
    assert_eq!(since.read_u8().await.unwrap(), b'o');
    since.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_a_reboot_interrupts_goes_on_with_a_file_of_the_next_agent() {
    for is_upload in [false, true] {
        let (agent, guest) = reconnecting().await;
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("file");
        let command = if is_upload {
            std::fs::write(&local, &content).unwrap();
            "guest-file-write"
        } else {
            agent.file("/tmp/file", &*content);
            "guest-file-read"
        };
        agent.file("/tmp/strange", "strange");
        let (spoilt, is_spoilt) = tokio::sync::oneshot::channel::<()>();
        let mut spoilt = Some(spoilt);
        let mut count = 0;
        let is_second = std::sync::Mutex::new(move || {
            count += 1;
            if count == 2 {
                drop(spoilt.take());
            }
            count == 2
        });
        // The question who answers reads little.
        let on = agent
            .on(command)
            .with(move |arguments| arguments["count"] != 4096 && is_second.lock().unwrap()());
        on.fault(Fault::no_answer());
        let copy = async {
            if is_upload {
                guest.upload(&local, "/tmp/file").await
            } else {
                guest.download("/tmp/file", &local).await
            }
        };
        let reboot = async {
            is_spoilt.await.unwrap_err();
            agent.reboot();
            let rebooted = agent.requests().len();
            let options = guest.client().options().timeout(60 * SECOND);
            let client = guest.client().with_options(options);
            let mut strange = Vec::new();
            for _ in 0..10 {
                let open = FileOpen::new("/tmp/strange").mode("r+");
                strange.push(client.execute(open).await.unwrap());
            }
            assert_eq!(strange[0], 1000);
            (rebooted, strange)
        };
        let (copied, (rebooted, strange)) = tokio::join!(copy, reboot);
        copied.unwrap();
        assert!(std::fs::read(&local).unwrap() == content, "{is_upload}");
        assert!(agent.file_content("/tmp/file").unwrap() == content);
        assert_eq!(agent.file_content("/tmp/strange").unwrap(), b"strange");
        for request in &agent.requests()[rebooted..] {
            let handle = request.arguments["handle"].as_i64();
            let is_strange = handle.is_some_and(|handle| strange.contains(&handle));
            assert!(!is_strange, "{is_upload}: {} was sent", request.name);
        }
    }
}
