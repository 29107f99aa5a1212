//! The programs that every guest has: only as many as the tests of a channel need.

use std::time::Duration;

mod shell;

use super::{Invocation, Script};
use shell::shell;

/// Returns the content of a file of the guest.
pub(super) type ReadFile<'a> = dyn Fn(&str) -> Option<Vec<u8>> + 'a;

/// Finds out what a program of the guest does, if there is one of this name.
pub(crate) fn builtin(call: &Invocation, read_file: &ReadFile<'_>) -> Option<Script> {
    let name = match call.path.rsplit_once('/') {
        None => call.path.as_str(),
        Some(("/bin" | "/usr/bin", name)) => name,
        Some(_) => return None,
    };
    run(name, &call.args, call, read_file)
}

/// Runs a program with these arguments. A shell may run it, so `call` may be the call of the shell.
pub(super) fn run(
    name: &str,
    args: &[String],
    call: &Invocation,
    read_file: &ReadFile<'_>,
) -> Option<Script> {
    let script = Script::new();
    Some(match name {
        "true" => script,
        "false" => script.exit(1),
        "echo" => script.stdout(format!("{}\n", args.join(" "))),
        "pwd" => script.stdout(format!("{}\n", call.current_dir)),
        "cat" if args.is_empty() => script.stdout(&call.stdin),
        "env" if args.is_empty() => script.stdout(environment(call)),
        "env" => env(args, call)?,
        "sleep" => script.pause(seconds(args.first()?)),
        "printf" => script.stdout(format(args)),
        "head" => match args {
            [flag, count, path] if flag == "-c" && path == "/dev/zero" => {
                script.stdout_zeros(count.parse().ok()?)
            }
            _ => return None,
        },
        "sh" => shell(args, call, read_file),
        _ => return None,
    })
}

fn environment(call: &Invocation) -> String {
    let env = call.env.clone();
    let env = env.unwrap_or_else(|| vec!["PATH=/usr/bin:/bin".into(), "PWD=/".into()]);
    env.into_iter().map(|entry| entry + "\n").collect()
}

/// Runs a program with more environment variables.
fn env(args: &[String], call: &Invocation) -> Option<Script> {
    let program = args.iter().position(|word| !word.contains('='))?;
    let mut env = call.env.clone().unwrap_or_default();
    env.extend(args.get(..program)?.iter().cloned());
    let (path, rest) = args.get(program..)?.split_first()?;
    let mut script = Script::new();
    script.becomes = Some(Invocation {
        path: path.clone(),
        args: rest.to_vec(),
        env: Some(env),
        ..call.clone()
    });
    Some(script)
}

fn seconds(text: &str) -> Duration {
    let seconds = text.parse().ok();
    let duration = seconds.map(Duration::try_from_secs_f64);
    duration.and_then(Result::ok).unwrap_or_default()
}

/// The most bytes that the agent keeps of the output.
const OUTPUT_LIMIT: usize = 16 << 20;

/// Puts the arguments one after the other in the place of `%s` in the first one, and repeats that until none is left.
fn format(args: &[String]) -> String {
    let Some((format, values)) = args.split_first() else {
        return String::new();
    };
    if values.is_empty() || !format.contains("%s") {
        return format.replace("%s", "");
    }
    let mut values = values.iter();
    let mut text = String::new();
    while values.len() > 0 && text.len() <= OUTPUT_LIMIT {
        for (index, part) in format.split("%s").enumerate() {
            if index > 0 {
                text.push_str(values.next().map_or("", String::as_str));
            }
            text.push_str(part);
        }
    }
    text
}
