//! `qga raw`.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Map, Value};

use super::Context;
use crate::options::Target;
use crate::show;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  qga raw fake guest-info\n  qga raw fake guest-file-open '{\"path\": \"/etc/motd\"}'\n  qga raw fake guest-file-open path=/etc/motd mode=r"
)]
pub(crate) struct Raw {
    #[command(flatten)]
    target: Target,
    /// The name of the command.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    command: String,
    /// Its arguments: a JSON object, or words NAME=VALUE; a value that is JSON is taken as such, others as text.
    arguments: Vec<String>,
}

impl Raw {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let arguments = arguments(&self.arguments)?;
        let guest = context.guest(&self.target.guest).await?;
        let value = guest
            .client()
            .execute_raw(self.command.as_str(), arguments)
            .await?;
        if context.is_json() {
            return show::json("return", value);
        }
        let text = if io::stdout().is_terminal() {
            serde_json::to_string_pretty(&value)?
        } else {
            value.to_string()
        };
        show::lines(text.lines())
    }
}

fn arguments(words: &[String]) -> anyhow::Result<Value> {
    match words {
        [] => return Ok(Value::Null),
        [object] if object.trim_start().starts_with('{') => {
            return serde_json::from_str(object).context("the arguments are no JSON object");
        }
        _ => {}
    }
    let mut arguments = Map::new();
    for word in words {
        let (name, value) = word
            .split_once('=')
            .with_context(|| format!("{word:?} is not NAME=VALUE"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        arguments.insert(name.to_owned(), value);
    }
    Ok(Value::Object(arguments))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_an_object_or_words() {
        let words = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            arguments(&words)
        };
        assert_eq!(words(&[]).unwrap(), Value::Null);
        assert_eq!(words(&["{\"a\": 1}"]).unwrap(), json!({"a": 1}));
        assert_eq!(
            words(&["a=1", "b=x=y", "c=[true]", "d="]).unwrap(),
            json!({"a": 1, "b": "x=y", "c": [true], "d": ""})
        );
        words(&["{a"]).unwrap_err();
        words(&["a"]).unwrap_err();
    }
}
