//! A shell that understands a list of plain commands, and nothing else of the language.

use super::{ReadFile, run};
use crate::guest::processes::{Invocation, Script, Step};

/// The longest argument of a program that Linux accepts, in bytes.
const TEXT_LIMIT: usize = 128 << 10;
/// How many commands are carried out at most.
const COMMAND_LIMIT: usize = 1000;
/// How deep parentheses may be nested.
const DEPTH_LIMIT: usize = 8;

/// What a shell does with its arguments: `-c` and a list, or a script's path.
pub(super) fn shell(args: &[String], call: &Invocation, read_file: &ReadFile<'_>) -> Script {
    let text = match args {
        [flag, text, ..] if flag == "-c" => Some(text.clone()),
        [path, ..] => read_file(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        [] => Some(String::from_utf8_lossy(&call.stdin).into_owned()),
    };
    let text = text.filter(|text| text.len() <= TEXT_LIMIT);
    let Some(text) = text else {
        return Script::new()
            .stderr("sh: 0: cannot open the script\n")
            .exit(2);
    };
    let mut left = COMMAND_LIMIT;
    list(Script::new(), &text, call, &mut left, 0).0
}

/// Carries out the commands of a list; true if one of them ends the shell.
fn list(
    mut script: Script,
    text: &str,
    call: &Invocation,
    left: &mut usize,
    depth: usize,
) -> (Script, bool) {
    for (command, background) in commands(text) {
        if *left == 0 || depth > DEPTH_LIMIT {
            return (script.stderr("sh: too much for this shell\n").exit(2), true);
        }
        *left -= 1;
        let inner = command
            .strip_prefix('(')
            .and_then(|text| text.strip_suffix(')'));
        let (after, ends) = match inner {
            Some(inner) => (list(script.clone(), inner, call, left, depth + 1).0, false),
            None => simple(script.clone(), command, call),
        };
        if background {
            script = script.beside(after);
            continue;
        }
        script = after;
        if ends {
            return (script, true);
        }
    }
    (script, false)
}

/// The commands of a list, and whether the shell waits for them.
fn commands(text: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut start = 0;
    let (mut depth, mut quote) = (0, None);
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            // The ampersand of `>&2` ends nothing.
            (None, ';' | '\n' | '&') if depth == 0 && previous != '>' => {
                found.push((text.get(start..at).unwrap_or_default().trim(), c == '&'));
                start = at + 1;
            }
            _ => {}
        }
        previous = c;
    }
    found.push((text.get(start..).unwrap_or_default().trim(), false));
    found.retain(|(command, _)| !command.is_empty());
    found
}

/// Carries out one command; true if it ends the shell.
fn simple(script: Script, command: &str, call: &Invocation) -> (Script, bool) {
    let mut words = expand(words(command), call);
    if words.first().is_some_and(|word| word == "command") {
        words.drain(..words.len().min(2));
    }
    let to_stderr = words.last().is_some_and(|word| word == ">&2");
    if to_stderr {
        words.pop();
    }
    let Some((name, args)) = words.split_first() else {
        return (script, false);
    };
    let number = |word: Option<&String>| word.and_then(|word| word.parse::<i64>().ok());
    match name.as_str() {
        "exit" => return (script.exit(number(args.first()).unwrap_or(0) & 0xFF), true),
        "kill" if args.get(1).is_some_and(|pid| pid == "$$") => {
            // The number comes with a minus.
            let signal = number(args.first()).map_or(15, i64::abs);
            return (script.signal(signal), true);
        }
        "exec" => return exec(script, args, call),
        _ => {}
    }
    if let Some(step) = step(name, args) {
        return (script.step(step), false);
    }
    if matches!(name.as_str(), "set" | "umask") {
        return (script, false);
    }
    let ran = run(name, args, call, &|_| None).filter(|ran| ran.becomes.is_none());
    let after = match ran {
        Some(ran) => script.then(&ran, to_stderr),
        None => script
            .stderr(format!("sh: 1: {name}: not found\n"))
            .exit(127),
    };
    (after, false)
}

/// What a command does to the guest; none if it is not one of those.
fn step(name: &str, args: &[String]) -> Option<Step> {
    let path = args.last()?;
    Some(match name {
        "mkdir" => Step::MakeFolder(path.clone()),
        ":" => Step::MakeFile(path.strip_prefix('>')?.to_owned()),
        "rm" => Step::Remove(path.clone()),
        "kill" => Step::Kill {
            pid: path.parse().ok()?,
            signal: match args.first()?.as_str() {
                "-KILL" => 9,
                signal => signal.parse::<i64>().map_or(15, i64::abs),
            },
        },
        _ => return None,
    })
}

/// The output goes to files, or another program takes the shell's place.
fn exec(mut script: Script, args: &[String], call: &Invocation) -> (Script, bool) {
    let redirect = |prefix: &str| args.iter().find_map(|word| word.strip_prefix(prefix));
    if let (Some(out), Some(err)) = (redirect(">>"), redirect("2>>")) {
        script.files = Some([out.to_owned(), err.to_owned()]);
        return (script, false);
    }
    let (path, args) = match args.split_first() {
        Some((path, args)) => (path.clone(), args.to_vec()),
        None => return (script, false),
    };
    script.becomes = Some(Invocation {
        path,
        args,
        ..call.clone()
    });
    (script, true)
}

/// Puts the arguments after a `-c` and its list in the places of `$0` and `$@`.
fn expand(words: Vec<String>, call: &Invocation) -> Vec<String> {
    let given = call.args.get(2..).unwrap_or_default();
    let mut expanded = Vec::new();
    for word in words {
        match (word.as_str(), given.split_first()) {
            ("$@", given) => expanded.extend(given.into_iter().flat_map(|given| given.1.to_vec())),
            (_, Some((zero, _))) => expanded.push(word.replace("$0", zero)),
            _ => expanded.push(word),
        }
    }
    expanded
}

/// Words are parted by spaces; quotes keep them together.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut begun, mut quote) = (String::new(), false, None);
    for c in command.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => (quote, begun) = (Some(c), true),
            None if c.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            _ => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}
