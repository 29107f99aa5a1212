//! Where something is written, and what is wrong there.

use std::fmt;
use std::sync::Arc;

/// A place in a file. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file's path, as it was given or included.
    pub file: Arc<str>,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Location {
    /// The beginning of a file.
    #[must_use]
    pub fn start(file: impl Into<Arc<str>>) -> Self {
        Self {
            file: file.into(),
            line: 1,
            column: 1,
        }
    }

    /// The place of a byte of `text`, which is the contents of `file`.
    #[must_use]
    pub fn of_byte(file: &Arc<str>, text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let last = before.rsplit('\n').next().unwrap_or_default();
        Self {
            file: Arc::clone(file),
            line: before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
        }
    }
}

/// The text of a file from its bytes. What is no UTF-8 is an error where it stands.
pub(crate) fn decode_utf8(file: &Arc<str>, bytes: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|error| {
        let text = String::from_utf8_lossy(error.as_bytes());
        let location = Location::of_byte(file, &text, error.utf8_error().valid_up_to());
        Problem::new(&location, "this is not UTF-8")
    })
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A name, and where it is written.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub location: Location,
}

impl Name {
    /// Something wrong with what bears this name.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(&self.location, message)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Where.
    pub location: Location,
    /// What.
    pub message: String,
    /// What to add to the data file, if that is what is wrong.
    pub missing: Option<MissingEntry>,
}

/// Lines that a data file lacks, with TODO where only a person knows what to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingEntry {
    /// The table that is there and lacks them; `None` if they are a table of their own.
    pub table: Option<String>,
    /// The lines.
    pub lines: String,
}

impl Problem {
    pub(crate) fn new(location: &Location, message: impl Into<String>) -> Self {
        Self {
            location: location.clone(),
            message: message.into(),
            missing: None,
        }
    }

    pub(crate) fn with_missing(mut self, missing: MissingEntry) -> Self {
        self.missing = Some(missing);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)
    }
}

impl std::error::Error for Problem {}

/// All that is wrong, one line each.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// All that is missing in the data file, to be pasted there and filled in; empty if nothing is.
    #[must_use]
    pub fn missing(&self) -> String {
        let mut parts = Vec::new();
        let mut last = None;
        for missing in self.0.iter().filter_map(|problem| problem.missing.as_ref()) {
            match &missing.table {
                Some(table) if last == Some(table) => {}
                Some(table) => parts.push(format!("\n# In [{table}], which is there:\n")),
                None => parts.push("\n".to_owned()),
            }
            parts.push(missing.lines.clone());
            last = missing.table.as_ref();
        }
        parts.concat().trim_start().to_owned()
    }

    /// `value`, if nothing is wrong.
    pub(crate) fn or<T>(problems: Vec<Problem>, value: T) -> Result<T, Self> {
        if problems.is_empty() {
            Ok(value)
        } else {
            Err(Self(problems))
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
