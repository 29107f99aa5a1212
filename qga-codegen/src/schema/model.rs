//! What a schema says.

use super::condition::Condition;
use crate::problem::Name;

/// A whole schema, in the order in which it is written.
#[derive(Debug, Default)]
pub struct Schema {
    /// The file's path, as it was given.
    pub file: String,
    /// Enums, structs, unions and alternates.
    pub types: Vec<Type>,
    /// Commands.
    pub commands: Vec<Command>,
    /// Events.
    pub events: Vec<Event>,
    /// What the pragmas allow.
    pub pragmas: Vec<Name>,
}

/// A type with a name.
#[derive(Debug)]
pub struct Type {
    /// Its name.
    pub name: Name,
    /// When it exists.
    pub condition: Option<Condition>,
    /// Its features.
    pub features: Vec<Feature>,
    /// What it is.
    pub kind: Kind,
}

/// What a type is.
#[derive(Debug)]
pub enum Kind {
    /// One of a few words.
    Enum {
        /// The words.
        values: Vec<EnumValue>,
        /// What stands before the words in C.
        prefix: Option<Name>,
    },
    /// An object.
    Struct {
        /// The struct whose members come first.
        base: Option<Name>,
        /// The members.
        members: Vec<Member>,
    },
    /// An object whose members depend on the value of one of them.
    Union {
        /// The members that are always there.
        base: Base,
        /// The member that decides.
        discriminator: Name,
        /// The struct for each of its values.
        branches: Vec<Member>,
    },
    /// One of several types that JSON tells apart.
    Alternate {
        /// The types.
        branches: Vec<Member>,
    },
}

/// Where members come from.
#[derive(Debug)]
pub enum Base {
    /// From a struct.
    Named(Name),
    /// They are written here.
    Inline(Vec<Member>),
}

/// A word of an enum.
#[derive(Debug)]
pub struct EnumValue {
    /// The word.
    pub name: Name,
    /// When it exists.
    pub condition: Option<Condition>,
    /// Its features.
    pub features: Vec<Feature>,
}

/// A member of a struct, an argument of a command, or a branch.
#[derive(Debug)]
pub struct Member {
    /// Its name, without the star.
    pub name: Name,
    /// Whether it may be absent.
    pub optional: bool,
    /// Its type.
    pub ty: TypeRef,
    /// When it exists.
    pub condition: Option<Condition>,
    /// Its features.
    pub features: Vec<Feature>,
}

/// The mention of a type.
#[derive(Clone, Debug)]
pub struct TypeRef {
    /// The type, or that of the list's elements.
    pub name: Name,
    /// Whether it is a list.
    pub list: bool,
}

/// A label on a definition or one of its parts.
#[derive(Debug)]
pub struct Feature {
    /// The label.
    pub name: Name,
    /// When it applies.
    pub condition: Option<Condition>,
}

/// The members of a command's arguments or of an event.
#[derive(Debug)]
pub enum Data {
    /// There are none.
    None,
    /// Those of a type.
    Named(Name),
    /// They are written here.
    Inline(Vec<Member>),
}

/// A command.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "the language has them")]
pub struct Command {
    /// Its name on the wire.
    pub name: Name,
    /// When it exists.
    pub condition: Option<Condition>,
    /// Its features.
    pub features: Vec<Feature>,
    /// Its arguments.
    pub data: Data,
    /// What it answers; `None` is the empty object.
    pub returns: Option<TypeRef>,
    /// Whether it answers when it succeeds.
    pub success_response: bool,
    /// Whether QEMU's generator writes the code that reads the arguments.
    pub generated: bool,
    /// Whether that code passes the arguments as one value.
    pub boxed: bool,
    /// Whether it may be sent past those that the other side is busy with.
    pub allow_oob: bool,
}

/// A message that the other side sends without being asked.
#[derive(Debug)]
pub struct Event {
    /// Its name.
    pub name: Name,
    /// When it exists.
    pub condition: Option<Condition>,
    /// Its features.
    pub features: Vec<Feature>,
    /// What it carries.
    pub data: Data,
    /// Whether QEMU's generator passes that as one value.
    pub boxed: bool,
}

impl Schema {
    /// The type of this name, if the schema defines it.
    #[must_use]
    pub fn type_named(&self, name: &str) -> Option<&Type> {
        self.types.iter().find(|ty| ty.name.text == name)
    }

    /// A struct's members, or those that a union has whatever its branch: those of the bases
    /// first, each with the type that declares it.
    ///
    /// Of a loop of bases, each is looked at once.
    #[must_use]
    pub fn members_of<'a>(&'a self, ty: &'a Type) -> Vec<(&'a Type, &'a Member)> {
        let mut chain = vec![ty];
        let mut last = ty;
        while let Some(base) = last.base() {
            match self.type_named(&base.text) {
                Some(next) if !chain.iter().any(|seen| std::ptr::eq(*seen, next)) => {
                    chain.push(next);
                    last = next;
                }
                _ => break,
            }
        }
        let owned = |ty: &'a Type| ty.own_members().iter().map(move |member| (ty, member));
        chain.into_iter().rev().flat_map(owned).collect()
    }
}

impl Type {
    /// The struct whose members it has too.
    #[must_use]
    pub fn base(&self) -> Option<&Name> {
        match &self.kind {
            Kind::Struct { base, .. } => base.as_ref(),
            Kind::Union {
                base: Base::Named(base),
                ..
            } => Some(base),
            _ => None,
        }
    }

    /// The members that the type itself declares; those of a union's base if it is written there.
    #[must_use]
    pub fn own_members(&self) -> &[Member] {
        match &self.kind {
            Kind::Struct { members, .. }
            | Kind::Union {
                base: Base::Inline(members),
                ..
            } => members,
            _ => &[],
        }
    }

    /// The branches of a union or an alternate.
    #[must_use]
    pub fn branches(&self) -> &[Member] {
        match &self.kind {
            Kind::Union { branches, .. } | Kind::Alternate { branches } => branches,
            _ => &[],
        }
    }
}

/// The JSON type behind a type of the language itself.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static str> {
    Some(match name {
        "str" => "string",
        "bool" => "boolean",
        "int" | "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64"
        | "size" | "number" => "number",
        "null" => "null",
        "any" => "any",
        _ => return None,
    })
}
