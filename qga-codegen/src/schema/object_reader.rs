//! Takes a definition's object apart, key by key.

use super::condition::Condition;
use super::model::{Feature, TypeRef};
use super::parser::{Node, Object, Value};
use crate::problem::{Location, Name, Problem};

/// What is left of an object.
pub(super) struct ObjectReader {
    location: Location,
    what: &'static str,
    members: Vec<(Name, Node)>,
}

impl ObjectReader {
    pub(super) fn new(object: Object, what: &'static str) -> Self {
        Self {
            location: object.location,
            what,
            members: object.members,
        }
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
        let at = self.members.iter().position(|(name, _)| name.text == key)?;
        Some(self.members.remove(at).1)
    }

    pub(super) fn require(&mut self, key: &str) -> Result<Node, Problem> {
        let missing = format!("{} lacks `{key}`", self.what);
        self.take(key)
            .ok_or_else(|| Problem::new(&self.location, missing))
    }

    /// The value of a key that is true or false.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> Result<bool, Problem> {
        match self.take(key) {
            None => Ok(default),
            Some(Node {
                value: Value::Flag(flag),
                ..
            }) => Ok(flag),
            Some(node) => Err(Problem::new(
                &node.location,
                format!("`{key}` must be `true` or `false`"),
            )),
        }
    }

    pub(super) fn require_name(&mut self, key: &str) -> Result<Name, Problem> {
        name(self.require(key)?, key)
    }

    pub(super) fn name(&mut self, key: &str) -> Result<Option<Name>, Problem> {
        self.take(key).map(|node| name(node, key)).transpose()
    }

    pub(super) fn condition(&mut self) -> Result<Option<Condition>, Problem> {
        self.take("if").map(Condition::read).transpose()
    }

    pub(super) fn features(&mut self) -> Result<Vec<Feature>, Problem> {
        match self.take("features") {
            None => Ok(Vec::new()),
            Some(node) => list(node, "features")?.into_iter().map(feature).collect(),
        }
    }

    /// Says which key has no meaning here.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.members.first() {
            None => Ok(()),
            Some((name, _)) => Err(name.problem(format!("{} has no `{name}`", self.what))),
        }
    }
}

pub(super) fn name(node: Node, what: &str) -> Result<Name, Problem> {
    match node.value {
        Value::Text(text) => Ok(Name {
            text,
            location: node.location,
        }),
        _ => Err(Problem::new(
            &node.location,
            format!("`{what}` must be a name in quotes"),
        )),
    }
}

pub(super) fn list(node: Node, what: &str) -> Result<Vec<Node>, Problem> {
    match node.value {
        Value::List(nodes) => Ok(nodes),
        _ => Err(Problem::new(
            &node.location,
            format!("`{what}` must be a list"),
        )),
    }
}

/// `'T'` or `['T']`.
pub(super) fn type_ref(node: Node) -> Result<TypeRef, Problem> {
    match node.value {
        Value::List(nodes) => {
            let mut nodes = nodes.into_iter();
            match (nodes.next(), nodes.next()) {
                (Some(node), None) => Ok(TypeRef {
                    name: name(node, "type")?,
                    list: true,
                }),
                _ => Err(Problem::new(
                    &node.location,
                    "a list has one type of element",
                )),
            }
        }
        value => Ok(TypeRef {
            name: name(
                Node {
                    location: node.location,
                    value,
                },
                "type",
            )?,
            list: false,
        }),
    }
}

fn feature(node: Node) -> Result<Feature, Problem> {
    let Value::Object(object) = node.value else {
        return Ok(Feature {
            name: name(node, "features")?,
            condition: None,
        });
    };
    let mut object = ObjectReader::new(object, "a feature");
    let feature = Feature {
        name: object.require_name("name")?,
        condition: object.condition()?,
    };
    object.finish()?;
    Ok(feature)
}
