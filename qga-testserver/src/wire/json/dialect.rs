/// When and how an agent speaks of faults in its input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Faults of grammar show when the brackets balance.
    #[default]
    Late,
    /// Faults of grammar show at their token and with its position; then there is silence until
    /// the outermost bracket closes or the input has a fault of another kind.
    Early,
}

/// How a dialect names what it misses.
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
