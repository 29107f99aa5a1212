//! Whether an agent has refused a command, by the class and the words of its error.
//!
//! QEMU's agent had one class for all of its refusals only from 4.2 on; before, a disabled command was a
//! `GenericError` like any failure. Agents of other makers have words of their own. An error that tells
//! how a command failed must not be taken for a refusal, since then the command has run; so the words
//! must be a sentence about the command itself, from its beginning.

use super::AgentError;

/// Why an agent has refused a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not know it.
    Unknown,
    /// It knows it and must not carry it out.
    Disabled,
    /// It must not while filesystems are frozen.
    Frozen,
}

/// Why the agent has refused a command; `None` if the command has failed otherwise.
pub(super) fn refusal(error: &AgentError) -> Option<Refusal> {
    let words = words(&error.desc);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match (error.class.as_str(), said(&words)) {
        (_, Some(refusal)) => Some(refusal),
        ("CommandDisabled", None) => Some(Refusal::Disabled),
        ("CommandNotFound", None) => Some(Refusal::Unknown),
        _ => None,
    }
}

/// As much of a text as is looked at, in bytes: a guest may write texts of any length.
const LOOKED_AT: usize = 1024;

fn words(text: &str) -> Vec<String> {
    let is_edge = |c: char| !c.is_alphanumeric();
    let mut ends = (0..=text.len().min(LOOKED_AT)).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    let start = end.and_then(|end| text.get(..end)).unwrap_or_default();
    let words = start.split_whitespace();
    let words = words.map(|word| word.trim_matches(is_edge).to_ascii_lowercase());
    words.filter(|word| !word.is_empty()).collect()
}

/// What a sentence says of a command.
fn said(words: &[&str]) -> Option<Refusal> {
    let words = match words {
        ["the" | "error" | "qmp" | "rpc", rest @ ..] if !rest.is_empty() => rest,
        words => words,
    };
    let (verdict, rest) = match words {
        ["no", "such", noun, rest @ ..] if is_command(noun) => (Some(Refusal::Unknown), rest),
        [quality, noun, rest @ ..] if is_command(noun) => match plain(quality) {
            Some(refusal) => (Some(refusal), rest),
            None if is_name(quality) => predicate(rest),
            None => return None,
        },
        [noun, name, rest @ ..] if is_command(noun) && (is_name(name) || has_auxiliary(rest)) => {
            match predicate(words.get(1..).unwrap_or_default()) {
                (None, _) => predicate(rest),
                found => found,
            }
        }
        [noun, rest @ ..] if is_command(noun) || is_name(noun) || is_freezable(noun) => {
            predicate(rest)
        }
        _ => return None,
    };
    let frozen = rest
        .iter()
        .any(|word| matches!(*word, "frozen" | "fsfreeze" | "freeze"));
    match (words.first(), verdict) {
        (_, Some(_)) if frozen => Some(Refusal::Frozen),
        // What is said of the guest and not of a command tells nothing but that it is frozen.
        (Some(noun), verdict) if is_freezable(noun) => verdict.filter(|v| *v == Refusal::Frozen),
        (_, verdict) => verdict,
    }
}

