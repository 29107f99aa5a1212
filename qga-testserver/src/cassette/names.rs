//! Names that a client makes up at random, so that they differ each time.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::wire::request::excerpt;

/// Which random name of a replay stands for which one of the cassette.
///
/// A random name is a run of 16 or 32 hexadecimal digits, or a UUID, in any text. If the client sent a
/// name first, it may send another one in a replay; if the guest told it first, it stays as it is.
#[derive(Debug, Default)]
pub(super) struct Names {
    recorded: HashMap<String, String>,
    /// The latest, where several stand for one.
    given: HashMap<String, String>,
}

/// A recorded name, and the one that stands for it.
pub(super) type Pair = (String, String);

/// The members of replies that hold text in base64.
const BASE64: [&str; 3] = ["buf-b64", "err-data", "out-data"];
/// How many names are remembered at most.
const LIMIT: usize = 100_000;

impl Names {
    /// Compares a request with a recorded one: returns the new names with which they are the same, or
    /// where they differ.
    ///
    /// If a recorded request is used `again`, its names may stand for others than before.
    pub(super) fn fit<'v>(
        &self,
        recorded: &'v Value,
        given: &'v Value,
        again: bool,
    ) -> Result<Vec<Pair>, Difference<'v>> {
        let mut trial = Trial {
            names: self,
            again,
            new: Vec::new(),
        };
        match trial.difference(recorded, given, "arguments") {
            None => Ok(trial.new),
            Some(difference) => Err(difference),
        }
    }

    /// Remembers what [`fit`](Names::fit) has found.
    pub(super) fn learn(&mut self, pairs: Vec<Pair>) {
        for (recorded, given) in pairs {
            if self.recorded.len() < LIMIT {
                self.given.insert(recorded.clone(), given.clone());
                self.recorded.insert(given, recorded);
            }
        }
    }

    /// Puts the names of the replay into a recorded value; those that are new are the guest's.
    pub(super) fn rename(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.renamed(text),
            Value::Array(values) => {
                for element in values {
                    self.rename(element);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(text) if BASE64.contains(&name.as_str()) => {
                            self.rename_base64(text);
                        }
                        member => self.rename(member),
                    }
                }
            }
            _ => {}
        }
    }

    /// A recorded text with the names of the replay.
    pub(super) fn renamed(&mut self, text: &str) -> String {
        let mut renamed = String::with_capacity(text.len());
        let mut end = 0;
        for at in random_names(text) {
            let name = text.get(at.clone()).unwrap_or_default();
            if !self.given.contains_key(name) {
                self.learn(vec![(name.to_owned(), name.to_owned())]);
            }
            renamed += text.get(end..at.start).unwrap_or_default();
            renamed += self.given.get(name).map_or(name, String::as_str);
            end = at.end;
        }
        renamed + text.get(end..).unwrap_or_default()
    }

    fn rename_base64(&mut self, text: &mut String) {
        let plain = STANDARD.decode(&*text).ok();
        let Some(plain) = plain.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return;
        };
        *text = STANDARD.encode(self.renamed(&plain));
    }
}

/// Where a request is not the recorded one.
#[derive(Debug)]
pub(super) struct Difference<'v> {
    path: String,
    recorded: Option<&'v Value>,
    given: Option<&'v Value>,
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: Option<&Value>| value.map_or("absent".to_owned(), excerpt);
        let (recorded, given) = (shown(self.recorded), shown(self.given));
        write!(f, "{} was {recorded} and is {given}", self.path)
    }
}

/// A comparison of a request with a recorded one.
struct Trial<'a> {
    names: &'a Names,
    again: bool,
    new: Vec<Pair>,
}

