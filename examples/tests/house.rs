//! The folders of a crate are the floors of a house: each knows only those below it. And among siblings,
//! at any depth, none knows one that knows it; a parent and its children may name each other.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is a test"
)]

#[path = "house/modules.rs"]
mod modules;
#[path = "house/paths.rs"]
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use modules::Modules;

/// The floors of `qga-core`, the lowest first. Modules on one floor do not know each other.
const CORE: &[&[&str]] = &[
    &["text"],
    &["base64"],
    &["json"],
    &["command", "__private"],
    &["error"],
    &["protocol"],
    &["transport"],
    &["terms", "parts"],
    &["client", "blocking", "discover"],
    &["fleet"],
];

/// The floors of `qga-testserver`, the lowest first. Modules on one floor do not know each other.
const TESTSERVER: &[&[&str]] = &[
    &["lock", "suggest"],
    &["wire"],
    &["profile", "fault", "cassette", "real_agent"],
    &["guest", "stub"],
    &["commands"],
    &["agent"],
    &["libvirt", "monitor"],
    &["cli"],
];

/// The floors of `qga-commands`, the lowest first. Modules on one floor do not know each other.
const COMMANDS: &[&[&str]] = &[
    &["bytes", "guest_time", "secret", "table"],
    &["commands"],
    &["address", "limits", "schema"],
    &["policy", "usable"],
    &["backoff", "optional"],
    &["incarnation"],
    &["capabilities"],
    &["guest"],
    &["fleet"],
];

/// The floors of what is done with a guest, the lowest first; the operations do not know each other.
const GUEST: &[&[&str]] = &[
    &["machine", "output", "presence", "records"],
    &["error"],
    &[
        "admission",
        "builder",
        "clean_up",
        "pace",
        "retries",
        "scripts",
    ],
    &["files"],
    &["process"],
    &["shell"],
    &[
        "accounts", "clock", "copy", "disks", "facts", "freeze", "fs", "fstrim", "health",
        "hotplug", "network", "power", "ready", "ssh_keys", "system",
    ],
];

const CRATES: &[&str] = &[
    "qga-core",
    "qga-derive",
    "qga-commands",
    "qga-codegen",
    "qga-libvirt",
    "qga-qmp",
    "qga-testserver",
    "qga-cli",
    "qga-vm",
];

/// The floors of `qga-libvirt`, the lowest first. Modules on one floor do not know each other.
const LIBVIRT: &[&[&str]] = &[
    &["wire"],
    &["target", "connection"],
    &["dial"],
    &["hub"],
    &["pool"],
    &["ask", "events"],
    &["channel", "domain_watch"],
    &["agent"],
    &["daemon"],
];

/// The floors of `qga-qmp`, the lowest first. Modules on one floor do not know each other.
const QMP: &[&[&str]] = &[
    &["wire"],
    &["failure", "later", "protocol", "request", "ring", "wakers"],
    &["commands"],
    &["link"],
    &["events"],
    &["monitor"],
    &["port"],
    &["watch"],
    &["machine"],
];

/// The floors of `qga-vm`, the lowest first. Modules on one floor do not know each other.
const MACHINES: &[&[&str]] = &[
    &["disk", "monitor", "once", "shell"],
    &["image"],
    &["builder", "libvirt"],
    &["vm"],
    &["saved"],
];

/// From a module to one that it names, and where.
type Uses = BTreeMap<(String, String), String>;

/// What the children of a module know of each other.
fn uses_among_children(modules: &Modules) -> BTreeMap<String, Uses> {
    let mut all: BTreeMap<String, Uses> = BTreeMap::new();
    for (from, to) in modules.uses() {
        let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        if let (Some(user), Some(used)) = (from.get(common), to.get(common)) {
            let parent = from[..common].join("::");
            let place = format!("{} names {}", from.join("::"), to.join("::"));
            let uses = all.entry(parent).or_default();
            uses.entry((user.clone(), used.clone())).or_insert(place);
        }
    }
    all
}

/// The modules that know each other in a circle, with the places that show it.
fn circle(uses: &Uses) -> Option<String> {
    let mut left: BTreeSet<&str> = uses.keys().map(|(from, _)| from.as_str()).collect();
    loop {
        let before = left.len();
        for keeps in [
            // Who knows nobody, or is known by nobody, is in no circle.
            |(from, to): &'_ (String, String)| (from.clone(), to.clone()),
            |(from, to): &'_ (String, String)| (to.clone(), from.clone()),
        ] {
            let pairs: Vec<_> = uses.keys().map(keeps).collect();
            let all = left.clone();
            let in_circle = |module: &&str| {
                let mut of_it = pairs.iter().filter(|(from, _)| from == module);
                of_it.any(|(_, to)| all.contains(to.as_str()))
            };
            left.retain(in_circle);
        }
        if left.len() == before {
            break;
        }
    }
    let shown = uses
        .iter()
        .filter(|((from, to), _)| left.contains(from.as_str()) && left.contains(to.as_str()));
    let places: Vec<_> = shown.map(|(_, place)| format!("  {place}")).collect();
    (!left.is_empty()).then(|| places.join("\n"))
}

#[test]
fn no_modules_know_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for name in CRATES {
        for (parent, uses) in uses_among_children(&Modules::read(name)) {
            if let Some(circle) = circle(&uses) {
                circles.push(format!("{name} {parent}:\n{circle}"));
            }
        }
    }
    assert!(circles.is_empty(), "circles:\n{}", circles.join("\n"));
}