/// What follows the subject of the sentence, such as "has not been found", and what comes after that.
fn predicate<'a>(words: &'a [&'a str]) -> (Option<Refusal>, &'a [&'a str]) {
    let mut denied = false;
    for (index, word) in words.iter().enumerate() {
        match *word {
            "not" | "isn't" | "hasn't" | "cannot" | "can't" | "doesn't" | "no" => denied = true,
            word if is_auxiliary(word) => {}
            word => {
                let verdict = if denied { negated(word) } else { plain(word) };
                return (verdict, words.get(index + 1..).unwrap_or_default());
            }
        }
    }
    (None, &[])
}

fn plain(word: &str) -> Option<Refusal> {
    Some(match word {
        "disabled" | "blocked" | "blacklisted" | "blocklisted" | "forbidden" | "denied"
        | "prohibited" => Refusal::Disabled,
        "unknown" | "unsupported" | "unrecognized" | "unrecognised" | "unimplemented"
        | "undefined" | "invalid" | "unexpected" => Refusal::Unknown,
        "frozen" => Refusal::Frozen,
        _ => return None,
    })
}

fn negated(word: &str) -> Option<Refusal> {
    Some(match word {
        "allowed" | "enabled" | "permitted" | "available" => Refusal::Disabled,
        "found" | "known" | "supported" | "implemented" | "recognized" | "recognised"
        | "registered" | "exist" | "defined" => Refusal::Unknown,
        _ => return None,
    })
}

fn is_command(word: &str) -> bool {
    matches!(word, "command" | "method" | "rpc")
}

fn is_name(word: &str) -> bool {
    word.starts_with("guest-")
}

fn is_freezable(word: &str) -> bool {
    matches!(
        word,
        "agent" | "guest" | "filesystem" | "filesystems" | "operation" | "request"
    )
}

fn is_auxiliary(word: &str) -> bool {
    matches!(
        word,
        "has" | "been" | "is" | "was" | "are" | "be" | "does" | "do" | "currently" | "in" | "by"
    )
}

fn has_auxiliary(words: &[&str]) -> bool {
    words.first().is_some_and(|word| *word == "has")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(class: &str, desc: &str) -> Option<Refusal> {
        refusal(&AgentError {
            class: class.to_owned(),
            desc: desc.to_owned(),
        })
    }

    #[test]
    fn refusals_are_known_by_the_words_of_many_agents() {
        use Refusal::{Disabled, Frozen, Unknown};
        for (desc, wanted) in [
            (
                "The command guest-exec has been disabled for this instance",
                Disabled,
            ),
            (
                "The command guest-fsfreeze-freeze has been disabled for this instance",
                Disabled,
            ),
            (
                "The command acme-x has been disabled for this instance",
                Disabled,
            ),
            ("Command guest-exec has been disabled", Disabled),
            (
                "Command guest-exec has been disabled: the command is not allowed",
                Disabled,
            ),
            (
                "Command guest-exec has been disabled: the agent is in frozen state",
                Frozen,
            ),
            (
                "The command guest-exec has been disabled after fsfreeze",
                Frozen,
            ),
            ("The command guest-exec has not been found", Unknown),
            ("Command not allowed while filesystem is frozen", Frozen),
            ("Command 'guest-exec' is not allowed", Disabled),
            ("command \"guest-exec\": not enabled", Disabled),
            ("command disabled", Disabled),
            ("command is blocked by policy", Disabled),
            ("Command not found: guest-exec", Unknown),
            ("command not found", Unknown),
            ("unknown command", Unknown),
            ("unknown command \"guest-exec\"", Unknown),
            ("Unsupported command: guest-exec", Unknown),
            ("no such command", Unknown),
            ("rpc method not found", Unknown),
            ("guest-exec is disabled", Disabled),
            ("guest-exec: command not found", Unknown),
            ("guest-exec not implemented", Unknown),
            ("guest-exec command is not supported", Unknown),
            ("the agent is frozen", Frozen),
            ("The agent is in frozen state", Frozen),
            ("filesystems are frozen", Frozen),
            ("Operation not permitted while frozen", Frozen),
        ] {
            for class in ["GenericError", "CommandNotFound", "InternalError", ""] {
                assert_eq!(judged(class, desc), Some(wanted), "{class}: {desc}");
            }
        }
    }

    #[test]
    fn the_class_decides_where_the_words_say_nothing() {
        for desc in ["", "?", "nicht gefunden", "failed"] {
            assert_eq!(judged("CommandNotFound", desc), Some(Refusal::Unknown));
            assert_eq!(judged("CommandDisabled", desc), Some(Refusal::Disabled));
            assert_eq!(judged("GenericError", desc), None);
        }
    }

    #[test]
    fn a_command_that_has_failed_was_not_refused() {
        for desc in [
            "handle '1000' has not been found",
            "PID ld does not exist",
            "Invalid parameter 'pid'",
            "Parameter 'command' is unexpected",
            "failed to open file '/tmp/The command x has been disabled' (mode: 'r'): Not a directory",
            "failed to open file 'command not found' (mode: 'r'): No such file or directory",
            "Failed to execute child process \u{201c}command\u{201d} (No such file or directory)",
            "Guest agent command failed, error was 'Failed to execute child process'",
            "Command failed: sh: foo: not found",
            "command my-tool: not found",
            "my-tool: command not found",
            "exec: \"my-tool\": executable file not found in $PATH",
            "guest-exec: exec: \"my-tool\": not found",
            "this feature or command is not currently supported",
            "child process has failed to suspend",
            "failed to freeze /srv: Operation not permitted",
            "Operation not permitted",
            "guest not found",
            "The command guest-exec has been started",
            "QMP input member 'id' is unexpected",
            "JSON parse error, invalid keyword 'command'",
            "command",
            "the",
            "",
        ] {
            assert_eq!(judged("GenericError", desc), None, "{desc}");
        }
        let endless = format!(
            "The command {} has been disabled",
            "\u{e9} ".repeat(1_000_000)
        );
        assert_eq!(judged("GenericError", &endless), None);
    }
}