impl Trial<'_> {
    fn difference<'v>(
        &mut self,
        recorded: &'v Value,
        given: &'v Value,
        path: &str,
    ) -> Option<Difference<'v>> {
        let different = |path: &str, recorded, given| Difference {
            path: path.to_owned(),
            recorded,
            given,
        };
        match (recorded, given) {
            (Value::Object(recorded), Value::Object(given)) => {
                for (name, recorded) in recorded {
                    let path = format!("{path}.{name}");
                    let difference = match given.get(name) {
                        Some(given) => self.difference(recorded, given, &path),
                        None => Some(different(&path, Some(recorded), None)),
                    };
                    if difference.is_some() {
                        return difference;
                    }
                }
                let mut more = given.iter();
                let (name, given) = more.find(|(name, _)| !recorded.contains_key(*name))?;
                Some(different(&format!("{path}.{name}"), None, Some(given)))
            }
            (Value::Array(recorded), Value::Array(given)) if recorded.len() == given.len() => {
                let mut pairs = recorded.iter().zip(given).enumerate();
                pairs.find_map(|(index, (recorded, given))| {
                    self.difference(recorded, given, &format!("{path}[{index}]"))
                })
            }
            (Value::String(one), Value::String(other)) if self.is_same(one, other) => None,
            (recorded, given) if recorded == given && !recorded.is_string() => None,
            _ => Some(different(path, Some(recorded), Some(given))),
        }
    }

    /// Whether two texts differ in nothing but names that may stand for each other.
    fn is_same(&mut self, recorded: &str, given: &str) -> bool {
        let alike = |(one, other): (u8, u8)| {
            one == other || (one.is_ascii_hexdigit() && other.is_ascii_hexdigit())
        };
        // Most texts that differ do so at once, and names need not be looked for.
        if recorded.len() != given.len() || !recorded.bytes().zip(given.bytes()).all(alike) {
            return false;
        }
        let (names, others) = (random_names(recorded), random_names(given));
        let mut end = 0;
        for at in &names {
            let between = end..at.start;
            let (name, other) = (recorded.get(at.clone()), given.get(at.clone()));
            let (Some(name), Some(other)) = (name, other) else {
                return false;
            };
            if recorded.get(between.clone()) != given.get(between) || !self.stands_for(name, other)
            {
                return false;
            }
            end = at.end;
        }
        names == others && recorded.get(end..) == given.get(end..)
    }

    /// Whether the recorded name may stand for the other one, from now on if not already.
    fn stands_for(&mut self, recorded: &str, given: &str) -> bool {
        let newly = |name: &str, of: fn(&Pair) -> (&str, &str)| {
            let mut pairs = self.new.iter().map(of);
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let known = self.names.recorded.get(given).map(String::as_str);
        if let Some(known) = known.or_else(|| newly(given, |(recorded, given)| (given, recorded))) {
            return known == recorded;
        }
        let is_taken = newly(recorded, |(recorded, given)| (recorded, given)).is_some()
            || (!self.again && self.names.given.contains_key(recorded));
        if !is_taken {
            self.new.push((recorded.to_owned(), given.to_owned()));
        }
        !is_taken
    }
}

/// Where the random names are in a text.
fn random_names(text: &str) -> Vec<Range<usize>> {
    let words = words(text.as_bytes());
    let mut names = Vec::new();
    let mut left = words.as_slice();
    while let [word, rest @ ..] = left {
        left = rest;
        if let Some((uuid, rest)) = uuid(text, word, rest) {
            left = rest;
            names.push(uuid);
        } else if matches!(word.len(), 16 | 32) && is_hex(text, word) {
            names.push(word.clone());
        }
    }
    names
}

/// Runs of letters and digits.
fn words(text: &[u8]) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, byte) in text.iter().enumerate() {
        match words.last_mut() {
            _ if !byte.is_ascii_alphanumeric() => {}
            Some(word) if word.end == at => word.end += 1,
            _ => words.push(at..at + 1),
        }
    }
    words
}

