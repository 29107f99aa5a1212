//! Code as a text on one line.

use quote::ToTokens;

/// The head of an item whose body was taken out.
pub(crate) fn head(code: impl ToTokens) -> String {
    let text = of(code);
    let head = text.trim_end_matches([' ', '{', '}', ';', ',']);
    head.to_owned()
}

/// The tokens with the spaces that people write.
pub(crate) fn of(code: impl ToTokens) -> String {
    let mut text = code.to_token_stream().to_string().replace('\n', " ");
    let tidied = [
        ("  ", " "),
        (" ::", "::"),
        (":: ", "::"),
        (" ,", ","),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        ("[ ", "["),
        (" ]", "]"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        (" :", ":"),
        (" ;", ";"),
        (", )", ")"),
        (",)", ")"),
        (", }", " }"),
        ("{ }", "{}"),
        ("(mut self", "(self"),
        (",>", ">"),
        ("# [", "#["),
        ("? ", "?"),
    ];
    loop {
        let mut next = text.clone();
        for (from, to) in tidied {
            next = next.replace(from, to);
        }
        if next == text {
            return text.trim_end_matches(',').to_owned();
        }
        text = next;
    }
}
