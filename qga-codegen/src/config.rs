//! The data file beside a schema: modules, names, documentation, and what deviates.

mod part_entry;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

pub(crate) use part_entry::PartEntry;

use crate::problem::{self, Location, Problem, Problems};

/// Entries by the name of what they are about.
pub(crate) type Entries<T> = BTreeMap<Spanned<String>, T>;

/// Entries in the order of the file.
pub(crate) fn in_order<T>(entries: &Entries<T>) -> impl Iterator<Item = (&Spanned<String>, &T)> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|(key, _)| key.span().start);
    sorted.into_iter()
}

/// A data file.
#[derive(Debug)]
pub struct Config {
    pub(crate) file: Arc<str>,
    pub(crate) text: String,
    pub(crate) data: Contents,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    pub(crate) schema: SchemaEntry,
    #[serde(default)]
    pub(crate) paths: Paths,
    pub(crate) platforms: Entries<PlatformEntry>,
    pub(crate) modules: Entries<String>,
    #[serde(default)]
    pub(crate) commands: Entries<CommandEntry>,
    #[serde(default)]
    pub(crate) types: Entries<TypeEntry>,
    #[serde(default)]
    pub(crate) events: Entries<EventEntry>,
}

/// What holds for the whole schema.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemaEntry {
    /// Whose versions `since` speaks of.
    pub(crate) product: String,
    /// What commands begin with on the wire and not in Rust.
    #[serde(default)]
    pub(crate) prefix: String,
    /// A path to the type that stands for the protocol of the commands, if it is not the guest agent's.
    pub(crate) protocol: Option<String>,
    /// The oldest version whose replies must decode. What is newer is optional in Rust.
    pub(crate) oldest: Option<Spanned<String>>,
}

/// Where the generated code finds what is written by hand.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paths {
    /// A type that holds bytes, gives them by `AsRef<[u8]>`, and is base64 in JSON.
    pub(crate) bytes: Option<String>,
    /// The same for what must not be shown.
    pub(crate) secret: Option<String>,
    /// The module with the types of the table of commands; without it there is no table.
    pub(crate) table: Option<String>,
    /// A type that holds any event, with `name` and `decode`; without it there are no events.
    pub(crate) raw_event: Option<String>,
    /// A trait for commands that may be sent past others.
    pub(crate) out_of_band: Option<String>,
}

/// An operating system in the guest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlatformEntry {
    pub(crate) name: String,
    /// The build options that an agent for it has.
    pub(crate) options: Vec<String>,
}

/// A command.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandEntry {
    pub(crate) module: String,
    pub(crate) name: Option<String>,
    pub(crate) since: String,
    pub(crate) doc: String,
    pub(crate) retry: RetryClass,
    /// What shows whether it has run, where its reply was lost.
    pub(crate) check: Option<String>,
    /// A path to the type of the reply, in place of the one that the schema implies.
    pub(crate) returns: Option<String>,
    /// The longest reply to expect, in bytes: an expression in Rust, which may use `self`.
    pub(crate) reply_limit: Option<String>,
    /// Whether its reply may hold a secret. An argument that is one implies it: a channel that
    /// echoes sends it back.
    #[serde(default)]
    pub(crate) secret_reply: bool,
    /// Whether the agent runs it while its filesystems are frozen.
    #[serde(default)]
    pub(crate) while_frozen: bool,
    #[serde(default)]
    pub(crate) members: Entries<PartEntry>,
}

/// Whether a command may be sent again; the words of `qga_core::RetryClass`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum RetryClass {
    Never,
    AfterResync,
    Safe,
}

impl RetryClass {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Never => "Never",
            Self::AfterResync => "AfterResync",
            Self::Safe => "Safe",
        }
    }
}

/// A type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TypeEntry {
    pub(crate) module: String,
    pub(crate) name: Option<String>,
    pub(crate) since: String,
    pub(crate) doc: String,
    #[serde(default)]
    pub(crate) members: Entries<PartEntry>,
}

/// A message that is sent without being asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventEntry {
    pub(crate) module: String,
    pub(crate) name: Option<String>,
    pub(crate) since: String,
    pub(crate) doc: String,
    #[serde(default)]
    pub(crate) members: Entries<PartEntry>,
}

impl Config {
    /// Reads a data file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is no TOML, or has a key that means nothing.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Self::parse(&file, problem::decode_utf8(&file.as_str().into(), bytes)?),
            Err(error) => {
                let hint = match error.kind() {
                    std::io::ErrorKind::NotFound => "; `qga-codegen init` writes one to begin with",
                    _ => "",
                };
                let message = format!("cannot read {file}: {error}{hint}");
                Err(Problem::new(&Location::start(file), message).into())
            }
        }
    }

    /// Reads a data file from text; `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(file: &str, text: impl Into<String>) -> Result<Self, Problems> {
        let (file, text): (Arc<str>, String) = (file.into(), text.into());
        let data = toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let location = Location::of_byte(&file, &text, start);
            Problem::new(&location, error.message().replace('\n', ", "))
        })?;
        Ok(Self { file, text, data })
    }

    /// Something wrong with the file as a whole.
    pub(crate) fn problem_at_start(&self, message: impl Into<String>) -> Problem {
        Problem::new(&Location::start(self.file.clone()), message)
    }

    /// Something wrong with an entry.
    pub(crate) fn problem(&self, key: &Spanned<String>, message: impl Into<String>) -> Problem {
        let location = Location::of_byte(&self.file, &self.text, key.span().start);
        Problem::new(&location, message)
    }
}
