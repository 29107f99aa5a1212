//! Names of guests, from the user's configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use anyhow::Context as _;
use serde::Deserialize;

/// The configuration of a user.
///
/// ```toml
/// [guests]
/// web1 = "ssh://hv1/run/qga/web1.sock"
/// web2 = "libvirt:web2"
///
/// [groups]
/// web = ["web1", "web2"]
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) guests: BTreeMap<String, String>,
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    /// Why the usual file cannot be read, which does no harm to whoever needs no name of it.
    #[serde(skip)]
    problem: Option<String>,
}

impl Config {
    /// Reads the file that the user names, or the usual one if it is there.
    pub(crate) fn read(named: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = named.map(Path::to_owned).or_else(usual) else {
            return Ok(Self::default());
        };
        let cannot = || format!("{} cannot be read", path.display());
        match fs::read_to_string(&path) {
            Ok(text) => parse(&text).with_context(|| path.display().to_string()),
            Err(error) if named.is_none() => Ok(Self {
                problem: (!is_missing(&error)).then(|| format!("{}: {error}", cannot())),
                ..Self::default()
            }),
            Err(error) => Err(error).with_context(cannot),
        }
    }

    /// The address that a word of the command line stands for: it may be a name of the configuration.
    pub(crate) fn address(&self, word: &str) -> anyhow::Result<String> {
        if let Some(address) = self.guests.get(word) {
            return written(address).with_context(|| {
                format!(
                    "the configuration says that {word} is at {address:?}, which is no address: it has no colon"
                )
            });
        }
        if let Some(address) = written(word) {
            return Ok(address);
        }
        anyhow::ensure!(!word.is_empty(), "the guest's name is empty");
        anyhow::ensure!(
            !self.groups.contains_key(word),
            "{word:?} is a group of guests; run it with each of them: qga each {word} -- SUBCOMMAND"
        );
        let known: Vec<_> = self.guests.keys().map(String::as_str).collect();
        let known = match (&self.problem, known.as_slice()) {
            (Some(problem), _) => problem.clone(),
            (None, []) => "the configuration has no guests".to_owned(),
            (None, known) => format!("the configuration has {}", known.join(", ")),
        };
        anyhow::bail!(
            "there is no guest called {word:?}: {known}; an address has a colon, as in libvirt:{word} or unix:/run/{word}.sock"
        )
    }

    /// The names and addresses that a word with `*` and `?`, or the name of a group, stands for.
    pub(crate) fn matching(&self, word: &str) -> anyhow::Result<Vec<(String, String)>> {
        if let Some(names) = self.groups.get(word) {
            anyhow::ensure!(!names.is_empty(), "the group {word:?} has no guests");
            let guests = names
                .iter()
                .map(|name| Ok((name.clone(), self.address(name)?)));
            return guests.collect();
        }
        if !word.contains(['*', '?']) {
            return Ok(vec![(word.to_owned(), self.address(word)?)]);
        }
        let matching = self.guests.keys().filter(|name| is_match(word, name));
        let guests = matching.map(|name| Ok((name.clone(), self.address(name)?)));
        let guests: Vec<_> = guests.collect::<anyhow::Result<_>>()?;
        anyhow::ensure!(
            !guests.is_empty(),
            "no guest of the configuration is called {word:?}"
        );
        Ok(guests)
    }
}

/// An address as others know it, if the word is one.
fn written(word: &str) -> Option<String> {
    match word {
        "fake" => Some("fake:".to_owned()),
        path if path.starts_with(['.', '/']) => Some(format!("unix:{path}")),
        address if address.contains(':') => Some(address.to_owned()),
        _ => None,
    }
}

/// Reads a text; an error is one line, with the place of what makes no sense.
fn parse(text: &str) -> anyhow::Result<Config> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.unwrap_or_default().matches('\n').count() + 1;
        let words = error.message().replace('\n', ", ");
        anyhow::anyhow!("line {line} makes no sense: {words}")
    })
}

/// The home of a user who has none may be a file, such as `/dev/null`.
fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

fn usual() -> Option<PathBuf> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join("qga/config.toml"))
}

/// Whether a name is as a pattern says: `*` stands for any text, `?` for any character.
fn is_match(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<_>, Vec<_>) = (pattern.chars().collect(), name.chars().collect());
    // Which beginnings of the name the beginning of the pattern stands for.
    let mut ends = vec![false; name.len() + 1];
    if let Some(first) = ends.first_mut() {
        *first = true;
    }
    for wanted in pattern {
        let mut next = vec![false; ends.len()];
        let mut any = false;
        for (index, slot) in next.iter_mut().enumerate() {
            let before = index.checked_sub(1);
            any |= ends.get(index).copied().unwrap_or_default();
            *slot = match wanted {
                '*' => any,
                wanted => before.is_some_and(|before| {
                    let fits = name
                        .get(before)
                        .is_some_and(|it| wanted == '?' || *it == wanted);
                    fits && ends.get(before).copied().unwrap_or_default()
                }),
            };
        }
        ends = next;
    }
    ends.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_names() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("web*", "web1", true),
            ("web*", "we", false),
            ("w?b", "web", true),
            ("w?b", "wb", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            (
                "****************************x",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                false,
            ),
        ] {
            assert_eq!(is_match(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_word_is_a_name_a_path_or_an_address() {
        let config: Config = toml::from_str(
            "[guests]\nweb1 = 'tcp:a:1'\nweb2 = 'tcp:a:2'\n[groups]\nall = ['web1', 'unix:/x']",
        )
        .unwrap();
        assert_eq!(config.address("web1").unwrap(), "tcp:a:1");
        assert_eq!(config.address("./x").unwrap(), "unix:./x");
        assert_eq!(config.address("libvirt:vm").unwrap(), "libvirt:vm");
        let error = config.address("web3").unwrap_err().to_string();
        assert!(error.contains("web1, web2"), "{error}");
        let names = |word| -> Vec<String> {
            let found = config.matching(word).unwrap();
            found.into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names("web?"), ["web1", "web2"]);
        assert_eq!(names("all"), ["web1", "unix:/x"]);
        config.matching("db*").unwrap_err();
    }
}
