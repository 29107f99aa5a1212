use std::fmt;

/// How a client has called a program.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invocation {
    /// The path as the client gave it.
    pub path: String,
    /// The arguments after the path.
    pub args: Vec<String>,
    /// The environment, when the client gave one: `NAME=value`, as they are.
    pub env: Option<Vec<String>>,
    /// What the program can read; nothing when the client gave nothing.
    pub stdin: Vec<u8>,
    /// The folder that it is run in: `/`, unless a client's shell went elsewhere.
    pub current_dir: String,
}

/// The input as text.
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
