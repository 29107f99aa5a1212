//! Why a program could not be started, as far as the agent's words tell.

use super::GuestError;

/// What agents say of a program that is not there.
const NOT_FOUND: [&str; 5] = [
    "no such file",
    "not a directory",
    "not found",
    "cannot find",
    "could not find",
];

/// What they say of a file that is there and is no program for this user and machine.
const NOT_EXECUTABLE: [&str; 8] = [
    "permission denied",
    "access is denied",
    "exec format error",
    "is a directory",
    "text file busy",
    "too many levels of symbolic links",
    "argument list too long",
    "not a valid",
];

impl GuestError {
    /// Whether a program was not started because the guest has none of this name, as far as the agent's message tells.
    ///
    /// A program that is run through the guest's shell, as by [`spawn`](super::super::process::Command::spawn), ends with
    /// the exit code 127 instead.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let guest = qga_commands::Guest::connect(agent.address()).await.unwrap();
    /// let error = guest.command("unmae").output().await.unwrap_err();
    /// assert!(error.is_no_such_program());
    /// # }
    /// ```
    #[must_use]
    pub fn is_no_such_program(&self) -> bool {
        matches!(self, Self::NoSuchProgram { .. }) || self.start_says(&NOT_FOUND)
    }

    /// Whether a program was not started because the file of this name is no program, or none that the agent may run, as
    /// far as the agent's message tells.
    ///
    /// A program that is run through the guest's shell ends with the exit code 126 instead.
    #[must_use]
    pub fn is_not_executable(&self) -> bool {
        !self.is_no_such_program() && self.start_says(&NOT_EXECUTABLE)
    }

    /// Whether a start has failed with one of these words behind the program's name.
    fn start_says(&self, words: &[&str]) -> bool {
        let Self::Command(error) = self else {
            return false;
        };
        let Some(said) = error.agent_error() else {
            return false;
        };
        if said.is_command_not_found() || error.command() != Some("guest-exec") {
            return false;
        }
        let text = said.desc.to_lowercase();
        // The program's name may hold any words. It stands in quotation marks, and the reason behind these.
        let reason = text
            .rsplit_once('\u{201d}')
            .map_or(&*text, |(_, reason)| reason);
        words.iter().any(|words| reason.contains(words))
    }
}
