/// When and how an agent reports errors in its input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Syntax errors are reported when the brackets balance.
    #[default]
    Late,
    /// Syntax errors are reported at their token and with its position. After that nothing is reported
    /// until the outermost bracket closes or the input has an error of another kind.
    Early,
}

/// How a dialect calls something that is missing.
#[derive(Debug)]
pub(super) struct Wording {
    pub(super) colon: &'static str,
    pub(super) member: &'static str,
    pub(super) element: &'static str,
}

impl Dialect {
    pub(super) fn wording(self) -> &'static Wording {
        match self {
            Dialect::Late => &Wording {
                colon: "missing : in object pair",
                member: "expected separator in dict",
                element: "expected separator in list",
            },
            Dialect::Early => &Wording {
                colon: "expecting ':'",
                member: "expected ',' or '}'",
                element: "expected ',' or ']'",
            },
        }
    }
}