fn is_hex(text: &str, word: &Range<usize>) -> bool {
    let word = text.get(word.clone()).unwrap_or_default();
    word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The UUID that begins with this word, and the words after it.
fn uuid<'a>(
    text: &str,
    first: &Range<usize>,
    rest: &'a [Range<usize>],
) -> Option<(Range<usize>, &'a [Range<usize>])> {
    const LENGTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let (others, rest) = rest.split_at_checked(LENGTHS.len() - 1)?;
    let mut end = first.start;
    for (word, length) in std::iter::once(first).chain(others).zip(LENGTHS) {
        let joined = end == first.start || text.get(end..word.start) == Some("-");
        if !joined || word.len() != length || !is_hex(text, word) {
            return None;
        }
        end = word.end;
    }
    Some((first.start..end, rest))
}

#[cfg(test)]
mod tests {
    use super::{Names, random_names};
    use serde_json::json;

    const ONE: &str = "0123456789abcdef";
    const TWO: &str = "fedcba9876543210";
    const THREE: &str = "00000000000000aa";

    #[test]
    fn random_names_are_16_or_32_hexadecimal_digits_and_uuids() {
        let names = |text: &str| -> Vec<String> {
            let names = random_names(text).into_iter();
            names.map(|at| text[at].to_owned()).collect()
        };
        let uuid = "123e4567-e89b-12d3-a456-426614174000";
        let text = format!("/tmp/qga-{ONE}{ONE}/.x.{TWO}.part {uuid} \u{e9}{ONE}\u{e9}");
        let wanted = [&format!("{ONE}{ONE}"), TWO, uuid, ONE];
        assert_eq!(names(&text), wanted);
        for none in [
            format!("x{ONE}"),
            format!("{ONE}0"),
            format!("{ONE}{ONE}{ONE}{ONE}"),
            "0123456789abcdeg".into(),
            "123e4567-e89b-12d3-a456-42661417400".into(),
            "123e4567-e89b-12d3-a456+426614174000".into(),
            String::new(),
        ] {
            assert_eq!(names(&none), [""; 0], "{none}");
        }
    }

    #[test]
    fn a_name_stands_for_one_other_throughout() {
        let mut names = Names::default();
        let request = |one: &str, two: &str| json!({"arg": [format!("/{one}/{two}"), one]});
        let recorded = request(ONE, TWO);
        let fit = |names: &Names, given, again| {
            let fit = names.fit(&recorded, &given, again);
            fit.map_err(|difference| difference.to_string())
        };
        assert!(fit(&names, request(TWO, ONE), false).is_ok());
        assert!(fit(&names, request(TWO, TWO), false).is_err());
        let torn = json!({"arg": [format!("/{ONE}/{TWO}"), THREE]});
        assert!(fit(&names, torn, false).is_err());
        names.learn(fit(&names, request(THREE, TWO), false).unwrap());
        assert!(fit(&names, request(THREE, TWO), false).unwrap().is_empty());
        let other = fit(&names, request(ONE, TWO), false).unwrap_err();
        let wanted = format!("arguments.arg[0] was \"/{ONE}/{TWO}\" and is \"/{ONE}/{TWO}\"");
        assert_eq!(other, wanted);
        assert!(fit(&names, request(ONE, TWO), true).is_ok());
    }

    #[test]
    fn a_name_that_the_guest_has_told_stays_and_the_clients_own_come_back() {
        let mut names = Names::default();
        names.learn(vec![(ONE.into(), TWO.into())]);
        let mut reply =
            json!({"a": [format!("no {ONE}"), THREE], "out-data": "MDEyMzQ1Njc4OWFiY2RlZgo="});
        names.rename(&mut reply);
        let wanted =
            json!({"a": [format!("no {TWO}"), THREE], "out-data": "ZmVkY2JhOTg3NjU0MzIxMAo="});
        assert_eq!(reply, wanted);
        let (told, other) = (json!(THREE), json!(ONE));
        assert!(names.fit(&told, &other, false).is_err());
        assert!(names.fit(&told, &told, false).is_ok());
    }
}
