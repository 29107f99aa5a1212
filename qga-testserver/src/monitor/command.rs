//! What a command of the monitor is.

use std::sync::Arc;

use serde_json::{Value, json};

use super::session::Session;
use super::shared::Shared;
use crate::commands::arguments::Parameter;
use crate::wire::reply::Failure;

/// A command of the monitor.
pub(super) struct Command {
    pub(super) name: &'static str,
    /// None where any arguments are taken.
    pub(super) parameters: Option<&'static [Parameter]>,
    /// Whether it can be carried out before others.
    pub(super) overtakes: bool,
    pub(super) run: Run,
}

type Run = fn(&Call<'_>) -> Returned;

/// What a command returns, or the error that it fails with.
pub(super) type Returned = Result<Value, Failure>;

/// A command that is carried out.
pub(super) struct Call<'a> {
    pub(super) arguments: &'a Value,
    pub(super) session: &'a Session,
    pub(super) shared: &'a Arc<Shared>,
}

impl Call<'_> {
    /// A text among the arguments.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.arguments.get(name)?.as_str()
    }
}

/// A command without parameters.
pub(super) const fn look(name: &'static str, run: Run) -> Command {
    with(name, &[], run)
}

/// A command with these parameters.
pub(super) const fn with(
    name: &'static str,
    parameters: &'static [Parameter],
    run: Run,
) -> Command {
    Command {
        name,
        parameters: Some(parameters),
        overtakes: false,
        run,
    }
}

/// What a command returns that has nothing to tell.
#[allow(
    clippy::unnecessary_wraps,
    reason = "it is the result of commands that can fail"
)]
pub(super) fn done() -> Returned {
    Ok(json!({}))
}
