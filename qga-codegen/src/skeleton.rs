//! Entries of a data file that somebody has still to fill in.

use std::collections::BTreeSet;

use crate::names::{camel, is_identifier, snake};
use crate::problem::Name;
use crate::schema::{self, Base, Command, Condition, Data, Event, Kind, Member, Schema, Type};

/// A data file for a schema, with TODO where only a person knows what to say. Code can be generated
/// with it at once.
///
/// ```
/// use qga_codegen::{Config, Schema, generate, skeleton};
///
/// let schema = Schema::parse("acme.json", "{ 'command': 'acme-ping' }")?;
/// let text = skeleton(&schema);
/// assert!(text.contains("[commands.acme-ping]\nmodule = \"acme\"\n"));
/// generate(&schema, &Config::parse("acme.toml", text)?)?;
/// # Ok::<_, qga_codegen::Problems>(())
/// ```
#[must_use]
pub fn skeleton(schema: &Schema) -> String {
    let module = module_of(schema);
    let options: Vec<_> = options(schema).into_iter().map(quoted).collect();
    let prefix = prefix(schema).map_or_else(String::new, |prefix| {
        format!("# What commands begin with on the wire and not in Rust.\nprefix = \"{prefix}\"\n")
    });
    let mut text = format!(
        "# What the schema does not say. Each TODO is for you, and so is what a value is: bytes \
         (`base64 = true`),\n# a secret (`secret = true`), or something that must not be shown \
         (`hidden = true`).\n\n\
         [schema]\n# Whose versions `since` speaks of.\nproduct = \"TODO\"\n{prefix}\n\
         # A system that an agent runs on, and which of the schema's build options it has there.\n\
         [platforms.linux]\nname = \"Linux\"\noptions = [{}]\n\n\
         [modules]\n{module} = \"TODO: Say what belongs together here.\"\n",
        options.join(", ")
    );
    for command in &schema.commands {
        text.push('\n');
        text.push_str(&self::command(command, &module));
    }
    for ty in &schema.types {
        text.push('\n');
        text.push_str(&self::ty(ty, &module));
    }
    text
}

/// The entry of a command.
pub(crate) fn command(command: &Command, module: &str) -> String {
    let mut entry = format!(
        "[commands.{}]\nmodule = \"{module}\"\nsince = \"0\" # TODO\n\
         retry = \"Never\" # TODO: AfterResync or Safe, if it may be sent again\n\
         doc = \"TODO: Say what it does.\"\n",
        key(&command.name)
    );
    if let Data::Inline(members) = &command.data {
        for member in members {
            entry.push_str(&field(&member.name, false));
        }
    }
    entry
}

/// The entry of an event.
pub(crate) fn event(event: &Event, module: &str) -> String {
    let mut entry = format!(
        "[events.{}]\nmodule = \"{module}\"\nsince = \"0\" # TODO\ndoc = \"TODO: Say what has happened.\"\n",
        key(&event.name)
    );
    if let Data::Inline(members) = &event.data {
        for member in members {
            entry.push_str(&field(&member.name, false));
        }
    }
    entry
}

/// The entry of a type.
pub(crate) fn ty(ty: &Type, module: &str) -> String {
    let mut entry = format!(
        "[types.{}]\nmodule = \"{module}\"\nsince = \"0\" # TODO\ndoc = \"TODO: Say what it is.\"\n",
        key(&ty.name)
    );
    for name in parts(ty) {
        entry.push_str(&part(ty, name));
    }
    entry
}

/// The line for a part of a type.
pub(crate) fn part(ty: &Type, name: &Name) -> String {
    let in_base = matches!(&ty.kind, Kind::Union { .. })
        && ty
            .own_members()
            .iter()
            .any(|own| own.name.text == name.text);
    match &ty.kind {
        Kind::Struct { .. } => field(name, false),
        Kind::Union { .. } if in_base => field(name, true),
        Kind::Enum { .. } | Kind::Alternate { .. } | Kind::Union { .. } => variant(name),
    }
}

