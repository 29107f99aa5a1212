//! From what is written to what is meant.

use crate::attributes::{Attributes, ON_FIELD, ON_STRUCT};
use crate::errors::Errors;
use crate::serde_attributes;
use crate::suggest;
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use std::collections::HashMap;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Expr, Fields, Generics, LitStr, Type};

pub(crate) struct Command<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    /// The path to `qga_core`.
    pub(crate) core: TokenStream,
    /// None is that of the guest agent.
    pub(crate) protocol: Option<Type>,
    pub(crate) name: LitStr,
    /// None is the empty object.
    pub(crate) response: Option<Type>,
    pub(crate) no_response: bool,
    pub(crate) secret_reply: bool,
    pub(crate) retry: Option<Ident>,
    pub(crate) check: Option<LitStr>,
    pub(crate) reply_limit: Option<Expr>,
    /// Those that are sent.
    pub(crate) fields: Vec<Field<'a>>,
}

pub(crate) struct Field<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) wire_name: LitStr,
    pub(crate) base64: bool,
}

/// The command that `input` describes. If there are errors, it is the part that could be understood,
/// without fields, so that neither its expansion nor its uses give errors of their own.
pub(crate) fn command<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Command<'a> {
    let attributes = Attributes::read(&input.attrs, ON_STRUCT, errors);
    serde_attributes::on_struct(&input.attrs, errors);
    let mut command = Command {
        ident: &input.ident,
        generics: &input.generics,
        core: core(&attributes, errors),
        protocol: attributes
            .get("protocol")
            .and_then(|protocol| protocol.ty(errors)),
        name: name(&attributes, &input.ident, errors)
            .unwrap_or_else(|| LitStr::new("", input.ident.span())),
        response: response(&attributes, errors),
        no_response: attributes.flag("no_response", errors),
        secret_reply: attributes.flag("secret_reply", errors),
        retry: retry(&attributes, errors),
        check: attributes
            .get("check")
            .and_then(|check| check.text(errors).cloned()),
        reply_limit: attributes
            .get("reply_limit")
            .and_then(|limit| limit.expression(errors)),
        fields: fields(&input.data, errors),
    };
    if errors.len() > 0 {
        command.fields.clear();
        command.reply_limit = None;
    }
    command
}

fn core(attributes: &Attributes, errors: &mut Errors) -> TokenStream {
    attributes
        .get("crate")
        .and_then(|attribute| attribute.path("a path", errors))
        .map_or_else(|| quote!(::qga_core), ToTokens::into_token_stream)
}

fn name(attributes: &Attributes, ident: &Ident, errors: &mut Errors) -> Option<LitStr> {
    let Some(attribute) = attributes.get("name") else {
        if !attributes.malformed {
            errors.push(
                ident,
                "the command has no name: write `#[qga(name = \"guest-...\")]`",
            );
        }
        return None;
    };
    valid_wire_name(attribute.text(errors)?.clone(), errors)
}

fn response(attributes: &Attributes, errors: &mut Errors) -> Option<Type> {
    let response = attributes.get("response")?;
    if attributes.get("no_response").is_some() {
        errors.push(
            response.ident(),
            "a command with `no_response` has no `response`",
        );
    }
    response.ty(errors)
}

fn retry(attributes: &Attributes, errors: &mut Errors) -> Option<Ident> {
    const CLASSES: [&str; 3] = ["Safe", "AfterResync", "Never"];
    let attribute = attributes.get("retry")?;
    if let Some(quoted) = attribute.quoted() {
        let written = quoted.value();
        let (unknown, meant) = match CLASSES.into_iter().find(|class| *class == written) {
            Some(class) => (String::new(), Some(class)),
            None => suggest::unknown("retry class", &written, &CLASSES),
        };
        let message = meant.map(|class| format!("write it without quotes: `retry = {class}`"));
        errors.push(quoted, message.unwrap_or(unknown));
        return None;
    }
    let path = attribute.path("a retry class", errors)?;
    let class = path.segments.last()?.ident.clone();
    if let Some(known) = CLASSES.into_iter().find(|known| class == known) {
        if path.get_ident().is_none() {
            errors.push(
                path,
                format_args!("write it without its path: `retry = {known}`"),
            );
        }
        return Some(class);
    }
    let (message, _) = suggest::unknown("retry class", &class.to_string(), &CLASSES);
    errors.push(class, message);
    None
}

fn fields<'a>(data: &'a Data, errors: &mut Errors) -> Vec<Field<'a>> {
    let fields = match data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            errors.push(data.enum_token, "a command is a struct, not an enum");
            return Vec::new();
        }
        Data::Union(data) => {
            errors.push(data.union_token, "a command is a struct, not a union");
            return Vec::new();
        }
    };
    if let Fields::Unnamed(unnamed) = fields {
        errors.push(unnamed, "arguments have names: write `{ name: Type }`");
    }
    let sent: Vec<_> = fields.iter().filter_map(|f| field(f, errors)).collect();
    wire_names_differ(&sent, errors);
    sent
}

/// The field, if it is sent.
fn field<'a>(field: &'a syn::Field, errors: &mut Errors) -> Option<Field<'a>> {
    let attributes = Attributes::read(&field.attrs, ON_FIELD, errors);
    serde_attributes::on_field(&field.attrs, errors);
    let rename = attributes.get("rename").map(|rename| rename.text(errors));
    let base64 = attributes.flag("base64", errors);
    if attributes.flag("skip", errors) {
        for other in attributes.iter().filter(|other| other.word() != "skip") {
            let message = format!(
                "`{}` has no effect on a field that is skipped",
                other.word()
            );
            errors.push(other.ident(), message);
        }
        return None;
    }
    let ident = field.ident.as_ref()?;
    let wire_name = match rename {
        Some(name) => name?.clone(),
        None => LitStr::new(&ident.unraw().to_string().replace('_', "-"), ident.span()),
    };
    Some(Field {
        ident,
        ty: &field.ty,
        wire_name: valid_wire_name(wire_name, errors)?,
        base64,
    })
}

fn wire_names_differ(fields: &[Field<'_>], errors: &mut Errors) {
    let mut seen = HashMap::new();
    for field in fields {
        let name = field.wire_name.value();
        if let Some(first) = seen.get(&name) {
            let message = format!("field `{first}` already has the wire name `{name}`");
            errors.push(&field.wire_name, message);
        } else {
            seen.insert(name, field.ident);
        }
    }
}

/// `name`, if it can stand on the wire.
fn valid_wire_name(name: LitStr, errors: &mut Errors) -> Option<LitStr> {
    let text = name.value();
    let stranger = text
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c));
    if let Some(c) = stranger {
        let message =
            format!("a wire name holds only ASCII letters, digits, `-`, `_` and `.`, not {c:?}");
        errors.push(name, message);
        return None;
    }
    if text.is_empty() {
        errors.push(name, "a wire name cannot be empty");
        return None;
    }
    Some(name)
}
