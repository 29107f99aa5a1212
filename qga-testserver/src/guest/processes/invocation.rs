use std::fmt;

/// How a client has called a program with `guest-exec`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invocation {
    /// The path of the program, as the client gave it.
    pub path: String,
    /// The arguments, without the path.
    pub args: Vec<String>,
    /// The environment, if the client gave one: entries such as `NAME=value`, unchanged.
    pub env: Option<Vec<String>>,
    /// The bytes that the program can read from stdin; there are none if the client gave none.
    pub stdin: Vec<u8>,
    /// The folder that the program runs in: `/`, unless a shell of the client has changed it.
    pub current_dir: String,
}

/// Shows the input as text.
impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stdin = self.stdin.escape_ascii();
        f.debug_struct("Invocation")
            .field("path", &self.path)
            .field("args", &self.args)
            .field("env", &self.env)
            .field("stdin", &format_args!("b\"{stdin}\""))
            .field("current_dir", &self.current_dir)
            .finish()
    }
}
