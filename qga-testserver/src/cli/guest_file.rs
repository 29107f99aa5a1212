use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::Failure;
use crate::{Guest, TestAgent};

/// What a guest file says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GuestFile {
    guest: Option<Guest>,
    /// Files by their path.
    files: BTreeMap<String, String>,
    programs: Vec<Program>,
}

/// A program that does the same each time.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Program {
    name: String,
    stdout: String,
    stderr: String,
    exit: i64,
    signal: Option<i64>,
    /// How long it runs.
    milliseconds: u64,
    never_ends: bool,
}

impl GuestFile {
    /// Reads a file; a mistake is told with the file, the line and the key.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read the guest file {shown}: {error}"))?;
        toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let (line, key) = place(&text, start);
            format!("{shown}:{line}: {key}: {}", error.message())
        })
    }

    /// Makes an agent's guest like this.
    pub(super) fn apply(&self, agent: &TestAgent) {
        if let Some(guest) = &self.guest {
            agent.edit_guest(|current| current.clone_from(guest));
        }
        for (path, content) in &self.files {
            agent.file(path, content.as_str());
        }
        for program in &self.programs {
            program.apply(agent);
        }
    }
}

impl Program {
    pub(super) fn apply(&self, agent: &TestAgent) {
        let program = agent
            .program(&self.name)
            .stdout(&self.stdout)
            .stderr(&self.stderr)
            .exit(self.exit)
            .after(Duration::from_millis(self.milliseconds));
        match self.signal {
            _ if self.never_ends => program.never_ends(),
            Some(number) => program.signal(number),
            None => program,
        };
    }
}

/// The line, from 1, and the key on it.
fn place(text: &str, at: usize) -> (usize, String) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count();
    let written = text.lines().nth(line).unwrap_or_default();
    let key = written.split('=').next().unwrap_or_default().trim();
    (line + 1, key.trim_matches(['[', ']']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::GuestFile;

    fn mistake(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guest.toml");
        std::fs::write(&path, text).unwrap();
        let failure = GuestFile::read(&path).unwrap_err();
        failure.replace(&path.display().to_string(), "guest.toml")
    }

    #[test]
    fn a_mistake_names_file_line_and_key() {
        let wrong_type = mistake("[guest]\nhost-name = 3\n");
        assert!(
            wrong_type.starts_with("guest.toml:2: host-name: invalid type: integer"),
            "{wrong_type}"
        );
        let unknown = mistake("[guest]\n\nhostname = \"x\"\n");
        assert!(
            unknown.starts_with("guest.toml:3: hostname: unknown field `hostname`"),
            "{unknown}"
        );
        let nested = mistake("[[guest.vcpus]]\nlogical-id = 0\nonlin = true\n");
        assert!(
            nested.starts_with("guest.toml:3: onlin: unknown field"),
            "{nested}"
        );
        let broken = mistake("[guest]\nhost-name = \n");
        assert!(broken.starts_with("guest.toml:2: host-name: "), "{broken}");
    }

    #[test]
    fn what_a_file_does_not_say_is_as_usual() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guest.toml");
        std::fs::write(&path, "[guest]\nhost-name = \"db1\"\n").unwrap();
        let guest = GuestFile::read(&path).unwrap().guest.unwrap();
        assert_eq!(guest.host_name, "db1");
        assert_eq!(guest.vcpus.len(), 2);
    }
}
