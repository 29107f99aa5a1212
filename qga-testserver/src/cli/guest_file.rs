use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::Failure;
use super::guest_change::GuestChange;
use super::words::with_hint;
use crate::TestAgent;

/// The content of a guest file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GuestFile {
    guest: Option<GuestChange>,
    /// Files by their path.
    files: BTreeMap<GuestPath, String>,
    programs: Vec<Program>,
}

/// A program that does the same each time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Program {
    name: String,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
    #[serde(default)]
    exit: i32,
    signal: Option<u8>,
    /// How long it runs.
    #[serde(default)]
    milliseconds: u64,
    #[serde(default)]
    never_ends: bool,
}

/// An absolute path.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct GuestPath(String);

impl TryFrom<String> for GuestPath {
    type Error = &'static str;

    fn try_from(path: String) -> Result<Self, Self::Error> {
        if !path.starts_with('/') || path.ends_with('/') {
            return Err("the path of a file begins with / and does not end with it");
        }
        Ok(Self(path))
    }
}

impl TestAgent {
    /// Sets the guest up as a guest file says, which is described in `PROGRAM.md`. What the file does not mention
    /// stays as it is.
    ///
    /// ```
    /// use qga_testserver::TestAgent;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("guest.toml");
    /// std::fs::write(&path, "[guest]\nhost-name = \"web-1\"\n")?;
    /// let agent = TestAgent::start().await;
    /// agent.load_guest_file(&path)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the file cannot be read or has a mistake; the message names the line and the key.
    pub fn load_guest_file(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let file = GuestFile::read(path.as_ref()).map_err(io::Error::other)?;
        file.apply(self);
        Ok(())
    }
}

impl GuestFile {
    /// Reads a file. If it has a mistake, the message names the file, the line and the key.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read the guest file {shown}: {error}"))?;
        let mistake = |at: usize, message: &str| {
            let (line, key) = place(&text, at);
            format!("{shown}:{line}: {key}: {message}")
        };
        let file: Self = toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            mistake(start, &with_hint(error.message()))
        })?;
        match file.file_that_is_a_folder() {
            Some(path) => Err(mistake(
                text.find(path).unwrap_or_default(),
                "a file cannot have files below it",
            )),
            None => Ok(file),
        }
    }

    fn file_that_is_a_folder(&self) -> Option<&str> {
        let mut paths = self.files.keys().map(|path| path.0.as_str());
        paths.find(|path| {
            let below = format!("{path}/");
            self.files.keys().any(|other| other.0.starts_with(&below))
        })
    }

    /// Sets the guest of an agent up like this.
    pub(super) fn apply(&self, agent: &TestAgent) {
        if let Some(guest) = &self.guest {
            guest.apply(agent);
        }
        for (path, content) in &self.files {
            agent.file(&path.0, content.as_str());
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
            .after(Duration::from_millis(self.milliseconds));
        match self.signal {
            _ if self.never_ends => program.never_ends(),
            Some(number) => program.signal(i64::from(number)),
            None => program.exit(i64::from(self.exit)),
        }
    }
}

/// The number of a line, from 1, and the key on it.
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
    use crate::{Profile, TestAgent};

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
        let nameless = mistake("[[programs]]\nstdout = \"x\"\n");
        assert!(
            nameless.starts_with("guest.toml:1: programs: missing field `name`"),
            "{nameless}"
        );
        let exit = mistake("[[programs]]\nname = \"x\"\nexit = -9999999999\n");
        assert!(exit.starts_with("guest.toml:3: exit: "), "{exit}");
        let relative = mistake("[files]\n\"etc/x\" = \"\"\n");
        assert!(
            relative.starts_with("guest.toml:2: \"etc/x\": the path of a file begins with /"),
            "{relative}"
        );
        let folder = mistake("[files]\n\"/a\" = \"\"\n\"/a/b\" = \"\"\n");
        assert!(
            folder.starts_with("guest.toml:2: \"/a\": a file cannot have files below it"),
            "{folder}"
        );
        let broken = mistake("[guest]\nhost-name = \n");
        assert!(broken.starts_with("guest.toml:2: host-name: "), "{broken}");
    }

    #[tokio::test]
    async fn what_a_file_does_not_say_is_as_the_profile_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guest.toml");
        std::fs::write(&path, "[guest]\nhost-name = \"db1\"\n").unwrap();
        let file = GuestFile::read(&path).unwrap();
        let agent = TestAgent::in_memory().0;
        agent.profile(Profile::Windows);
        file.apply(&agent);
        let guest = agent.guest();
        assert_eq!(guest.host_name, "db1");
        assert_eq!(guest.os.id.as_deref(), Some("mswindows"));
    }
}
