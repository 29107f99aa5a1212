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
}

impl Config {
    /// Reads the file that the user names, or the usual one if it is there.
    pub(crate) fn read(named: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = named.map(Path::to_owned).or_else(usual) else {
            return Ok(Self::default());
        };
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
                return Ok(Self::default());
            }
            read => read.with_context(|| format!("{} cannot be read", path.display()))?,
        };
        toml::from_str(&text).with_context(|| format!("{} makes no sense", path.display()))
    }

    /// The address that a word of the command line stands for: it may be a name of the configuration.
    pub(crate) fn address(&self, word: &str) -> anyhow::Result<String> {
        if let Some(address) = self.guests.get(word) {
            return Ok(address.clone());
        }
        if word.starts_with(['.', '/']) {
            return Ok(format!("unix:{word}"));
        }
        if word == "fake" {
            return Ok("fake:".to_owned());
        }
        if word.contains(':') {
            return Ok(word.to_owned());
        }
        let known: Vec<_> = self.guests.keys().map(String::as_str).collect();
        let known = match known.as_slice() {
            [] => "the configuration has no guests".to_owned(),
            known => format!("the configuration has {}", known.join(", ")),
        };
        anyhow::bail!(
            "there is no guest called {word:?}: {known}; an address has a colon, as in libvirt:{word} or unix:/run/{word}.sock"
        )
    }

    /// The names and addresses that a word with `*` and `?`, or the name of a group, stands for.
    pub(crate) fn matching(&self, word: &str) -> anyhow::Result<Vec<(String, String)>> {
        if let Some(names) = self.groups.get(word) {
            let mut guests = Vec::new();
            for name in names {
                guests.push((name.clone(), self.address(name)?));
            }
            return Ok(guests);
        }
        if !word.contains(['*', '?']) {
            return Ok(vec![(word.to_owned(), self.address(word)?)]);
        }
        let matching = self.guests.iter().filter(|(name, _)| is_match(word, name));
        let guests: Vec<_> = matching
            .map(|(name, address)| (name.clone(), address.clone()))
            .collect();
        anyhow::ensure!(
            !guests.is_empty(),
            "no guest of the configuration is called {word:?}"
        );
        Ok(guests)
    }
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