#[test]
fn each_floor_of_the_core_knows_only_those_below() {
    check_floors("qga-core", "", CORE);
}

#[test]
fn each_floor_of_the_fake_agent_knows_only_those_below() {
    check_floors("qga-testserver", "", TESTSERVER);
}

#[test]
fn each_floor_of_the_commands_knows_only_those_below() {
    check_floors("qga-commands", "", COMMANDS);
    check_floors("qga-commands", "guest", GUEST);
}

#[test]
fn each_floor_of_libvirt_knows_only_those_below() {
    check_floors("qga-libvirt", "", LIBVIRT);
}

#[test]
fn each_floor_of_the_monitor_knows_only_those_below() {
    check_floors("qga-qmp", "", QMP);
}

#[test]
fn each_floor_of_the_machines_knows_only_those_below() {
    check_floors("qga-vm", "", MACHINES);
}

fn check_floors(name: &str, parent: &str, floors: &[&[&str]]) {
    let modules = Modules::read(name);
    let floor = |module: &str| floors.iter().position(|floor| floor.contains(&module));
    for child in modules.children(parent) {
        assert!(floor(&child).is_some(), "on which floor is {child}?");
    }
    let known = |module: &&str| modules.children(parent).any(|child| child == **module);
    for module in floors.iter().flat_map(|floor| floor.iter()) {
        assert!(known(module), "{name} has no module {module}");
    }
    let uses = uses_among_children(&modules).remove(parent).unwrap();
    for ((from, to), place) in uses {
        assert!(floor(&from) > floor(&to), "{place}, which is not below");
    }
}

/// The files below a module that name a runtime, a socket, a file, a thread or the clock.
fn impure(modules: &Modules, below: &str) -> Vec<String> {
    let of_module = |(place, _): &(&modules::Place, _)| place.first().is_some_and(|it| it == below);
    let files = modules.files().filter(of_module);
    let names = files.flat_map(|(place, file)| {
        let names = paths::outside(file).into_iter();
        names.map(|name| (place.join("::"), name.join("::")))
    });
    let impure = names.filter(|(_, name)| {
        let is_in = |module: &&str| name == module || name.starts_with(&format!("{module}::"));
        let mut folders = [
            "tokio",
            "std::net",
            "std::fs",
            "std::thread",
            "std::os",
            "std::process",
        ]
        .iter();
        let reads_clock = name.ends_with("::now") || name == "elapsed";
        folders.any(is_in) || reads_clock || name.contains("SystemTime")
    });
    impure
        .map(|(place, name)| format!("{place} names {name}"))
        .collect()
}

#[test]
fn the_protocol_names_no_runtime_no_socket_no_file_no_thread_and_no_clock() {
    let modules = Modules::read("qga-core");
    assert_eq!(impure(&modules, "protocol"), [""; 0]);
    assert_eq!(impure(&Modules::read("qga-libvirt"), "wire"), [""; 0]);
    assert_eq!(impure(&Modules::read("qga-qmp"), "wire"), [""; 0]);
    // The driver names some of them, so this test would see it.
    assert!(!impure(&modules, "blocking").is_empty());
}

/// What starts a real agent by itself, and not by `real_agents`, which looks at the test's name.
#[test]
fn each_test_with_a_real_agent_has_it_in_its_name_so_that_it_runs_with_every_agent() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<_> = CRATES
        .iter()
        .map(|name| root.join(name).join("tests"))
        .collect();
    folders.push(root.join("examples/tests"));
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = std::fs::read_to_string(&path).unwrap();
                let place = path.strip_prefix(&root).unwrap().display().to_string();
                let starts = code.contains(concat!("RealAgent", "::start"));
                assert!(!starts || place.contains("real"), "{place}");
                files += usize::from(starts);
            }
        }
    }
    assert!(files > 0);
}

#[test]
fn what_is_impure_is_found_in_imports_in_paths_and_in_macros_but_not_in_tests_and_comments() {
    for code in [
        "use tokio::time;",
        "use std::{io, net::TcpStream};",
        "fn f() { std::thread::yield_now(); }",
        "fn f() { g(Instant::now) }",
        "fn f(start: Instant) { start.elapsed(); }",
        "fn f() { println!(\"{}\", std::fs::exists(\"\")); }",
        "fn f(time: std::time::SystemTime) {}",
    ] {
        let modules = Modules::of([("", "mod pure;"), ("pure", code)]);
        assert_eq!(impure(&modules, "pure").len(), 1, "{code}");
    }
    let code = "
        //! Without std::fs and tokio.
        use std::{io, time::{Duration, Instant}};
        fn f(now: Instant) -> bool { now + Duration::ZERO > now }
        #[cfg(test)] mod tests { use std::fs; fn now() { Instant::now(); } }
    ";
    let modules = Modules::of([("", "mod pure;"), ("pure", code)]);
    assert_eq!(impure(&modules, "pure"), [""; 0]);
}

#[test]
fn a_circle_is_found_behind_re_exports_and_in_macros() {
    let modules = Modules::of([
        ("", "mod a; mod b; mod c; pub use a::First;"),
        (
            "a",
            "pub struct First; fn f() { println!(\"{}\", crate::b::second()); }",
        ),
        ("b", "use crate::{First, c::third}; pub fn second() {}"),
        (
            "c",
            "use super::c; #[cfg(test)] mod tests { use crate::b::second; } pub fn third() {}",
        ),
    ]);
    let uses = uses_among_children(&modules).remove("").unwrap();
    let found = circle(&uses).unwrap();
    assert_eq!(found, "  a names b\n  b names a");
}
