//! Replies that do not fit, and replies that are long.

use qga_commands::commands::cpu::GetCpuStats;
use qga_commands::commands::exec::ExecStatus;
use qga_commands::commands::file::FileRead;
use qga_commands::commands::net::NetworkGetInterfaces;
use qga_core::{Client, Error, QgaCommand};
use qga_testserver::TestAgent;
use serde_json::{Value, json};

async fn error_of<C: QgaCommand>(command: C, reply: Value) -> Error {
    let (agent, stream) = TestAgent::in_memory();
    agent.on(C::NAME).reply(reply);
    client_error(&Client::new(stream), command).await
}

async fn client_error<C: QgaCommand>(client: &Client, command: C) -> Error {
    client.execute(command).await.err().unwrap()
}

fn interfaces(address: &Value) -> Value {
    let plain = |name: &str| json!({"name": name});
    json!([plain("lo"), plain("a"), plain("b"), {"name": "c", "ip-addresses": [address]}])
}

#[tokio::test]
async fn a_wrong_type_is_reported_at_its_place() {
    let address = json!({"ip-address": "::1", "ip-address-type": "ipv6", "prefix": "64\u{1b}[31m"});
    let error = error_of(NetworkGetInterfaces, interfaces(&address)).await;
    let decode = error.decode_error().unwrap();
    assert_eq!(decode.path(), "[3].ip-addresses[0].prefix");
    let text = error.to_string();
    assert!(text.contains("guest-network-get-interfaces"), "{text}");
    assert!(text.contains("[3].ip-addresses[0].prefix"), "{text}");
    assert!(text.contains("64") && !text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn a_number_out_of_range_is_reported_at_its_place() {
    let address = json!({"ip-address": "::1", "ip-address-type": "ipv6", "prefix": u64::MAX});
    let error = error_of(NetworkGetInterfaces, interfaces(&address)).await;
    assert_eq!(
        error.decode_error().unwrap().path(),
        "[3].ip-addresses[0].prefix"
    );
}

#[tokio::test]
async fn a_missing_member_is_reported_at_the_object_that_lacks_it() {
    let address = json!({"ip-address": "::1", "prefix": 64, "more": "x".repeat(10_000)});
    let error = error_of(NetworkGetInterfaces, interfaces(&address)).await;
    assert_eq!(error.decode_error().unwrap().path(), "[3].ip-addresses[0]");
    let text = error.to_string();
    assert!(text.len() < 1000, "{} bytes", text.len());
}

#[tokio::test]
async fn a_mistake_in_a_branch_is_reported_at_the_union() {
    let stats = json!({"type": "linux", "cpu": 0, "user": "x", "nice": 0, "system": 0, "idle": 0});
    let error = error_of(GetCpuStats, json!([stats])).await;
    assert_eq!(error.decode_error().unwrap().path(), "[0]");
    let text = error.to_string();
    assert!(text.contains(": `user`: invalid type: string"), "{text}");
}

#[test]
fn a_command_that_brings_much_expects_a_long_reply() {
    let base64 = |bytes: usize| bytes.div_ceil(3) * 4;
    let most = 48 * 1024 * 1024;
    let limit = FileRead::new(1000).count(50_331_648).reply_limit().unwrap();
    assert!(limit > base64(most) && limit < base64(most) + 10_000);
    for count in [0, -1, i64::MIN, i64::MAX] {
        assert!(FileRead::new(1000).count(count).reply_limit().is_some());
    }
    let streams = 2 * base64(16 * 1024 * 1024);
    let limit = ExecStatus::new(1).reply_limit().unwrap();
    assert!(limit > streams && limit <= 48 * 1024 * 1024);
}

#[tokio::test]
async fn a_reply_of_twelve_mebibytes_is_read_when_it_was_asked_for() {
    let (agent, stream) = TestAgent::in_memory();
    let data = "AAAA".repeat(4 * 1024 * 1024);
    let bytes = 12 * 1024 * 1024;
    agent
        .on("guest-file-read")
        .reply(json!({"count": bytes, "buf-b64": data, "eof": false}));
    let client = Client::new(stream);
    let read = client
        .execute(FileRead::new(1000).count(bytes))
        .await
        .unwrap();
    assert_eq!(read.data.len(), 12 * 1024 * 1024);
    assert!(
        client
            .execute(FileRead::new(1000))
            .await
            .unwrap_err()
            .is_bad_reply()
    );
}
