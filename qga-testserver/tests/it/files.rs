use qga_testserver::TestAgent;
use serde_json::{Value, json};
use tokio::io::DuplexStream;

use crate::wire::Wire;

struct Guest {
    agent: TestAgent,
    client: Wire<DuplexStream>,
}

impl Guest {
    fn new() -> Self {
        let (agent, stream) = TestAgent::in_memory();
        Self {
            agent,
            client: Wire::new(stream),
        }
    }

    async fn call(&mut self, command: &str, arguments: Value) -> Value {
        let request = json!({"execute": format!("guest-file-{command}"), "arguments": arguments});
        let reply: Value =
            serde_json::from_str(&self.client.ask(request.to_string()).await).unwrap();
        match reply.get("return") {
            Some(value) => value.clone(),
            None => reply["error"]["desc"].clone(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_file_is_read_in_chunks_to_its_end() {
    let mut guest = Guest::new();
    guest.agent.file("/srv/deep/big", vec![b'z'; 3 << 20]);
    let handle = guest.call("open", json!({"path": "/srv/deep/big"})).await;
    assert_eq!(handle, 1000);
    let mut read = 0;
    loop {
        let chunk = guest
            .call("read", json!({"handle": handle, "count": 1 << 20}))
            .await;
        read += chunk["count"].as_u64().unwrap();
        if chunk["eof"] == true {
            assert_eq!(chunk, json!({"count": 0, "buf-b64": "", "eof": true}));
            break;
        }
    }
    assert_eq!(read, 3 << 20);
}

#[tokio::test(start_paused = true)]
async fn written_bytes_are_seen_after_a_flush() {
    let mut guest = Guest::new();
    guest.agent.file("/tmp/x", "old");
    let handle = guest
        .call("open", json!({"path": "/tmp/x", "mode": "a"}))
        .await;
    guest
        .call("write", json!({"handle": handle, "buf-b64": "bmV3"}))
        .await;
    assert_eq!(guest.agent.file_content("/tmp/x").unwrap(), b"old");
    assert_eq!(
        guest.call("flush", json!({"handle": handle})).await,
        json!({})
    );
    assert_eq!(guest.agent.file_content("/tmp/x").unwrap(), b"oldnew");
}

#[tokio::test(start_paused = true)]
async fn writes_beyond_the_buffer_go_out_in_whole_blocks() {
    let mut guest = Guest::new();
    let handle = guest
        .call("open", json!({"path": "/tmp/x", "mode": "w"}))
        .await;
    let data = "QUFB".repeat(3000);
    guest
        .call("write", json!({"handle": handle, "buf-b64": data}))
        .await;
    assert_eq!(guest.agent.file_content("/tmp/x").unwrap().len(), 8192);
    guest.call("close", json!({"handle": handle})).await;
    assert_eq!(guest.agent.file_content("/tmp/x").unwrap().len(), 9000);
}

#[tokio::test(start_paused = true)]
async fn a_client_cannot_fill_the_hosts_memory() {
    let mut guest = Guest::new();
    let handle = guest
        .call("open", json!({"path": "/tmp/x", "mode": "w"}))
        .await;
    let far = json!({"handle": handle, "offset": 1_i64 << 40, "whence": "set"});
    assert_eq!(guest.call("seek", far).await["position"], 1_i64 << 40);
    guest
        .call("write", json!({"handle": handle, "buf-b64": "YWJj"}))
        .await;
    let failed = "failed to close handle: No space left on device";
    assert_eq!(guest.call("close", json!({"handle": handle})).await, failed);
}

#[tokio::test(start_paused = true)]
async fn handles_are_limited_in_number_and_never_used_again() {
    let mut guest = Guest::new();
    let open = json!({"path": "/etc/hostname"});
    for handle in 1000..2000 {
        assert_eq!(guest.call("open", open.clone()).await, handle);
    }
    let failed = "failed to open file '/etc/hostname' (mode: 'r'): Too many open files";
    assert_eq!(guest.call("open", open.clone()).await, failed);
    guest.call("close", json!({"handle": 1500})).await;
    assert_eq!(guest.call("open", open).await, 2000);
}

#[tokio::test(start_paused = true)]
async fn paths_are_followed_step_by_step() {
    let mut guest = Guest::new();
    guest.agent.file("/a/b", "x");
    let cases = [
        ("/a//./b", json!(1000)),
        ("/a/../a/b", json!(1001)),
        ("a/b", json!(1002)),
        (
            "/a/b/c",
            json!("failed to open file '/a/b/c' (mode: 'r'): Not a directory"),
        ),
        (
            "/a/b/",
            json!("failed to open file '/a/b/' (mode: 'r'): Not a directory"),
        ),
        (
            "/a/n/../b",
            json!("failed to open file '/a/n/../b' (mode: 'r'): No such file or directory"),
        ),
        (
            "",
            json!("failed to open file '' (mode: 'r'): No such file or directory"),
        ),
    ];
    for (path, wanted) in cases {
        assert_eq!(
            guest.call("open", json!({"path": path})).await,
            wanted,
            "{path}"
        );
    }
}
