//! The table of commands.

use super::code::Code;
use super::imports::Imports;
use crate::plan::{Argument, Row, Table};

pub(super) fn text(table: &Table) -> String {
    let mut imports = Imports::default();
    let path = &table.path;
    for name in ["Argument", "Command", "Platform"] {
        imports.add(&format!("{path}::{name}"));
    }
    imports.add("qga_core::Reply");
    imports.add("qga_core::RetryClass");
    let mut code = Code::default();
    code.inner_doc("The commands as a table.");
    imports.write(&mut code);
    code.blank();
    code.doc("Every command of the schema, in its order.");
    let rows: String = table.rows.iter().map(row).collect();
    code.add(&format!("pub static COMMANDS: &[Command] = &[{rows}];"));
    code.text
}

fn row(row: &Row) -> String {
    let platforms = row.platforms.iter();
    let platforms: Vec<_> = platforms.map(|name| format!("Platform::{name}")).collect();
    let platforms = platforms.join(", ");
    let arguments: String = row.arguments.iter().map(argument).collect();
    let reply = if row.success_response {
        "Always"
    } else {
        "OnErrorOnly"
    };
    format!(
        "Command {{
            name: {:?},
            module: {:?},
            type_name: {:?},
            summary: {:?},
            since: {:?},
            platforms: &[{platforms}],
            arguments: &[{arguments}],
            returns: {:?},
            reply: Reply::{reply},
            retry: RetryClass::{},
            check: {:?},
            while_frozen: {},
        }}, ",
        row.wire,
        row.module,
        row.name,
        row.summary,
        row.since,
        row.returns,
        row.retry.name(),
        row.check,
        row.while_frozen
    )
}

fn argument(argument: &Argument) -> String {
    let kind = if argument.optional {
        "optional"
    } else {
        "required"
    };
    format!("Argument::{kind}({:?}, {:?}), ", argument.wire, argument.ty)
}
