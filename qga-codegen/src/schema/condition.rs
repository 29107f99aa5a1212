//! Conditions on build options: `'if': { 'any': [ 'CONFIG_A', 'CONFIG_B' ] }`.

use std::fmt;

use super::parser::{Node, Value};
use crate::problem::Problem;

/// Which build options something needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// This option.
    Option(String),
    /// All of these.
    All(Vec<Condition>),
    /// One of these.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
}

impl Condition {
    /// Whether it holds where `has` says which options are on.
    #[must_use]
    pub fn holds(&self, has: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Option(option) => has(option),
            Self::All(all) => all.iter().all(|each| each.holds(has)),
            Self::Any(any) => any.iter().any(|each| each.holds(has)),
            Self::Not(not) => !not.holds(has),
        }
    }

    pub(super) fn read(node: Node) -> Result<Self, Problem> {
        match node.value {
            Value::Text(option) if is_option(&option) => Ok(Self::Option(option)),
            Value::Text(other) => Err(Problem::new(
                &node.location,
                format!("`{other}` is no build option"),
            )),
            Value::Object(object) => {
                let mut members = object.members.into_iter();
                match (members.next(), members.next()) {
                    (Some((key, node)), None) => Self::read_key(&key.text, node),
                    _ => Err(Problem::new(
                        &object.location,
                        "a condition has one of `all`, `any` and `not`",
                    )),
                }
            }
            _ => Err(Problem::new(
                &node.location,
                "a condition is a build option or an object",
            )),
        }
    }

    fn read_key(key: &str, node: Node) -> Result<Self, Problem> {
        match (key, node.value) {
            ("not", value) => {
                let location = node.location;
                Self::read(Node { location, value }).map(|not| Self::Not(Box::new(not)))
            }
            ("all" | "any", Value::List(nodes)) if !nodes.is_empty() => {
                let list = nodes
                    .into_iter()
                    .map(Self::read)
                    .collect::<Result<_, _>>()?;
                Ok(if key == "all" {
                    Self::All(list)
                } else {
                    Self::Any(list)
                })
            }
            ("all" | "any", _) => Err(Problem::new(
                &node.location,
                format!("`{key}` has a list of conditions"),
            )),
            _ => Err(Problem::new(
                &node.location,
                format!("`{key}` is none of `all`, `any` and `not`"),
            )),
        }
    }
}

fn is_option(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, list) = match self {
            Self::Option(option) => return f.write_str(option),
            Self::Not(not) => return write!(f, "not({not})"),
            Self::All(list) => (" and ", list),
            Self::Any(list) => (" or ", list),
        };
        let parts: Vec<_> = list.iter().map(ToString::to_string).collect();
        write!(f, "({})", parts.join(word))
    }
}