/// The line for an argument or a member.
pub(crate) fn field(name: &Name, beside_branch: bool) -> String {
    let rust = snake(&name.text);
    let taken = rust == "new" || (beside_branch && rust == "kind");
    let fits = is_identifier(&rust) && !taken;
    line(name, (!fits).then(|| format!("{rust}_")))
}

/// The names of what a type consists of; a discriminator is told by the branches.
pub(crate) fn parts(ty: &Type) -> Vec<&Name> {
    match &ty.kind {
        Kind::Enum { values, .. } => values.iter().map(|value| &value.name).collect(),
        Kind::Struct { members, .. } | Kind::Alternate { branches: members } => names(members),
        Kind::Union {
            base,
            discriminator,
            branches,
        } => {
            let mut own = match base {
                Base::Inline(members) => names(members),
                Base::Named(_) => Vec::new(),
            };
            own.retain(|name| name.text != discriminator.text);
            own.extend(names(branches));
            own
        }
    }
}

fn names(members: &[Member]) -> Vec<&Name> {
    members.iter().map(|member| &member.name).collect()
}

fn variant(name: &Name) -> String {
    let rust = camel(&name.text);
    let fits = is_identifier(&rust) && rust != "Unknown";
    // A value may begin with a digit.
    let other = if rust.starts_with(|first: char| first.is_ascii_digit()) {
        format!("Value{rust}")
    } else {
        format!("{rust}Value")
    };
    line(name, (!fits).then_some(other))
}

fn line(name: &Name, rust: Option<String>) -> String {
    let key = key(name);
    match rust {
        None => format!("members.{key} = \"TODO: Say what it is.\"\n"),
        Some(rust) => {
            let name = quoted(&rust);
            format!("members.{key} = {{ name = {name}, doc = \"TODO: Say what it is.\" }}\n")
        }
    }
}

/// The name as a key in TOML.
pub(crate) fn key(name: &Name) -> String {
    let text = &name.text;
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_bare) {
        text.clone()
    } else {
        quoted(text)
    }
}

/// The text as a string in TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                let escape = format!("\\u{:04X}", u32::from(character));
                quoted.push_str(&escape);
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// The first word of all commands, if it is the same.
fn prefix(schema: &Schema) -> Option<String> {
    let (first, _) = schema.commands.first()?.name.text.split_once('-')?;
    let prefix = format!("{first}-");
    let rest_is_a_name = |command: &Command| {
        let rest = command.name.text.strip_prefix(&prefix);
        rest.is_some_and(|rest| is_identifier(&camel(rest)))
    };
    schema.commands.iter().all(rest_is_a_name).then_some(prefix)
}

fn module_of(schema: &Schema) -> String {
    let file = std::path::Path::new(&schema.file);
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = snake(&stem);
    if is_identifier(&name) && name != "schema" && name != "event" {
        name
    } else {
        "commands".to_owned()
    }
}

/// The build options that conditions speak of.
fn options(schema: &Schema) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for command in &schema.commands {
        add(command.condition.as_ref(), &mut found);
        if let Data::Inline(members) = &command.data {
            for member in members {
                add(member.condition.as_ref(), &mut found);
            }
        }
    }
    for ty in &schema.types {
        add(ty.condition.as_ref(), &mut found);
        for member in ty.own_members().iter().chain(ty.branches()) {
            add(member.condition.as_ref(), &mut found);
        }
        if let schema::Kind::Enum { values, .. } = &ty.kind {
            for value in values {
                add(value.condition.as_ref(), &mut found);
            }
        }
    }
    found
}

fn add<'a>(condition: Option<&'a Condition>, found: &mut BTreeSet<&'a str>) {
    match condition {
        None => {}
        Some(Condition::Option(option)) => {
            found.insert(option);
        }
        Some(Condition::Not(not)) => add(Some(not), found),
        Some(Condition::All(all) | Condition::Any(all)) => {
            for each in all {
                add(Some(each), found);
            }
        }
    }
}
