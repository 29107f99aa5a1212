//! What a shell offers for a word that is not complete yet.

use std::ffi::OsStr;
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter as _};
use tokio::time::timeout;

use crate::config::Config;
use crate::connect::Connector;
use crate::guest_path::Place;
use crate::show::visible;

/// How long the channels of this host are looked for.
const DISCOVERY: Duration = Duration::from_millis(200);
/// How long a guest may take that is asked for its files.
const GUEST: Duration = Duration::from_secs(1);

/// Names of the configuration, channels of this host, and paths of sockets.
pub(crate) fn guests(current: &OsStr) -> Vec<CompletionCandidate> {
    let config = Config::read(None).unwrap_or_default();
    let mut words: Vec<_> = config.guests.into_keys().collect();
    words.extend(addresses());
    offered(words, current)
}

/// The same, and groups.
pub(crate) fn groups(current: &OsStr) -> Vec<CompletionCandidate> {
    let config = Config::read(None).unwrap_or_default();
    let mut offered = offered(config.groups.into_keys(), current);
    offered.extend(guests(current));
    offered
}

/// Paths of this host, and of the guest that the word names.
pub(crate) fn places(current: &OsStr) -> Vec<CompletionCandidate> {
    if let Some(Place::Guest { address, path }) = current.to_str().map(Place::of) {
        let before = current.to_str().and_then(|word| word.strip_suffix(&path));
        let before = before.unwrap_or_default();
        let found = files(&address, &path).into_iter();
        return offered(found.map(|path| format!("{before}{path}")), current);
    }
    let config = Config::read(None).unwrap_or_default();
    let names = config.guests.into_keys().map(|name| format!("{name}:/"));
    let mut offered = offered(names, current);
    offered.extend(PathCompleter::any().complete(current));
    offered
}

/// Paths of the guest that the command line names.
pub(crate) fn paths(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(path) = current.to_str() else {
        return Vec::new();
    };
    let path = if path.is_empty() { "/" } else { path };
    match guest_of_line() {
        Some(guest) => offered(files(&guest, path), OsStr::new(path)),
        None => Vec::new(),
    }
}

/// The guest of the line that is being written, whose words stand behind `--`: the first behind the subcommand.
fn guest_of_line() -> Option<String> {
    let words = env::args().skip_while(|word| word != "--").skip(2);
    let mut words = words.filter(|word| !word.starts_with('-'));
    words.next()?;
    words.next().filter(|word| !word.is_empty())
}

fn offered(words: impl IntoIterator<Item = String>, current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let fitting = words.into_iter().filter(|word| word.starts_with(&*current));
    // A name that a guest has given may hold what a terminal obeys.
    let harmless = fitting.filter(|word| visible(word) == *word);
    harmless.map(CompletionCandidate::new).collect()
}

/// The addresses of the channels of this host, as far as they are found in time.
fn addresses() -> Vec<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let found = qga_core::discover().agents.into_iter();
        let found = found.filter_map(|agent| Some(agent.reach.address()?.to_string()));
        // It may be too late.
        let _ = sender.send(found.collect());
    });
    receiver.recv_timeout(DISCOVERY).unwrap_or_default()
}

/// The paths in a guest that begin so, with a slash behind those of folders.
fn files(guest: &str, path: &str) -> Vec<String> {
    let Some(end) = path.rfind('/') else {
        return Vec::new();
    };
    // Whoever has not finished the line has not asked for a program of this host to be run.
    if guest.starts_with("exec:") {
        return Vec::new();
    }
    let folder = path.get(..=end).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return Vec::new();
    };
    let listed = runtime.block_on(async {
        let config = Config::read(None).ok()?;
        let connector = Connector::quiet(GUEST);
        let list = async {
            let guest = connector.guest(&config, guest).await.ok()?;
            guest.read_dir(folder).await.ok()
        };
        timeout(GUEST, list).await.ok()?
    });
    runtime.shutdown_background();
    let entries = listed.unwrap_or_default().into_iter();
    let paths = entries.map(|entry| {
        let slash = if entry.file_type().is_dir() { "/" } else { "" };
        format!("{folder}{}{slash}", entry.file_name())
    });
    paths.collect()
}
