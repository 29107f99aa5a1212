//! Programs whose input and output are a channel.

use std::path::Path;
use std::time::Duration;

use qga_core::{Client, Error, Stage, blocking};

use super::{Failing, assert_say, exec};
use crate::support::Ping;

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
async fn a_program_that_ends_well_is_told_unless_it_has_answered() {
    let errors = Failing::new().errors("exec:true").await;
    let words = ["the program `true` ended with exit status 0; has the machine stopped"];
    assert_say(&errors, Stage::Sync, &words);
    // One that has answered before has just ended.
    let script = "IFS= read -r line; printf '{\"return\": {}}\\n'";
    let errors = Failing::new().errors(exec(script)).await;
    assert_say(&errors, Stage::Sync, &["the other side closed the channel"]);
}

#[tokio::test]
async fn what_a_program_says_of_errors_is_short_and_safe_to_show() {
    let script = "head -c 5000 /dev/zero | tr '\\0' x >&2; printf '\\n\\033[2Jbad\\n' >&2; exit 1";
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

#[tokio::test]
async fn what_a_program_has_started_is_killed_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    for script in [
        "sleep 1000 & echo $! >> PIDS; wait",
        "exec 0<&- 1>&-; sleep 1000 & echo $! >> PIDS",
    ] {
        let script = script.replace("PIDS", &pids.display().to_string());
        Failing::new().soon().errors(exec(&script)).await;
    }
    let pids = std::fs::read_to_string(pids).unwrap();
    assert_eq!(pids.lines().count(), 4);
    for pid in pids.lines() {
        until_it_runs_no_more(pid).await;
    }
}

#[test]
fn a_program_that_lingers_is_waited_for_in_whatever_runtime() {
    let lingers = exec("exec 0<&- 1>&-; exec sleep 1000");
    let client = Client::builder()
        .exec_scheme(true)
        .connect_lazy(lingers)
        .unwrap();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    for _ in 0..2 {
        runtime().block_on(async {
            let brief = Duration::from_millis(100);
            drop(tokio::time::timeout(brief, client.execute(Ping)).await);
        });
    }
    let error = runtime().block_on(client.execute(Ping)).unwrap_err();
    assert!(error.is_closed(), "{error}");
}

#[test]
fn a_thread_does_not_wait_longer_for_a_program_than_it_may() {
    let lingers = exec("exec 0<&- 1>&-; exec sleep 1000");
    let builder = qga_core::blocking::Client::builder().exec_scheme(true);
    let brief = builder.connect_timeout(Duration::from_millis(100));
    let start = std::time::Instant::now();
    assert!(brief.connect(lingers).is_err());
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "{:?}",
        start.elapsed()
    );
}
