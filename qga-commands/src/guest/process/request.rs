//! The request that runs a program.

use super::Command;
use super::command::check_for_shell;
use crate::commands::exec::Exec;
use crate::guest::{GuestError, scripts};
use crate::limits;

impl Command {
    /// The request that runs the program as it is.
    pub(super) fn exec(&self) -> Result<Exec, GuestError> {
        self.check()?;
        self.request(self.words()?)
    }

    /// The program and its arguments, through `env` where variables are merged, and through a shell that
    /// goes to a folder before.
    pub(super) fn words(&self) -> Result<Vec<String>, GuestError> {
        let mut words = Vec::new();
        if !self.env_clear && !self.env.is_empty() {
            self.check_merging()?;
            words.push("env".to_owned());
            words.extend(self.variables());
        }
        words.push(self.program.clone());
        words.extend_from_slice(&self.args);
        let Some(folder) = &self.current_dir else {
            return Ok(words);
        };
        check_for_shell(&words)?;
        Ok(scripts::RUN_IN.words(&scripts::path(&**folder)?, words))
    }

    /// The request that runs these words.
    pub(super) fn request(&self, words: Vec<String>) -> Result<Exec, GuestError> {
        let mut words = words.into_iter();
        let mut exec = Exec::new(words.next().unwrap_or_default()).arg(words);
        if self.env_clear {
            exec = exec.env(self.variables());
        }
        if let Some(bytes) = &self.stdin {
            exec = exec.input_data(&**bytes);
        }
        let (length, most) = (limits::length(&exec), limits::request(self.guest.client()));
        if length <= most {
            return Ok(exec);
        }
        let text = format!(
            "a program's input, arguments and environment take {length} bytes of a request, where {most} can \
             be sent"
        );
        Err(GuestError::InvalidInput(text.into()))
    }

    fn variables(&self) -> impl Iterator<Item = String> {
        self.env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
    }

    pub(super) fn check(&self) -> Result<(), GuestError> {
        let wrong = |(name, _): &(String, String)| name.is_empty() || name.contains('=');
        if self.env.iter().any(wrong) {
            let text = "an environment variable's name is empty or has a `=`";
            return Err(GuestError::InvalidInput(text.into()));
        }
        Ok(())
    }

    /// Whether `env` can tell the variables from its options and from the program.
    fn check_merging(&self) -> Result<(), GuestError> {
        let option = self.env.iter().any(|(name, _)| name.starts_with('-'));
        if option || self.program.starts_with('-') || self.program.contains('=') {
            let text = "the guest's `env` would mistake this program or variable; use `env_clear`";
            return Err(GuestError::InvalidInput(text.into()));
        }
        Ok(())
    }
}
