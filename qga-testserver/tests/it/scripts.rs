//! Scripts that say their name, and the host's own shell.

use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::Caller;

/// Runs a script of this name, and gives its exit code, and what it has printed to both streams.
async fn run(caller: &mut Caller, name: &str, args: &[&str]) -> (i64, String, String) {
    let text = format!(": {name}\nthis is no program\n");
    let mut words = vec!["-c", &text, "first"];
    words.extend(args);
    exec(
        caller,
        json!({"path": "sh", "arg": words, "capture-output": true}),
    )
    .await
}

async fn exec(caller: &mut Caller, call: Value) -> (i64, String, String) {
    let started = caller.call("guest-exec", call).await;
    let pid = started["pid"].clone();
    assert!(pid.is_i64(), "{started}");
    loop {
        let ended = caller.call("guest-exec-status", json!({"pid": pid})).await;
        if ended["exited"] == true {
            let text = |name: &str| decode(ended[name].as_str().unwrap_or_default());
            let code = ended["exitcode"].as_i64().unwrap();
            return (code, text("out-data"), text("err-data"));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn decode(text: &str) -> String {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_tree_is_listed_with_modes_sizes_and_times() {
    let mut caller = Caller::new();
    caller.agent.file("/srv/t/a", "123");
    caller.agent.symlink("/srv/t/l", "/etc/passwd");
    caller.agent.fifo("/srv/t/in/p");
    let (code, out, _) = run(&mut caller, "qga-list 1", &["tree", "/srv/t"]).await;
    let wanted = "//41ed 4096 1700000000 0 0 .\n//81a4 3 1700000000 0 0 ./a\n\
                  //41ed 4096 1700000000 0 0 ./in\n//11a4 0 1700000000 0 0 ./in/p\n\
                  //a1ff 11 1700000000 0 0 ./l\n";
    assert_eq!((code, &*out), (0, wanted));
    let (_, out, _) = run(&mut caller, "qga-list 1", &["directory", "/srv/t"]).await;
    assert_eq!(out.lines().count(), 3);
    let (_, out, _) = run(&mut caller, "qga-list 1", &["file", "/srv/t/l"]).await;
    assert!(out.starts_with("//81a4 "), "{out}");
    let (_, out, _) = run(&mut caller, "qga-list 1", &["link", "/srv/t/l"]).await;
    assert!(out.starts_with("//a1ff "), "{out}");
    let (code, _, err) = run(&mut caller, "qga-list 1", &["file", "/srv/none"]).await;
    assert_eq!(code, 1);
    assert!(err.ends_with(": No such file or directory\n"), "{err}");
}

#[tokio::test(start_paused = true)]
async fn what_a_client_has_open_stays_open_when_it_is_moved_and_replaced() {
    let mut caller = Caller::new();
    caller.agent.file("/srv/f", "old");
    let temp = ["/srv/.t", "/srv/f", "file", "no"];
    assert_eq!(run(&mut caller, "qga-begin 1", &temp).await.0, 0);
    caller.agent.file("/srv/.t/content", "new");
    let mut handles = Vec::new();
    for path in ["/srv/f", "/srv/.t/content"] {
        handles.push(caller.call("guest-file-open", json!({"path": path})).await);
    }
    let publish = ["/srv/.t", "/srv/f", "file", "no", "/srv"];
    let (code, out, _) = run(&mut caller, "qga-publish 2", &publish).await;
    assert_eq!((code, &*out), (0, "atomic\nsynced\n"));
    assert_eq!(caller.agent.file_content("/srv/f").unwrap(), b"new");
    for (handle, wanted) in handles.into_iter().zip(["old", "new"]) {
        let read = caller
            .call("guest-file-read", json!({"handle": handle}))
            .await;
        assert_eq!(decode(read["buf-b64"].as_str().unwrap()), wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_broke_off_is_undone() {
    let mut caller = Caller::new();
    caller.agent.file("/srv/.t/content/new", "new");
    caller.agent.file("/srv/.t/old/old", "old");
    let args = ["/srv/.t", "/srv/t"];
    assert_eq!(run(&mut caller, "qga-discard 1", &args).await.0, 0);
    assert_eq!(caller.agent.file_content("/srv/t/old").unwrap(), b"old");
    let (code, _, _) = run(&mut caller, "qga-list 1", &["file", "/srv/.t"]).await;
    assert_eq!(code, 1);
    // What somebody else has put there meanwhile stays, and so does what was moved aside.
    caller.agent.file("/srv/.u/content/new", "new");
    caller.agent.file("/srv/.u/old/old", "old");
    let args = ["/srv/.u", "/srv/t"];
    assert_eq!(run(&mut caller, "qga-discard 1", &args).await.0, 17);
    assert_eq!(
        caller.agent.file_content("/srv/.u/old/old").unwrap(),
        b"old"
    );
}

#[tokio::test(start_paused = true)]
async fn links_are_made_in_place_of_others_and_read() {
    let mut caller = Caller::new();
    caller.agent.file("/srv/folder/file", "x");
    let make = ["/srv/l", "=-rf", "/srv/l", "=folder", "/srv/m", "==\n"];
    assert_eq!(run(&mut caller, "qga-make-links 1", &make).await.0, 0);
    let content = caller.agent.file_content("/srv/l/file");
    assert_eq!(content.unwrap(), b"x");
    let read = ["/srv/l", "/srv/none", "/srv/folder", "/srv/m"];
    let (code, out, _) = run(&mut caller, "qga-read-links 1", &read).await;
    assert_eq!((code, &*out), (0, "folder\n\0\0\0=\n\n\0"));
    let make = ["/srv/folder", "=x"];
    let (code, _, err) = run(&mut caller, "qga-make-links 1", &make).await;
    assert!(code == 1 && err.contains("Is a directory"), "{err}");
}

#[tokio::test(start_paused = true)]
async fn owners_are_set_by_name_and_number_of_links_themselves() {
    let mut caller = Caller::new();
    caller.agent.file("/srv/f", "x");
    caller.agent.symlink("/srv/l", "f");
    for (owner, path, wanted) in [
        ("test", "/srv/l", " 1000 0 ."),
        (":test", "/srv/l", " 1000 1000 ."),
        ("7:8", "/srv/l", " 7 8 ."),
        (":0", "/srv/f", " 0 0 ."),
    ] {
        let args = [owner, path];
        assert_eq!(run(&mut caller, "qga-set-owner 1", &args).await.0, 0);
        let (_, out, _) = run(&mut caller, "qga-list 1", &["link", path]).await;
        assert!(out.trim().ends_with(wanted), "{owner}: {out}");
    }
    for (args, wanted) in [
        (["nobody-here", "/srv/f"], "invalid user"),
        ([":nobody-here", "/srv/f"], "invalid group"),
        (["0", "/srv/none"], "No such file"),
    ] {
        let (code, _, err) = run(&mut caller, "qga-set-owner 1", &args).await;
        assert!(code == 1 && err.contains(wanted), "{args:?}: {err}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_script_that_is_not_known_or_called_wrongly_says_so() {
    let mut caller = Caller::new();
    let (code, _, err) = run(&mut caller, "qga-list 999", &[]).await;
    assert_eq!(code, 127);
    assert!(err.contains("qga-list 999"), "{err}");
    for (name, args) in [
        ("qga-list 1", &["tree"][..]),
        ("qga-list 1", &["forest", "/"]),
        ("qga-checksums 1", &[]),
        ("qga-checksums 1", &["first", "x", "/etc/passwd"]),
        ("qga-begin 1", &["/t"]),
        ("qga-begin 1", &["/t", "/u", "socket", "no"]),
        (
            "qga-set-metadata 1",
            &["mode", "644", "-", "2", "/etc/passwd"],
        ),
        ("qga-unpack 1", &[]),
        ("qga-pack 1", &["/srv", "x", "./a"]),
        ("qga-pack 1", &["/srv"]),
        ("qga-are-empty 1", &[]),
        ("qga-kill 1", &["me"]),
        ("qga-stream 1", &[]),
        ("qga-run-in 1", &["/"]),
    ] {
        let (code, _, err) = run(&mut caller, name, args).await;
        assert!(
            code != 0 && !err.is_empty(),
            "{name} {args:?}: {code} {err}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_sees_the_folder_that_it_is_run_in() {
    let mut caller = Caller::new();
    caller
        .agent
        .program("where")
        .runs(|call| qga_testserver::Script::new().stdout(&call.current_dir));
    let (_, out, _) = run(&mut caller, "qga-run-in 1", &["/tmp", "where"]).await;
    assert_eq!(out, "/tmp");
    let call = json!({"path": "where", "capture-output": true});
    assert_eq!(exec(&mut caller, call).await.1, "/");
}

#[cfg(unix)]
mod host {
    use super::*;

    #[tokio::test]
    async fn the_hosts_shell_runs_in_a_folder_that_is_the_guests_root() {
        let mut caller = Caller::new();
        let folder = caller.agent.host_shell();
        caller.agent.file("/etc/motd", "welcome\n");
        let script = "cat \"$1\" && pwd -P && echo no >&2; exit 3";
        let call = json!({
            "path": "/bin/sh", "arg": ["-c", script, "sh", "/etc/motd"], "capture-output": true,
        });
        let (code, out, err) = exec(&mut caller, call).await;
        let pwd = folder.canonicalize().unwrap();
        let wanted = format!("welcome\n{}\n", pwd.display());
        assert_eq!((code, &*out, &*err), (3, &*wanted, "no\n"));
        let call = json!({
            "path": "cat", "input-data": "aW4=", "capture-output": "merged", "env": ["PATH=/usr/bin:/bin"],
        });
        assert_eq!(exec(&mut caller, call).await.1, "in");
        caller.agent.program("cat").stdout("mine").exit(0);
        let call = json!({"path": "cat", "capture-output": true});
        assert_eq!(exec(&mut caller, call).await.1, "mine");
        drop(caller);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn files_of_the_host_are_opened_as_an_agent_does() {
        let mut caller = Caller::new();
        let folder = caller.agent.host_shell();
        caller.agent.folder("/srv");
        let open = json!({"path": "/srv/../srv/x", "mode": "w+"});
        let handle = caller.call("guest-file-open", open).await;
        let write = json!({"handle": handle, "buf-b64": "YWJj"});
        assert_eq!(caller.call("guest-file-write", write).await["count"], 3);
        assert_eq!(std::fs::read(folder.join("srv/x")).unwrap(), b"abc");
        let seek = json!({"handle": handle, "offset": -1, "whence": "end"});
        assert_eq!(caller.call("guest-file-seek", seek).await["position"], 2);
        let read = caller
            .call("guest-file-read", json!({"handle": handle}))
            .await;
        assert_eq!(
            (&read["buf-b64"], &read["eof"]),
            (&json!("Yw=="), &json!(true))
        );
        assert_eq!(caller.agent.open_handles().len(), 1);
        caller
            .call("guest-file-flush", json!({"handle": handle}))
            .await;
        caller
            .call("guest-file-close", json!({"handle": handle}))
            .await;
        for (call, arguments, wanted) in [
            (
                "open",
                json!({"path": "/none"}),
                "failed to open file '/none' (mode: 'r'): No such file or directory",
            ),
            (
                "open",
                json!({"path": "/srv", "mode": "w"}),
                "failed to open file '/srv' (mode: 'w'): Is a directory",
            ),
            (
                "open",
                json!({"path": "/../../../none"}),
                "failed to open file '/../../../none' (mode: 'r'): No such file or directory",
            ),
            (
                "close",
                json!({"handle": handle}),
                "handle '1000' has not been found",
            ),
            (
                "read",
                json!({"handle": handle}),
                "handle '1000' has not been found",
            ),
            (
                "write",
                json!({"handle": handle, "buf-b64": ""}),
                "handle '1000' has not been found",
            ),
            (
                "flush",
                json!({"handle": handle}),
                "handle '1000' has not been found",
            ),
            (
                "seek",
                json!({"handle": handle, "offset": 0, "whence": 0}),
                "handle '1000' has not been found",
            ),
        ] {
            let said = caller.call(&format!("guest-file-{call}"), arguments).await;
            assert_eq!(said, wanted, "{call}");
        }
    }

    #[tokio::test]
    async fn a_program_of_the_host_is_known_while_it_runs_and_can_be_killed() {
        let mut caller = Caller::new();
        caller.agent.host_shell();
        let call = json!({"path": "sleep", "arg": ["1000"]});
        let started = caller.call("guest-exec", call).await;
        let pid = started["pid"].as_i64().unwrap();
        assert_eq!(caller.agent.running_processes(), [pid]);
        let status = json!({"pid": pid});
        assert_eq!(
            caller.call("guest-exec-status", status.clone()).await["exited"],
            false
        );
        assert!(caller.agent.kill_process(pid, 15));
        while caller.agent.running_processes() == [pid] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let ended = caller.call("guest-exec-status", status).await;
        assert_eq!(ended, json!({"exited": true, "signal": 15}));
        let none = caller.call("guest-exec", json!({"path": "/no/such"})).await;
        assert_eq!(
            none,
            "Failed to execute child process \u{201C}/no/such\u{201D} (No such file or directory)"
        );
    }
}
