//! The commands of Acme's agent, generated from `acme.json` and `acme.toml`.

mod generated;

pub use generated::backup;
