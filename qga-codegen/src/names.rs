//! Names of the schema to names of Rust.

/// `guest-file-open`, `GuestPCIAddress` or `ipv4` in `CamelCase`, where an acronym counts as a
/// word: `GuestFileOpen`, `GuestPciAddress`, `Ipv4`.
pub(crate) fn camel(name: &str) -> String {
    words(name).iter().map(|word| capital(word)).collect()
}

/// The same in `snake_case`.
pub(crate) fn snake(name: &str) -> String {
    words(name).join("_")
}

/// Whether this can name something in Rust without `r#`.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts_well = bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    starts_well
        && name != "_"
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !is_keyword(name)
}

/// Keywords of Rust, those that are kept for later among them.
pub(crate) fn is_keyword(name: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
        "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
        "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv",
        "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true", "try",
        "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
    ];
    KEYWORDS.binary_search(&name).is_ok()
}

/// The words of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        let mut word = String::new();
        let mut characters = part.chars().peekable();
        let mut before: Option<char> = None;
        while let Some(character) = characters.next() {
            let next_is_lower = characters.peek().is_some_and(char::is_ascii_lowercase);
            let before_is_upper = before.is_some_and(|before| before.is_ascii_uppercase());
            if character.is_ascii_uppercase()
                && !word.is_empty()
                && (!before_is_upper || next_is_lower)
            {
                words.push(std::mem::take(&mut word));
            }
            word.push(character.to_ascii_lowercase());
            before = Some(character);
        }
        words.push(word);
    }
    words
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acronym_counts_as_one_word() {
        assert_eq!(camel("GuestPCIAddress"), "GuestPciAddress");
        assert_eq!(camel("GuestDeviceIdPCI"), "GuestDeviceIdPci");
        assert_eq!(camel("QGASeek"), "QgaSeek");
        assert_eq!(camel("GuestOSInfo"), "GuestOsInfo");
        assert_eq!(camel("GuestIpAddress"), "GuestIpAddress");
    }

    #[test]
    fn dashes_and_underscores_part_words() {
        assert_eq!(camel("network-get-interfaces"), "NetworkGetInterfaces");
        assert_eq!(camel("file-backed-virtual"), "FileBackedVirtual");
        assert_eq!(snake("supported_commands"), "supported_commands");
        assert_eq!(snake("buf-b64"), "buf_b64");
        assert_eq!(snake("load15m"), "load15m");
    }

    #[test]
    fn keywords_name_nothing() {
        for keyword in ["type", "Self", "match", "async", "gen", "yield"] {
            assert!(!is_identifier(keyword), "{keyword}");
        }
        assert!(!is_identifier("_"));
        assert!(!is_identifier("9p"));
        assert!(!is_identifier("a-b"));
        assert!(is_identifier("fs_type"));
        assert!(is_identifier("union"));
    }
}
