//! Objects to definitions.

use super::fields::{Fields, list, name, type_ref};
use super::model::{Base, Command, Data, EnumValue, Event, Kind, Member, Schema, Type};
use super::tree::{Node, Object, Value};
use crate::place::{Name, Problem};

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
            return Err(Problem::new(&object.place, message));
        }
    }
    Ok(())
}

fn type_named(object: Object, key: &'static str) -> Result<Type, Problem> {
    let mut fields = Fields::new(object, key);
    let name = name(fields.require(key)?, key)?;
    let kind = match key {
        "enum" => Kind::Enum {
            values: list(fields.require("data")?, "data")?
                .into_iter()
                .map(enum_value)
                .collect::<Result<_, _>>()?,
            prefix: fields.name("prefix")?,
        },
        "struct" => Kind::Struct {
            base: fields.name("base")?,
            members: members(fields.require("data")?)?,
        },
        "union" => Kind::Union {
            base: base(fields.require("base")?)?,
            discriminator: super::fields::name(fields.require("discriminator")?, "discriminator")?,
            branches: members(fields.require("data")?)?,
        },
        _ => Kind::Alternate {
            branches: members(fields.require("data")?)?,
        },
    };
    let ty = Type {
        name,
        condition: fields.condition()?,
        features: fields.features()?,
        kind,
    };
    fields.finish()?;
    Ok(ty)
}

fn command(object: Object) -> Result<Command, Problem> {
    let mut fields = Fields::new(object, "command");
    let command = Command {
        name: name(fields.require("command")?, "command")?,
        condition: fields.condition()?,
        features: fields.features()?,
        data: data(&mut fields)?,
        returns: fields.take("returns").map(type_ref).transpose()?,
        success_response: fields.flag("success-response", true)?,
        generated: fields.flag("gen", true)?,
        boxed: fields.flag("boxed", false)?,
    };
    // They matter to QEMU's own monitor only.
    for key in ["allow-oob", "allow-preconfig", "coroutine"] {
        fields.flag(key, false)?;
    }
    fields.finish()?;
    Ok(command)
}

fn event(object: Object) -> Result<Event, Problem> {
    let mut fields = Fields::new(object, "event");
    let event = Event {
        name: name(fields.require("event")?, "event")?,
        condition: fields.condition()?,
        features: fields.features()?,
        data: data(&mut fields)?,
        boxed: fields.flag("boxed", false)?,
    };
    fields.finish()?;
    Ok(event)
}

fn pragma(object: Object, schema: &mut Schema) -> Result<(), Problem> {
    let mut outer = Fields::new(object, "pragma");
    let node = outer.require("pragma")?;
    outer.finish()?;
    let Value::Object(object) = node.value else {
        return Err(Problem::new(&node.place, "`pragma` has an object"));
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

fn data(fields: &mut Fields) -> Result<Data, Problem> {
    Ok(match fields.take("data") {
        None => Data::None,
        Some(node) => match base(node)? {
            Base::Named(name) => Data::Named(name),
            Base::Inline(members) => Data::Inline(members),
        },
    })
}

fn base(node: Node) -> Result<Base, Problem> {
    match node.value {
        Value::Object(_) => members(node).map(Base::Inline),
        _ => name(node, "a type or an object").map(Base::Named),
    }
}

fn members(node: Node) -> Result<Vec<Member>, Problem> {
    match node.value {
        Value::Object(object) => object.members.into_iter().map(member).collect(),
        _ => Err(Problem::new(&node.place, "members are an object")),
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
    let mut fields = Fields::new(object, "a member");
    let member = Member {
        name,
        optional,
        ty: type_ref(fields.require("type")?)?,
        condition: fields.condition()?,
        features: fields.features()?,
    };
    fields.finish()?;
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
    let mut fields = Fields::new(object, "a value");
    let value = EnumValue {
        name: name(fields.require("name")?, "name")?,
        condition: fields.condition()?,
        features: fields.features()?,
    };
    fields.finish()?;
    Ok(value)
}
