//! What file commands say of paths and modes of every kind: the fake and a real agent in one folder each.
//!
//! What Linux says is kept in a fixture, so that the fake is compared with it where no agent is installed
//! too. `QGA_UPDATE_FIXTURES=1` writes it anew, from a real agent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use qga_testserver::{Profile, TestAgent};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use crate::wire::Wire;

const FIXTURE: &str = include_str!("../fixtures/file-errors.json");

/// Where a path leads, below the case's folder `@`. Something in braces is repeated: `{x*3}` is `xxx`,
/// and `{/=99}` is as many as bring the path to 99 bytes.
const PATHS: &[&str] = &[
    "",
    "/",
    "//",
    ".",
    "..",
    "./",
    "../",
    "/.",
    "/..",
    "/../..",
    "no-such-file-here",
    "@",
    "@/",
    "@/.",
    "@/..",
    "@//",
    "@/f",
    "@//f",
    "@/./f",
    "@/../",
    "@/f/",
    "@/f//",
    "@/f/.",
    "@/f/..",
    "@/f/x",
    "@/f/x/",
    "@/f/../f",
    "@/d",
    "@/d/",
    "@/d/.",
    "@/d/..",
    "@/d/../f",
    "@/d/f",
    "@/d/new",
    "@/d/new/",
    "@/d/new/.",
    "@/new",
    "@/new/",
    "@/new/.",
    "@/new/..",
    "@/new/x",
    "@/new/../f",
    "@/new//",
    "@/to-file",
    "@/to-file/",
    "@/to-file/x",
    "@/to-file/..",
    "@/to-folder",
    "@/to-folder/",
    "@/to-folder/f",
    "@/to-folder/new",
    "@/to-folder/../f",
    "@/absolute",
    "@/dangling",
    "@//dangling",
    "@/./dangling",
    "@/dangling/",
    "@/dangling/x",
    "@/dangling-folder/new",
    "@/loop",
    "@/loop/",
    "@/loop/x",
    "@/one",
    "@/under-file",
    "@/slash",
    "@/up",
    "@/up/f",
    "@/long-name",
    "@/chain40",
    "@/chain41",
    "@/chain41/x",
    "@/pipe",
    "@/pipe/",
    "@/pipe/x",
    "@/socket",
    "@/socket/",
    "@/socket/x",
    "@/{x*255}",
    "@/{x*256}",
    "@/{x*256}/",
    "@/{x*256}/y",
    "@/{x*1000}",
    "@/{\u{e9}*127}",
    "@/{\u{e9}*128}",
    "@/f/{x*256}",
    "@/new/{x*256}",
    "@/d/{x*256}/../f",
    "@{/=4094}f",
    "@{/=4095}f",
    "@{/=4096}f",
    "@{/=4094}new",
    "@{/=4095}new",
    "@{/=4096}new",
    "@/f/{x=4096}",
    "@/new/{x=4096}",
    "@/new/{x=4095}",
    "@/{x=4095}",
    "@/{x=5000}",
    "@/a\u{1}b",
    "/dev/null",
    "/dev/null/",
    "/dev/null/x",
    "/dev/zero",
    "/dev/full",
    "/dev/new/x",
];
const MODES: &[&str] = &["r", "r+", "w", "w+", "a", "a+"];
/// For two paths only, since they are judged before the path.
const MORE_MODES: &[&str] = &[
    "rb", "wb", "ab", "rb+", "r+b", "wb+", "w+b", "ab+", "a+b", "", "x", "wx", "rw", "R", "r ",
    "rt", "r+b+", "+", "b", "re", "w\u{0}",
];

