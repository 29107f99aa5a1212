//! What was found at each stage.

use anstyle::Style;
use serde_json::{Value, json};

use crate::commands::Context;
use crate::show::{self, BAD, DOUBTFUL, GOOD};

/// What is looked at, in this order.
#[derive(Clone, Copy)]
pub(super) enum Stage {
    Address,
    File,
    Holder,
    Libvirt,
    Monitor,
    Connect,
    Sync,
    Version,
    Commands,
    Frozen,
    Clock,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::File => "file",
            Self::Holder => "holder",
            Self::Libvirt => "libvirt",
            Self::Monitor => "monitor",
            Self::Connect => "connect",
            Self::Sync => "sync",
            Self::Version => "version",
            Self::Commands => "commands",
            Self::Frozen => "frozen",
            Self::Clock => "clock",
        }
    }
}

/// What was found.
pub(super) struct Finding {
    state: State,
    words: String,
    advice: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    Doubtful,
    Bad,
    Unknown,
}

impl State {
    /// How it is called in JSON, how it is marked in text, and how that looks.
    fn shown(self) -> (&'static str, &'static str, Style) {
        match self {
            Self::Well => ("ok", "ok", GOOD),
            Self::Doubtful => ("warning", "?", DOUBTFUL),
            Self::Bad => ("failed", "!", BAD),
            Self::Unknown => ("unknown", "-", Style::new()),
        }
    }
}

impl Finding {
    pub(super) fn well(words: impl Into<String>) -> Self {
        Self::new(State::Well, words, None)
    }

    /// It may be meant to be so.
    pub(super) fn doubtful(words: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(State::Doubtful, words, Some(advice.into()))
    }

    pub(super) fn bad(words: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(State::Bad, words, Some(advice.into()))
    }

    /// It cannot be seen from here.
    pub(super) fn unknown(words: impl Into<String>) -> Self {
        Self::new(State::Unknown, words, None)
    }

    fn new(state: State, words: impl Into<String>, advice: Option<String>) -> Self {
        let words = words.into();
        Self {
            state,
            words,
            advice,
        }
    }
}

/// All that was found.
#[derive(Default)]
pub(super) struct Report(Vec<(Stage, Finding)>);

impl Report {
    pub(super) fn add(&mut self, stage: Stage, finding: Finding) {
        self.0.push((stage, finding));
    }

    pub(super) fn is_well(&self) -> bool {
        self.0.iter().all(|(_, found)| found.state != State::Bad)
    }

    pub(super) fn print(&self, context: &Context) -> anyhow::Result<()> {
        if context.is_json() {
            return show::json("stages", self.0.iter().map(as_json).collect::<Vec<_>>());
        }
        let rows = self.0.iter().map(|(stage, found)| {
            let (_, mark, style) = found.state.shown();
            let cells = [
                mark.to_owned(),
                stage.name().to_owned(),
                found.words.clone(),
            ];
            (style, cells)
        });
        show::styled_table(["", "", ""], rows)?;
        let advice = self.0.iter().filter_map(|(stage, found)| {
            let advice = found.advice.as_ref()?;
            Some(format!("what to do ({}): {advice}", stage.name()))
        });
        let advice: Vec<_> = advice.collect();
        if advice.is_empty() {
            return show::line("all is well");
        }
        show::lines(advice)
    }
}

fn as_json((stage, found): &(Stage, Finding)) -> Value {
    let (name, _, _) = found.state.shown();
    json!({"stage": stage.name(), "state": name, "found": found.words, "advice": found.advice})
}
