//! The commands of Acme's agent, generated from `acme.json` and `acme.toml`.

pub mod commands;
