//! Commands.

use super::code::Code;
use super::imports::Imports;
use super::{constructor, debug, fields};
use crate::config::RetryClass;
use crate::plan::{CommandPlan, Field};

pub(super) fn write(command: &CommandPlan, code: &mut Code, imports: &mut Imports) {
    imports.add("qga_core::QgaCommand");
    code.blank();
    code.doc(&command.doc);
    let all_optional = command.fields.iter().all(|field| field.optional);
    let debug = debug::derived(&command.fields);
    code.add(&match (command.fields.is_empty(), all_optional) {
        (true, _) => "#[derive(Clone, Copy, Debug, QgaCommand)]".to_owned(),
        (false, true) => format!("#[derive(Clone, {debug}Default, QgaCommand)]"),
        (false, false) => format!("#[derive(Clone, {debug}QgaCommand)]"),
    });
    code.attribute("qga", &attribute(command, imports));
    if command.fields.is_empty() {
        code.add(&format!("pub struct {};", command.name));
        out_of_band(command, code, imports);
        return;
    }
    fields::write(&command.name, &command.fields, code, imports, |field| {
        ("qga", field_attribute(field))
    });
    constructor::write(&command.name, &command.fields, "The command", code);
    out_of_band(command, code, imports);
}

fn out_of_band(command: &CommandPlan, code: &mut Code, imports: &mut Imports) {
    if let Some(path) = &command.out_of_band {
        imports.add(path);
        let of = path.rsplit("::").next().unwrap_or(path);
        code.add(&format!("\nimpl {of} for {} {{}}", command.name));
    }
}

fn attribute(command: &CommandPlan, imports: &mut Imports) -> Vec<String> {
    let mut parts = vec![format!("name = {:?}", command.wire)];
    if let Some(protocol) = &command.protocol {
        imports.add(protocol);
        let name = protocol.rsplit("::").next().unwrap_or(protocol);
        parts.push(format!("protocol = {name}"));
    }
    if !command.success_response {
        parts.push("no_response".to_owned());
    } else if let Some(response) = &command.response {
        imports.add_type(response);
        parts.push(format!("response = {}", response.text));
    }
    if command.retry != RetryClass::Never {
        parts.push(format!("retry = {}", command.retry.name()));
    }
    if let Some(check) = &command.check {
        parts.push(format!("check = {check:?}"));
    }
    if let Some(limit) = &command.reply_limit {
        parts.push(format!("reply_limit = {limit}"));
    }
    if command.secret_reply {
        parts.push("secret_reply".to_owned());
    }
    parts
}

fn field_attribute(field: &Field) -> Vec<String> {
    let mut parts = Vec::new();
    if !fields::is_kebab(field) {
        parts.push(format!("rename = {:?}", field.wire));
    }
    if field.base64 {
        parts.push("base64".to_owned());
    }
    parts
}
