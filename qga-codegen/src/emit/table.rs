//! The table of commands.

use super::imports::Imports;
use super::layout::Code;
use crate::plan::{Row, Table};

pub(super) fn text(table: &Table) -> String {
    let mut imports = Imports::default();
    let path = &table.path;
    for name in ["Argument", "Command", "Platform"] {
        imports.add(&format!("{path}::{name}"));
    }
    imports.add("qga_core::Reply");
    imports.add("qga_core::Retry");
    let mut body = Code::default();
    body.blank();
    body.doc("Every command of the schema, in its order.");
    if table.rows.is_empty() {
        body.line("pub static COMMANDS: &[Command] = &[];");
    } else {
        body.open("pub static COMMANDS: &[Command] = &[");
        for row in &table.rows {
            write_row(row, &mut body);
        }
        body.close("];");
    }
    let mut code = Code::default();
    code.inner_doc("The commands as a table.");
    imports.write(&mut code);
    code.text + &body.text
}

fn write_row(row: &Row, code: &mut Code) {
    code.open("Command {");
    for (name, text) in [
        ("name", &row.wire),
        ("module", &row.module),
        ("type_name", &row.name),
        ("summary", &row.doc),
        ("since", &row.since),
    ] {
        code.line(&format!("{name}: {text:?},"));
    }
    let platforms = row.platforms.iter();
    let platforms: Vec<_> = platforms.map(|name| format!("Platform::{name}")).collect();
    code.array("platforms", &platforms);
    let arguments: Vec<_> = row.arguments.iter().map(argument).collect();
    code.array("arguments", &arguments);
    match &row.returns {
        Some(ty) => code.line(&format!("returns: Some({ty:?}),")),
        None => code.line("returns: None,"),
    }
    let reply = if row.success_response {
        "Always"
    } else {
        "OnErrorOnly"
    };
    code.line(&format!("reply: Reply::{reply},"));
    code.line(&format!("retry: Retry::{},", row.retry.name()));
    match &row.check {
        Some(check) => code.line(&format!("check: Some({check:?}),")),
        None => code.line("check: None,"),
    }
    code.line(&format!("while_frozen: {},", row.while_frozen));
    code.close("},");
}

fn argument((name, ty, optional): &(String, String, bool)) -> String {
    let kind = if *optional { "optional" } else { "required" };
    format!("Argument::{kind}({name:?}, {ty:?})")
}
