//! A schema's files to its definitions, with what they include.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::define;
use super::model::Schema;
use super::parser::{self, Object, Value};
use crate::problem::{self, Location, Problem};

/// How deep files may include files. Each takes room on the stack; schemas need two or so.
const DEPTH_LIMIT: usize = 64;

/// Reads a file and all that it includes, each file once.
pub(super) fn load(path: &Path) -> Result<Schema, Problem> {
    let file = path.display().to_string();
    let mut loader = Loader::new(&file);
    loader.file(path, &Location::start(file))?;
    Ok(loader.schema)
}

/// Reads text as if it were the contents of a file that includes nothing.
pub(super) fn load_text(file: &str, text: &str) -> Result<Schema, Problem> {
    let mut loader = Loader::new(file);
    loader.text(Path::new(file), text)?;
    Ok(loader.schema)
}

#[derive(Default)]
struct Loader {
    schema: Schema,
    /// The files that are being read, the outermost first.
    open: Vec<PathBuf>,
    done: Vec<PathBuf>,
}

impl Loader {
    fn new(file: &str) -> Self {
        let mut loader = Self::default();
        file.clone_into(&mut loader.schema.file);
        loader
    }

    fn file(&mut self, path: &Path, mention: &Location) -> Result<(), Problem> {
        let failed = |error: std::io::Error| {
            Problem::new(mention, format!("cannot read {}: {error}", path.display()))
        };
        let canonical = path.canonicalize().map_err(failed)?;
        if self.open.contains(&canonical) {
            let message = format!("{} includes itself", path.display());
            return Err(Problem::new(mention, message));
        }
        if self.done.contains(&canonical) {
            return Ok(());
        }
        if self.open.len() > DEPTH_LIMIT {
            let message = format!("{} is included too deep", path.display());
            return Err(Problem::new(mention, message));
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        let text = problem::decode_utf8(&path.display().to_string().into(), bytes)?;
        self.open.push(canonical.clone());
        self.text(path, &text)?;
        self.open.pop();
        self.done.push(canonical);
        Ok(())
    }

    fn text(&mut self, path: &Path, text: &str) -> Result<(), Problem> {
        let file: Arc<str> = path.display().to_string().into();
        for object in parser::parse(&file, text)? {
            if object.members.iter().any(|(key, _)| key.text == "include") {
                self.include(path, object)?;
            } else {
                define::definition(object, &mut self.schema)?;
            }
        }
        Ok(())
    }

    fn include(&mut self, from: &Path, object: Object) -> Result<(), Problem> {
        let mut members = object.members.into_iter();
        let (Some((_, node)), None) = (members.next(), members.next()) else {
            let message = "`include` stands alone in its object";
            return Err(Problem::new(&object.location, message));
        };
        match node.value {
            Value::Text(name) => {
                let path = from.parent().unwrap_or(Path::new("")).join(name);
                self.file(&path, &node.location)
            }
            _ => Err(Problem::new(
                &node.location,
                "`include` must be a file's name in quotes",
            )),
        }
    }
}
