//! Reads an order, and says what is wrong with it.

use serde_json::{Error, Map, Value};
use serde_path_to_error::Error as PathError;

use super::order::Order;
use crate::cli::Failure;
use crate::cli::words::with_hint;
use crate::suggest::hint;

/// Reads an order: an object whose member `do` names it, and whose other members are its fields.
pub(super) fn parse(line: &[u8]) -> Result<Order, Failure> {
    let value =
        serde_json::from_slice(line).map_err(|error| format!("this is not JSON: {error}"))?;
    let Value::Object(mut fields) = value else {
        return Err(r#"an order is an object such as {"do": "verify"}"#.into());
    };
    let name = match fields.remove("do") {
        Some(Value::String(name)) => name,
        Some(other) => return Err(format!("do: the name of an order is a string, not {other}")),
        None => {
            return Err(format!(
                "do: the order has no name; the orders are {}",
                list(&names())
            ));
        }
    };
    let names = names();
    if !names.contains(&name) {
        let hint = hint(&name, names.iter().map(String::as_str));
        let names = list(&names);
        return Err(format!(
            "do: there is no order `{name}`{hint}; the orders are {names}"
        ));
    }
    order(&name, fields).map_err(|error| {
        // The order itself is the first step of the path.
        let path = error.path().to_string();
        let field = path
            .strip_prefix(&name)
            .unwrap_or(&path)
            .trim_start_matches('.');
        let separator = if field.is_empty() { "" } else { ": " };
        let problem = with_hint(&error.inner().to_string());
        format!("{name}: {field}{separator}{problem}")
    })
}

fn order(name: &str, fields: Map<String, Value>) -> Result<Order, PathError<Error>> {
    let order = Map::from_iter([(name.to_owned(), Value::Object(fields))]);
    serde_path_to_error::deserialize(Value::Object(order))
}

/// The names of the orders, taken from the error about an unknown one.
pub(in crate::cli) fn names() -> Vec<String> {
    let complaint = order("", Map::new())
        .err()
        .map(|error| error.inner().to_string());
    let complaint = complaint.unwrap_or_default();
    let quoted = complaint.split('`').skip(1).step_by(2);
    quoted.skip(1).map(str::to_owned).collect()
}

/// Whether this is an order.
#[cfg(test)]
pub(in crate::cli) fn check(line: &str) -> Result<(), Failure> {
    parse(line.as_bytes()).map(drop)
}

/// The names of an order's fields.
#[cfg(test)]
pub(in crate::cli) fn fields(name: &str) -> Vec<String> {
    let unknown = Map::from_iter([("?".to_owned(), Value::Null)]);
    let complaint = order(name, unknown)
        .err()
        .map(|error| error.inner().to_string());
    let complaint = complaint.unwrap_or_default();
    let quoted = complaint.split('`').skip(1).step_by(2);
    quoted.skip(1).map(str::to_owned).collect()
}

fn list(names: &[String]) -> String {
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_mistake_in_an_order_names_the_place_and_what_may_have_been_meant() {
        let cases = [
            ("", "this is not JSON: EOF while parsing"),
            ("[]", r#"an order is an object such as {"do": "verify"}"#),
            (
                r#"{"command": "x"}"#,
                "do: the order has no name; the orders are stub, fault, ",
            ),
            (
                r#"{"do": 5}"#,
                "do: the name of an order is a string, not 5",
            ),
            (
                r#"{"do": "verfy"}"#,
                "do: there is no order `verfy` (did you mean `verify`?); the orders are stub, fault, ",
            ),
            (
                r#"{"do": "stub", "reply": 1}"#,
                "stub: missing field `command`",
            ),
            (
                r#"{"do": "stub", "comand": "x"}"#,
                "stub: comand: unknown field `comand`, expected one of `command`, `arguments`",
            ),
            (
                r#"{"do": "stub", "command": "x", "times": 1}"#,
                "stub: times: unknown field `times`, expected one of",
            ),
            (
                r#"{"do": "stub", "command": 7}"#,
                "stub: command: invalid type: integer `7`, expected a string",
            ),
            (
                r#"{"do": "stub", "command": "x", "arguments": 7}"#,
                "stub: arguments: invalid type: integer `7`, expected a map",
            ),
            (
                r#"{"do": "stub", "command": "x", "expect": "1"}"#,
                r#"stub: expect: "1" is neither a number nor limits such as {"least": 1, "most": 3}"#,
            ),
            (
                r#"{"do": "stub", "command": "x", "expect": {"most": -1}}"#,
                r#"stub: expect: {"most":-1} is neither a number nor limits"#,
            ),
            (
                r#"{"do": "stub", "command": "x", "error": {"class": "C", "dsc": ""}}"#,
                "stub: error.dsc: unknown field `dsc`, expected `class` or `desc` (did you mean `desc`?)",
            ),
            (
                r#"{"do": "reset", "all": true}"#,
                "reset: all: unknown field `all`, there are no fields",
            ),
            (
                r#"{"do": "guest", "guest": {"vcpus": [{"onlin": true}]}}"#,
                "guest: guest.vcpus[0].onlin: unknown field `onlin`, expected one of `logical-id`, `online`, `can-offline` (did you mean `online`?)",
            ),
            (
                r#"{"do": "guest", "guest": {"hostname": "x"}}"#,
                "guest: guest.hostname: unknown field `hostname`, expected one of `host-name`",
            ),
            (
                r#"{"do": "program", "program": {"name": "x", "exit": "1"}}"#,
                "program: program.exit: invalid type: string \"1\", expected i32",
            ),
        ];
        for (text, wanted) in cases {
            let said = parse(text.as_bytes()).unwrap_err();
            assert!(said.starts_with(wanted), "{said}\n{wanted}");
        }
    }
}
