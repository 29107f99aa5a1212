//! Names that a guest supplies, and the paths that are made of them.

use std::path::{Path, PathBuf};

/// What a component may have, in bytes; filesystems take no more.
const LONGEST: usize = 255;
/// What a path may have, in bytes.
const LONGEST_PATH: usize = 4096;
/// How many components a path may have.
const DEEPEST: usize = 64;

pub(super) const TARGET_NOT_UTF8: &str =
    "what the link leads to is not UTF-8, and an agent takes nothing else";

/// Looks at a path below a folder, `a/b`, and says what is wrong with it. `windows` is what the
/// host is that the name will be used on.
pub(super) fn check(path: &[u8], windows: bool) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(path).map_err(|_| "it is not UTF-8")?;
    if text.len() > LONGEST_PATH {
        return Err("it is too long");
    }
    if text.split('/').count() > DEEPEST {
        return Err("it lies too deep");
    }
    for name in text.split('/') {
        check_name(name)?;
        if windows {
            check_windows(name)?;
        }
    }
    Ok(text)
}

fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("a part of it is empty"),
        "." | ".." => Err("it leads elsewhere"),
        _ if name.contains('\0') => Err("it has a NUL"),
        _ if name.len() > LONGEST => Err("it is too long"),
        _ => Ok(()),
    }
}

/// Windows knows more separators, streams behind a colon, and names that are devices in every
/// folder and with every ending; it drops dots and spaces from the end.
fn check_windows(name: &str) -> Result<(), &'static str> {
    if name.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) || name.contains(char::is_control) {
        return Err("Windows forbids one of its characters");
    }
    if name.ends_with(['.', ' ']) {
        return Err("Windows would drop its end");
    }
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let stem = stem.to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|number| {
            let mut digits = number.chars();
            matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
        })
    };
    let device = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&&*stem);
    if device || numbered("COM") || numbered("LPT") {
        return Err("it is a device in Windows");
    }
    Ok(())
}

/// A path of the guest below another.
pub(super) fn join(folder: &str, path: &str) -> String {
    match path {
        "" => folder.to_owned(),
        _ => format!("{}/{path}", folder.trim_end_matches('/')),
    }
}

/// A path of this host below another, for words only.
pub(super) fn place(folder: &Path, path: &str) -> PathBuf {
    let mut place = folder.to_owned();
    place.extend(path.split('/').filter(|name| !name.is_empty()));
    place
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let long = "x".repeat(256);
        let deep = "x/".repeat(64) + "x";
        let names = [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            ".",
            "a/./b",
            "a//b",
            "a/",
            "a\0b",
            &long,
            &deep,
        ];
        for name in names {
            assert!(check(name.as_bytes(), false).is_err(), "{name:?}");
        }
        assert!(check(b"\xff", false).is_err());
    }

    #[test]
    fn odd_names_are_fine() {
        let names = [
            "-rf", " ", "a\nb", "...", "..a", "a\\b", "C:", "ü", "*", "con", "'\"$(x)`", "~",
        ];
        for name in names {
            assert_eq!(check(name.as_bytes(), false), Ok(name));
        }
    }

    #[test]
    fn names_that_are_something_else_in_windows_are_refused_there() {
        let names = [
            "C:", "C:x", "\\x", "a\\..\\b", "x:stream", "con", "NUL.txt", "a/aux", "COM1",
            "lpt9.a.b", "COM¹", "CONIN$", "nul ", "a.", "a ", "a?", "a\nb", "prn .txt",
        ];
        for name in names {
            assert!(check(name.as_bytes(), true).is_err(), "{name:?}");
            assert!(check(name.as_bytes(), false).is_ok(), "{name:?}");
        }
        for name in ["com", "COM10", "console", "a.con", ".x", "a b"] {
            assert_eq!(check(name.as_bytes(), true), Ok(name));
        }
    }
}
