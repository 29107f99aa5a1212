//! Cassettes of a real agent and clients that make up names at random, which are others in each replay.

use std::path::Path;

use qga_commands::Guest;

use crate::served::Served;

/// What a client does, and what came of it.
trait Talk: AsyncFn(&Guest) -> String {}
impl<T: AsyncFn(&Guest) -> String> Talk for T {}

/// Records what a client does with an agent.
async fn record(agent: &str, tape: &Path, talk: &impl Talk) -> String {
    let folder = tempfile::tempdir().unwrap();
    let listen = format!("unix:{}/proxy", folder.path().display());
    let tape = tape.display().to_string();
    let options = [
        "--upstream",
        agent,
        "--listen",
        &listen,
        "--cassette",
        &tape,
    ];
    let proxy = Served::start(&[&["record"], &options[..]].concat());
    let told = talk(&Guest::connect(&*proxy.address).await.unwrap()).await;
    assert_eq!(proxy.stop("-TERM"), Some(0));
    told
}

/// Does the same with what was recorded.
async fn replay(tape: &Path, matching: bool, talk: &impl Talk) -> String {
    let folder = tempfile::tempdir().unwrap();
    let listen = format!("unix:{}/agent", folder.path().display());
    let tape = tape.display().to_string();
    let options = ["replay", "--cassette", &tape, "--listen", &listen];
    let more: &[&str] = if matching { &["--matching"] } else { &[] };
    let player = Served::start(&[&options, more].concat());
    let told = talk(&Guest::connect(&*player.address).await.unwrap()).await;
    assert_eq!(
        player.stop("-TERM"),
        Some(0),
        "the cassette was not played as recorded"
    );
    told
}

/// Records it with a real agent, and replays it in both ways.
async fn check(talk: &impl Talk, wanted: &str) {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("tape.jsonl");
    let told = record(&agent.address(), &tape, talk).await;
    assert!(told.contains(wanted), "{told}");
    for matching in [false, true] {
        for _ in 0..4 {
            assert_eq!(replay(&tape, matching, talk).await, told, "{matching}");
        }
    }
}

async fn spawned(guest: &Guest, script: &str) -> String {
    let mut program = guest.command("/bin/sh");
    let child = program.args(["-c", script]).spawn().await.unwrap();
    let output = child.wait_with_output(1 << 20).await.unwrap();
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    format!("{:?} {texts:?}", output.status.code())
}

#[tokio::test]
async fn a_spawned_program_is_replayed() {
    let talk = async |guest: &Guest| spawned(guest, "echo out; echo err >&2; exit 3").await;
    check(&talk, r#"Some(3) ["out\n", "err\n"]"#).await;
}

#[tokio::test]
async fn a_spawned_program_that_prints_for_a_while_is_replayed() {
    let script = "for i in 1 2 3; do echo $i; sleep 0.07; echo e$i >&2; done";
    let talk = async |guest: &Guest| spawned(guest, script).await;
    check(&talk, r#"Some(0) ["1\n2\n3\n", "e1\ne2\ne3\n"]"#).await;
}

#[tokio::test]
async fn two_programs_one_after_the_other_have_names_of_their_own() {
    let talk = async |guest: &Guest| {
        let first = spawned(guest, "echo same").await;
        first + &spawned(guest, "echo same").await
    };
    check(&talk, r#"Some(0) ["same\n", ""]Some(0) ["same\n", ""]"#).await;
}

#[tokio::test]
async fn an_upload_is_replayed() {
    let local = tempfile::tempdir().unwrap();
    std::fs::create_dir(local.path().join("folder")).unwrap();
    std::fs::write(local.path().join("folder/file"), "content").unwrap();
    std::fs::write(local.path().join("other"), vec![7; 200_000]).unwrap();
    let guest = tempfile::tempdir().unwrap();
    let talk = async |agent: &Guest| {
        let mut said = String::new();
        for name in ["other", "folder"] {
            let to = guest.path().join(name).display().to_string();
            let copied = agent.upload(local.path().join(name), to).verify(true).await;
            let copied = copied.unwrap();
            let what = (copied.files, copied.bytes, copied.atomic);
            said = format!("{said}{what:?}");
        }
        said
    };
    check(&talk, "(1, 200000, true)(1, 7, true)").await;
    assert_eq!(
        std::fs::read(guest.path().join("folder/file")).unwrap(),
        b"content"
    );
}
