//! Objects to definitions.

use super::model::{Base, Command, Data, EnumValue, Event, Kind, Member, Schema, Type};
use super::object_reader::{ObjectReader, list, name, type_ref};
use super::parser::{Node, Object, Value};
use crate::problem::{Name, Problem};

/// Adds what an object defines to the schema.
pub(super) fn definition(object: Object, schema: &mut Schema) -> Result<(), Problem> {
    let keys = [
        "enum",
        "struct",
        "union",
        "alternate",
        "command",
        "event",
        "pragma",
    ];
    let key = object.members.iter().find_map(|(name, _)| {
        let mut known = keys.iter();
        known.find(|key| **key == name.text).copied()
    });
    match key {
        Some("command") => schema.commands.push(command(object)?),
        Some("event") => schema.events.push(event(object)?),
        Some("pragma") => pragma(object, schema)?,
        Some(key) => schema.types.push(type_named(object, key)?),
        None => {
            let known = keys.join("`, `");
            let message = format!("this defines nothing: it has none of `include`, `{known}`");
            return Err(Problem::new(&object.location, message));
        }
    }
    Ok(())
}

fn type_named(object: Object, key: &'static str) -> Result<Type, Problem> {
    let mut object = ObjectReader::new(object, key);
    let name = object.require_name(key)?;
    let kind = match key {
        "enum" => Kind::Enum {
            values: list(object.require("data")?, "data")?
                .into_iter()
                .map(enum_value)
                .collect::<Result<_, _>>()?,
            prefix: object.name("prefix")?,
        },
        "struct" => Kind::Struct {
            base: object.name("base")?,
            members: members(object.require("data")?)?,
        },
        "union" => Kind::Union {
            base: base(object.require("base")?, "base")?,
            discriminator: object.require_name("discriminator")?,
            branches: members(object.require("data")?)?,
        },
        _ => Kind::Alternate {
            branches: members(object.require("data")?)?,
        },
    };
    let ty = Type {
        name,
        condition: object.condition()?,
        features: object.features()?,
        kind,
    };
    object.finish()?;
    Ok(ty)
}

fn command(object: Object) -> Result<Command, Problem> {
    let mut object = ObjectReader::new(object, "command");
    let command = Command {
        name: object.require_name("command")?,
        condition: object.condition()?,
        features: object.features()?,
        data: data(&mut object)?,
        returns: object.take("returns").map(type_ref).transpose()?,
        success_response: object.flag("success-response", true)?,
        generated: object.flag("gen", true)?,
        boxed: object.flag("boxed", false)?,
        allow_oob: object.flag("allow-oob", false)?,
    };
    // They matter within QEMU only.
    for key in ["allow-preconfig", "coroutine"] {
        object.flag(key, false)?;
    }
    object.finish()?;
    Ok(command)
}

fn event(object: Object) -> Result<Event, Problem> {
    let mut object = ObjectReader::new(object, "event");
    let event = Event {
        name: object.require_name("event")?,
        condition: object.condition()?,
        features: object.features()?,
        data: data(&mut object)?,
        boxed: object.flag("boxed", false)?,
    };
    object.finish()?;
    Ok(event)
}

fn pragma(object: Object, schema: &mut Schema) -> Result<(), Problem> {
    let mut outer = ObjectReader::new(object, "pragma");
    let node = outer.require("pragma")?;
    outer.finish()?;
    let Value::Object(object) = node.value else {
        return Err(Problem::new(&node.location, "`pragma` must be an object"));
    };
    for (key, node) in object.members {
        match (key.text.as_str(), &node.value) {
            ("doc-required", Value::Flag(_))
            | (
                "command-name-exceptions"
                | "command-returns-exceptions"
                | "documentation-exceptions"
                | "member-name-exceptions",
                Value::List(_),
            ) => schema.pragmas.push(key),
            _ => return Err(key.problem(format!("there is no pragma `{key}` of this kind"))),
        }
    }
    Ok(())
}

fn data(object: &mut ObjectReader) -> Result<Data, Problem> {
    Ok(match object.take("data") {
        None => Data::None,
        Some(node) => match base(node, "data")? {
            Base::Named(name) => Data::Named(name),
            Base::Inline(members) => Data::Inline(members),
        },
    })
}

fn base(node: Node, key: &str) -> Result<Base, Problem> {
    match node.value {
        Value::Object(_) => members(node).map(Base::Inline),
        Value::Text(_) => name(node, key).map(Base::Named),
        Value::Flag(_) | Value::List(_) => {
            let message = format!("`{key}` must be a type's name in quotes or an object");
            Err(Problem::new(&node.location, message))
        }
    }
}

fn members(node: Node) -> Result<Vec<Member>, Problem> {
    match node.value {
        Value::Object(object) => object.members.into_iter().map(member).collect(),
        _ => Err(Problem::new(&node.location, "members must be an object")),
    }
}

fn member((mut name, node): (Name, Node)) -> Result<Member, Problem> {
    let optional = name.text.starts_with('*');
    if optional {
        name.text.remove(0);
    }
    let Value::Object(object) = node.value else {
        return Ok(Member {
            name,
            optional,
            ty: type_ref(node)?,
            condition: None,
            features: Vec::new(),
        });
    };
    let mut object = ObjectReader::new(object, "a member");
    let member = Member {
        name,
        optional,
        ty: type_ref(object.require("type")?)?,
        condition: object.condition()?,
        features: object.features()?,
    };
    object.finish()?;
    Ok(member)
}

fn enum_value(node: Node) -> Result<EnumValue, Problem> {
    let Value::Object(object) = node.value else {
        return Ok(EnumValue {
            name: name(node, "data")?,
            condition: None,
            features: Vec::new(),
        });
    };
    let mut object = ObjectReader::new(object, "a value");
    let value = EnumValue {
        name: object.require_name("name")?,
        condition: object.condition()?,
        features: object.features()?,
    };
    object.finish()?;
    Ok(value)
}
