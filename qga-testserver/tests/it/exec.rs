use std::time::Duration;

use qga_testserver::{Profile, Script};
use serde_json::{Value, json};

use crate::caller::Caller;

async fn start(caller: &mut Caller, arguments: Value) -> i64 {
    let started = caller.call("guest-exec", arguments).await;
    started["pid"]
        .as_i64()
        .unwrap_or_else(|| panic!("{started}"))
}

async fn status(caller: &mut Caller, pid: i64) -> Value {
    caller.call("guest-exec-status", json!({"pid": pid})).await
}

/// The status right after the start.
async fn run(caller: &mut Caller, arguments: Value) -> Value {
    let pid = start(caller, arguments).await;
    status(caller, pid).await
}

#[tokio::test(start_paused = true)]
async fn a_program_prints_takes_time_and_ends() {
    let mut caller = Caller::new();
    let second = Duration::from_secs(1);
    caller
        .agent
        .program("uname")
        .stdout("Linux\n")
        .after(second)
        .exit(3);
    let pid = start(
        &mut caller,
        json!({"path": "/bin/uname", "capture-output": true}),
    )
    .await;
    assert_eq!(status(&mut caller, pid).await, json!({"exited": false}));
    tokio::time::sleep(second).await;
    let ended = json!({"exited": true, "exitcode": 3, "out-data": "TGludXgK"});
    assert_eq!(status(&mut caller, pid).await, ended);
    assert_eq!(status(&mut caller, pid).await, "PID ld does not exist");
}

#[tokio::test(start_paused = true)]
async fn a_closure_sees_arguments_environment_and_input() {
    let mut caller = Caller::new();
    caller.agent.program("tool").runs(|call| {
        let env = call.env.clone().unwrap_or_default().join(",");
        let stdin = String::from_utf8_lossy(&call.stdin).into_owned();
        Script::new().stderr(format!("{}|{env}|{stdin}", call.args.join(",")))
    });
    let arguments = json!({
        "path": "tool", "arg": ["a", "b"], "env": ["X=1"], "input-data": "aW4=",
        "capture-output": true,
    });
    let ended = run(&mut caller, arguments).await;
    assert_eq!(ended["err-data"], "YSxifFg9MXxpbg==");
}

#[tokio::test(start_paused = true)]
async fn a_program_is_there_only_once_it_is_whole() {
    let mut caller = Caller::new();
    let call = json!({"path": "job", "capture-output": true});
    for begun in [
        caller.agent.program("job").stdout("a"),
        caller.agent.program("job"),
    ] {
        drop(begun);
    }
    let missing = caller.call("guest-exec", call.clone()).await;
    assert!(missing.as_str().unwrap().contains("Failed to execute"));
    caller
        .agent
        .program("job")
        .stdout("a")
        .runs(|_| Script::new().stdout("b").exit(4));
    let ended = json!({"exited": true, "exitcode": 4, "out-data": "YWI="});
    assert_eq!(run(&mut caller, call).await, ended);
}

