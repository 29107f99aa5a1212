//! Commands.

use super::debug;
use super::imports::Imports;
use super::layout::Code;
use super::structs;
use crate::config::Retry;
use crate::plan::{Command, Field};

pub(super) fn write(command: &Command, code: &mut Code, imports: &mut Imports) {
    imports.add("qga_core::QgaCommand");
    code.blank();
    code.doc(&command.doc);
    let all_optional = command.fields.iter().all(|field| field.optional);
    let debug = debug::derived(&command.fields);
    code.line(&match (command.fields.is_empty(), all_optional) {
        (true, _) => "#[derive(Clone, Copy, Debug, QgaCommand)]".to_owned(),
        (false, true) => format!("#[derive(Clone, {debug}Default, QgaCommand)]"),
        (false, false) => format!("#[derive(Clone, {debug}QgaCommand)]"),
    });
    code.attribute("qga", &attributes(command, imports));
    if command.fields.is_empty() {
        code.line(&format!("pub struct {};", command.name));
        return;
    }
    code.line("#[non_exhaustive]");
    code.open(&format!("pub struct {} {{", command.name));
    for field in &command.fields {
        write_field(field, code, imports);
    }
    code.close("}");
    debug::write(&command.name, &command.fields, None, code, imports);
    structs::constructor(&command.name, &command.fields, "The command", code);
}

fn attributes(command: &Command, imports: &mut Imports) -> Vec<String> {
    let mut parts = vec![format!("name = {:?}", command.wire)];
    if !command.success_response {
        parts.push("no_response".to_owned());
    } else if let Some(response) = &command.response {
        imports.add_type(response);
        parts.push(format!("response = {}", response.text));
    }
    if command.retry != Retry::Never {
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

fn write_field(field: &Field, code: &mut Code, imports: &mut Imports) {
    code.doc(&field.doc);
    let mut parts = Vec::new();
    if field.name.replace('_', "-") != field.wire {
        parts.push(format!("rename = {:?}", field.wire));
    }
    if field.base64 {
        parts.push("base64".to_owned());
    }
    if !parts.is_empty() {
        code.attribute("qga", &parts);
    }
    structs::declaration(field, code, imports);
}
