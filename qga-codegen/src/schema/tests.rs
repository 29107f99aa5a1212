//! One construct of the language a test, and one mistake.

mod constructs;
mod files;
mod mistakes;

use super::*;

fn parse(text: &str) -> Schema {
    Schema::parse("t.json", text).unwrap()
}

fn problems(text: &str) -> String {
    Schema::parse("t.json", text).unwrap_err().to_string()
}

fn names(members: &[Member]) -> Vec<&str> {
    members
        .iter()
        .map(|member| member.name.text.as_str())
        .collect()
}
