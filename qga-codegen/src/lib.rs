//! Reads a QAPI schema, and writes the commands and types of a guest agent in Rust.
//!
//! Two files say what is written: the schema, in the language of QEMU's own, and a data file in
//! TOML with what a schema does not say: modules, names in Rust, documentation, and which values
//! are bytes, secrets or times. What the data file lacks, or has in excess, is an error; [`skeleton`]
//! makes one to begin with. [`generate`] makes code from both, and [`write()`] puts it into a folder, laid out
//! by rustfmt.
//!
//! ```
//! use qga_codegen::{Config, Schema, generate};
//!
//! let schema = Schema::parse(
//!     "acme.json",
//!     "{ 'command': 'acme-get-slot', 'returns': 'int' }",
//! )?;
//! let config = Config::parse(
//!     "acme.toml",
//!     r#"
//!     [schema]
//!     product = "Acme agent"
//!     prefix = "acme-"
//!     [platforms.linux]
//!     name = "Linux"
//!     options = []
//!     [modules]
//!     rack = "Where the guest runs."
//!     [commands.acme-get-slot]
//!     module = "rack"
//!     since = "1.0"
//!     retry = "Safe"
//!     doc = "Asks for the slot in the rack."
//!     "#,
//! )?;
//! let files = generate(&schema, &config)?;
//! assert!(files["rack.rs"].contains("pub struct GetSlot;"));
//! # Ok::<_, qga_codegen::Problems>(())
//! ```

mod config;
mod emit;
mod names;
mod output;
mod plan;
mod problem;
pub mod schema;
mod skeleton;

use std::path::Path;

pub use config::Config;
pub use emit::Files;
pub use output::{Drift, drift, write};
pub use problem::{Location, MissingEntry, Name, Problem, Problems};
pub use schema::Schema;
pub use skeleton::skeleton;

/// The files that a schema and its data file make: Rust, but not laid out yet. [`write()`] and [`drift`] see to that.
///
/// # Errors
///
/// When the data file lacks an entry or has one that is stale, and when names clash in Rust.
pub fn generate(schema: &Schema, config: &Config) -> Result<Files, Problems> {
    let plan = plan::Plan::new(schema, config)?;
    let of = |path: &str| match Path::new(path).file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.to_owned(),
    };
    Ok(emit::files(&plan, (&of(&schema.file), &of(&config.file))))
}