/// What becomes of a file that could be opened; devices are written to, so not each of these.
const STEPS: &[(&str, &str)] = &[
    ("guest-file-read", r#""count": 3"#),
    ("guest-file-write", r#""buf-b64": "YWJj""#),
    ("guest-file-flush", ""),
    ("guest-file-seek", r#""offset": 0, "whence": "cur""#),
    ("guest-file-seek", r#""offset": -1, "whence": "set""#),
    ("guest-file-read", r#""count": 0"#),
    ("guest-file-read", r#""count": 100"#),
    ("guest-file-write", r#""buf-b64": """#),
];

fn cases() -> Vec<(String, String)> {
    let both = |path: &str, mode: &str| (path.to_owned(), mode.to_owned());
    let all = PATHS
        .iter()
        .flat_map(|path| MODES.iter().map(move |mode| both(path, mode)));
    let more = ["@/f", "@/new"];
    let more = more
        .iter()
        .flat_map(|path| MORE_MODES.iter().map(move |mode| both(path, mode)));
    // What belongs to the host is not written to.
    let is_ours = |path: &str| path.starts_with('@') || path.starts_with("/dev/");
    let mut cases: Vec<_> = all.chain(more).collect();
    cases.retain(|(path, mode)| is_ours(path) || mode == "r" || !path.starts_with("no-such"));
    cases
}

/// The path with what is in braces repeated.
fn expand(template: &str, folder: &str) -> String {
    let template = template.replacen('@', folder, 1);
    let Some((before, rest)) = template.split_once('{') else {
        return template;
    };
    let (spell, after) = rest.split_once('}').unwrap();
    let middle = if let Some((unit, times)) = spell.split_once('*') {
        unit.repeat(times.parse().unwrap())
    } else {
        let (unit, total) = spell.split_once('=').unwrap();
        let total: usize = total.parse().unwrap();
        unit.repeat(total - before.len() - after.len())
    };
    format!("{before}{middle}{after}")
}

/// Links by name and where they lead.
fn links(folder: &str) -> Vec<(String, String)> {
    let mut links: Vec<(String, String)> = [
        ("to-file", "f"),
        ("to-folder", "d"),
        ("dangling", "nowhere"),
        ("dangling-folder", "nowhere"),
        ("loop", "loop"),
        ("one", "other"),
        ("other", "one"),
        ("under-file", "f/x"),
        ("slash", "f/"),
        ("up", "d/.."),
        ("chain1", "f"),
    ]
    .map(|(name, target)| (name.to_owned(), target.to_owned()))
    .into();
    links.push(("absolute".to_owned(), format!("{folder}/f")));
    links.push(("long-name".to_owned(), "x".repeat(256)));
    links.extend((2..42).map(|link| (format!("chain{link}"), format!("chain{}", link - 1))));
    links
}

/// The agent's answers from the opening on, with the folder's name taken out.
async fn answers<S>(client: &mut Wire<S>, folder: &str, path: &str, mode: &str) -> Vec<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let path = expand(path, folder);
    let open = json!({"execute": "guest-file-open", "arguments": {"path": path, "mode": mode}});
    let opened = client.ask(open.to_string()).await;
    let opened: Value = serde_json::from_str(&opened).unwrap();
    let Some(handle) = opened["return"].as_i64() else {
        return vec![shown(&opened, folder)];
    };
    let mut answers = vec!["opened".to_owned()];
    let close = ("guest-file-close", "");
    for (command, arguments) in STEPS.iter().chain([&close]) {
        let comma = if arguments.is_empty() { "" } else { ", " };
        let arguments = format!(r#"{{"handle": {handle}{comma}{arguments}}}"#);
        let request = format!(r#"{{"execute": "{command}", "arguments": {arguments}}}"#);
        let answer = client.ask(request).await;
        answers.push(shown(&serde_json::from_str(&answer).unwrap(), folder));
    }
    answers
}

fn shown(reply: &Value, folder: &str) -> String {
    match reply["error"]["desc"].as_str() {
        Some(text) => squeezed(&text.replace(folder, "@")),
        None => reply["return"].to_string(),
    }
}

/// Long runs of a character are told by their number, but for that of the folder's name.
fn squeezed(text: &str) -> String {
    let mut squeezed = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = rest.chars().take_while(|c| *c == first).count();
        let (run_text, after) = rest.split_at(run * first.len_utf8());
        if run > 200 {
            squeezed.extend(['{', first, '}']);
        } else {
            squeezed.push_str(run_text);
        }
        rest = after;
    }
    squeezed
}

type Answers = BTreeMap<String, Vec<String>>;

fn name(path: &str, mode: &str) -> String {
    format!("{path:?} {mode:?}")
}

async fn of_the_fake(profile: Profile) -> Answers {
    let mut all = Answers::new();
    for (path, mode) in cases() {
        let (agent, stream) = TestAgent::in_memory();
        agent.profile(profile);
        let folder = "/tmp/qga-case/in/a/folder";
        agent.folder(&format!("{folder}/d"));
        agent.file(&format!("{folder}/f"), "hello");
        agent.file(&format!("{folder}/d/f"), "hello");
        agent.fifo(&format!("{folder}/pipe"));
        agent.socket_file(&format!("{folder}/socket"));
        for (name, target) in links(folder) {
            agent.symlink(&format!("{folder}/{name}"), &target);
        }
        let answers = answers(&mut Wire::new(stream), folder, &path, &mode).await;
        all.insert(name(&path, &mode), answers);
    }
    all
}

/// `None` where no agent is installed.
async fn of_a_real_agent() -> Option<(String, Answers)> {
    let agent = real_agents::start(&[]).await?;
    let stream = UnixStream::connect(agent.path()).await.unwrap();
    let mut client = Wire::new(stream);
    let place = tempfile::tempdir().unwrap();
    let mut all = Answers::new();
    make_pipes(place.path(), cases().len());
    for (number, (path, mode)) in cases().into_iter().enumerate() {
        let folder = place.path().join(number.to_string());
        lay_out(&folder);
        let answers = answers(&mut client, folder.to_str().unwrap(), &path, &mode).await;
        all.insert(name(&path, &mode), answers);
        fs::remove_dir_all(folder).unwrap();
    }
    Some((agent.version().to_owned(), all))
}

fn lay_out(folder: &Path) {
    fs::create_dir_all(folder.join("d")).unwrap();
    fs::write(folder.join("f"), "hello").unwrap();
    fs::write(folder.join("d/f"), "hello").unwrap();
    drop(UnixListener::bind(folder.join("socket")).unwrap());
    for (name, target) in links(folder.to_str().unwrap()) {
        symlink(target, folder.join(name)).unwrap();
    }
}

/// A pipe for each of so many folders, by one program, which takes longer than all the rest.
fn make_pipes(place: &Path, count: usize) {
    let folders: Vec<_> = (0..count)
        .map(|number| place.join(number.to_string()))
        .collect();
    for folder in &folders {
        fs::create_dir(folder).unwrap();
    }
    let pipes = folders.iter().map(|folder| folder.join("pipe"));
    let made = Command::new("mkfifo").args(pipes).status();
    assert!(made.unwrap().success());
}

fn kept() -> Answers {
    serde_json::from_str(FIXTURE).unwrap()
}

fn assert_same(found: &Answers, wanted: &Answers, who: &str) {
    let all: BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
    let differ = all
        .into_iter()
        .filter(|case| found.get(*case) != wanted.get(*case));
    let differ: Vec<_> = differ
        .map(|case| {
            format!(
                "{case}\n  {who}: {:?}\n  kept: {:?}",
                found.get(case),
                wanted.get(case)
            )
        })
        .collect();
    assert!(
        differ.is_empty(),
        "{} differ:\n{}",
        differ.len(),
        differ.join("\n")
    );
}

#[tokio::test(start_paused = true)]
async fn the_fake_says_of_paths_and_modes_what_linux_says() {
    for profile in [
        Profile::Qemu3_1,
        Profile::Qemu7_2,
        Profile::Qemu10_0,
        Profile::Qemu10_0_13,
        Profile::Qemu11_1,
    ] {
        let answers = of_the_fake(profile).await;
        assert_same(&answers, &kept(), &format!("fake of {profile}"));
    }
}

#[tokio::test]
async fn a_real_agent_says_of_paths_and_modes_what_is_kept() {
    let Some((version, answers)) = of_a_real_agent().await else {
        return;
    };
    if std::env::var_os("QGA_UPDATE_FIXTURES").is_some() {
        let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let lines = answers
            .iter()
            .map(|(case, answers)| format!("{}: {}", json!(case), json!(answers)));
        let text = format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"));
        fs::write(fixture.join("file-errors.json"), text).unwrap();
        return;
    }
    assert_same(&answers, &kept(), &format!("qemu-ga {version}"));
}