#[tokio::test(start_paused = true)]
async fn output_is_kept_only_where_it_is_captured() {
    let mut caller = Caller::new();
    caller
        .agent
        .program("both")
        .stdout("o")
        .stderr("e")
        .stdout("p")
        .exit(0);
    let cases = [
        (json!(false), json!({"exited": true, "exitcode": 0})),
        (
            json!("separated"),
            json!({"exited": true, "exitcode": 0, "out-data": "b3A=", "err-data": "ZQ=="}),
        ),
        (
            json!("merged"),
            json!({"exited": true, "exitcode": 0, "out-data": "b2Vw"}),
        ),
        (
            json!("stderr"),
            json!({"exited": true, "exitcode": 0, "err-data": "ZQ=="}),
        ),
    ];
    for (capture, wanted) in cases {
        let arguments = json!({"path": "both", "capture-output": capture});
        assert_eq!(run(&mut caller, arguments).await, wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_never_ends_is_killed_with_what_it_has_printed() {
    let mut caller = Caller::new();
    let second = Duration::from_secs(1);
    let program = caller.agent.program("top").stdout("a").pause(second);
    program
        .stdout("b")
        .pause(second * 60)
        .stdout("c")
        .never_ends();
    let pid = start(&mut caller, json!({"path": "top", "capture-output": true})).await;
    tokio::time::sleep(second * 10).await;
    assert_eq!(caller.agent.running_processes(), [pid]);
    assert!(caller.agent.kill_process(pid, 9));
    assert!(!caller.agent.kill_process(pid, 9));
    let ended = json!({"exited": true, "signal": 9, "out-data": "YWI="});
    assert_eq!(status(&mut caller, pid).await, ended);
}

#[tokio::test(start_paused = true)]
async fn what_is_beyond_16_mib_is_dropped_and_each_version_says_so_in_its_way() {
    let cases = [
        (Profile::Qemu7_2, json!(true), json!(false)),
        (Profile::Qemu10_0, json!(false), Value::Null),
        (Profile::Qemu10_0_13, json!(true), json!(false)),
        (Profile::Qemu11_1, json!(true), json!(false)),
    ];
    for (profile, flag_when_cut, flag_otherwise) in cases {
        let mut caller = Caller::new();
        caller.agent.profile(profile);
        caller
            .agent
            .program("many")
            .stdout_zeros((16 << 20) + 1)
            .exit(0);
        caller.agent.program("full").stdout("x").exit(0);
        let cut = run(&mut caller, json!({"path": "many", "capture-output": true})).await;
        assert_eq!(
            cut["out-data"].as_str().unwrap().len(),
            (16 << 20) / 3 * 4 + 4
        );
        assert_eq!(cut["out-truncated"], flag_when_cut, "{profile}");
        let whole = run(&mut caller, json!({"path": "full", "capture-output": true})).await;
        assert_eq!(whole["out-truncated"], flag_otherwise, "{profile}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_not_there_fails_to_start() {
    let mut caller = Caller::new();
    let cases = [
        (
            "/no/such",
            "Failed to execute child process “/no/such” (No such file or directory)",
        ),
        (
            "/etc",
            "Failed to execute child process “/etc” (Permission denied)",
        ),
    ];
    for (path, wanted) in cases {
        assert_eq!(
            caller.call("guest-exec", json!({"path": path})).await,
            wanted
        );
    }
    caller.agent.profile(Profile::Qemu7_2);
    let old = caller.call("guest-exec", json!({"path": "/etc"})).await;
    let wanted = "Guest agent command failed, error was 'Failed to execute child process \
                  “/etc” (Permission denied)'";
    assert_eq!(old, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_text_of_128_kib_is_too_long_for_a_program_of_linux() {
    let mut caller = Caller::new();
    let longest = "x".repeat(131_071);
    let exec = |text: &str| json!({"path": "printf", "arg": ["%s", text], "env": [text]});
    start(&mut caller, exec(&longest)).await;
    let refused = caller.call("guest-exec", exec(&(longest + "x"))).await;
    let said = refused.as_str().unwrap();
    assert!(said.ends_with(
        "Failed to execute child process \u{201C}printf\u{201D} (Argument list too long)"
    ));
}

#[tokio::test(start_paused = true)]
async fn processes_are_limited_in_number() {
    let mut caller = Caller::new();
    for _ in 0..1000 {
        start(&mut caller, json!({"path": "sleep", "arg": ["1000"]})).await;
    }
    let refused = caller.call("guest-exec", json!({"path": "true"})).await;
    assert_eq!(refused, "Failed to fork (Resource temporarily unavailable)");
}

#[tokio::test(start_paused = true)]
async fn a_later_program_of_the_same_name_replaces_the_earlier_one() {
    let mut caller = Caller::new();
    caller.agent.program("true").exit(1);
    caller.agent.program("/usr/bin/true").exit(2);
    let codes = [("true", 1), ("/bin/true", 1), ("/usr/bin/true", 2)];
    for (path, code) in codes {
        let ended = run(&mut caller, json!({"path": path})).await;
        assert_eq!(ended["exitcode"], code, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shell_carries_out_a_list_of_plain_commands() {
    let mut caller = Caller::new();
    let cases = [
        (
            "echo out; echo err >&2; exit 3",
            json!({"exitcode": 3, "out-data": "b3V0Cg==", "err-data": "ZXJyCg=="}),
        ),
        (
            "printf '%s;' 'a b'; kill -15 $$",
            json!({"signal": 15, "out-data": "YSBiOw=="}),
        ),
        ("false", json!({"exitcode": 1})),
    ];
    for (list, mut wanted) in cases {
        wanted["exited"] = json!(true);
        let arguments = json!({"path": "/bin/sh", "arg": ["-c", list], "capture-output": true});
        assert_eq!(run(&mut caller, arguments).await, wanted, "{list}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_holds_the_output_open_delays_only_who_captures_it() {
    let mut caller = Caller::new();
    let list = "echo a; (sleep 5; echo b) & exit 4";
    let call =
        |capture: bool| json!({"path": "sh", "arg": ["-c", list], "capture-output": capture});
    let ended = json!({"exited": true, "exitcode": 4});
    assert_eq!(run(&mut caller, call(false)).await, ended);
    let pid = start(&mut caller, call(true)).await;
    assert_eq!(status(&mut caller, pid).await, json!({"exited": false}));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let ended = json!({"exited": true, "exitcode": 4, "out-data": "YQpiCg=="});
    assert_eq!(status(&mut caller, pid).await, ended);
}

#[tokio::test(start_paused = true)]
async fn a_list_without_end_is_cut_short() {
    let mut caller = Caller::new();
    for list in [
        "true;".repeat(20_000),
        "(".repeat(10_000) + "true" + &")".repeat(10_000),
    ] {
        let ended = run(&mut caller, json!({"path": "sh", "arg": ["-c", list]})).await;
        assert_eq!(ended["exitcode"], 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shell_sends_a_programs_output_to_files_that_outlive_their_names() {
    let mut caller = Caller::new();
    let second = Duration::from_secs(1);
    let program = caller.agent.program("job").stdout("a").pause(second);
    program.stderr("e").stdout("b").exit(3);
    let make = r#"set -e; umask 077; mkdir -- "$0"; : >"$0/out"; : >"$0/err""#;
    let make = json!({"path": "/bin/sh", "arg": ["-c", make, "/tmp/x"]});
    assert_eq!(run(&mut caller, make.clone()).await["exitcode"], 0);
    assert_eq!(run(&mut caller, make).await["exitcode"], 1);
    let open = json!({"path": "/tmp/x/out"});
    let handle = caller.call("guest-file-open", open).await;
    assert_eq!(caller.agent.open_handles(), [1000]);

    let script = r#"exec >>"$0/out" 2>>"$0/err"; command -p rm -rf -- "$0"; exec "$@""#;
    let words = json!(["-c", script, "/tmp/x", "env", "A=1", "job"]);
    let pid = start(&mut caller, json!({"path": "/bin/sh", "arg": words})).await;
    let read = json!({"handle": handle});
    let first = caller.call("guest-file-read", read.clone()).await;
    assert_eq!(first["buf-b64"], "YQ==");
    let empty = caller.call("guest-file-read", read.clone()).await;
    assert_eq!((&empty["count"], &empty["eof"]), (&json!(0), &json!(true)));
    assert_eq!(caller.agent.file_content("/tmp/x/out"), None);
    tokio::time::sleep(second).await;
    let ended = json!({"exited": true, "exitcode": 3});
    assert_eq!(status(&mut caller, pid).await, ended);
    let rest = caller.call("guest-file-read", read).await;
    assert_eq!(rest["buf-b64"], "Yg==");
}

#[tokio::test(start_paused = true)]
async fn a_shell_kills_what_runs_and_fails_for_what_does_not() {
    let mut caller = Caller::new();
    caller.agent.program("job").never_ends();
    let pid = start(&mut caller, json!({"path": "job"})).await;
    let words = json!(["-c", "kill -KILL \"$0\"", pid.to_string()]);
    let kill = json!({"path": "sh", "arg": words});
    assert_eq!(run(&mut caller, kill.clone()).await["exitcode"], 0);
    assert_eq!(run(&mut caller, kill).await["exitcode"], 1);
    assert_eq!(
        status(&mut caller, pid).await,
        json!({"exited": true, "signal": 9})
    );
}

#[tokio::test(start_paused = true)]
async fn a_shell_that_becomes_a_missing_program_ends_with_127() {
    let mut caller = Caller::new();
    let words = json!(["-c", "echo hi; exec \"$@\"", "sh", "nonesuch"]);
    let arguments = json!({"path": "sh", "arg": words, "capture-output": true});
    let ended = run(&mut caller, arguments).await;
    assert_eq!(
        (&ended["exitcode"], &ended["out-data"]),
        (&json!(127), &json!("aGkK"))
    );
}
