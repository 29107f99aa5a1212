//! The machine behind the agent: what its commands tell of it, its files, its programs, and whether it runs.

pub(crate) mod facts;
pub(crate) mod files;
pub(crate) mod machine;
pub(crate) mod named_scripts;
pub(crate) mod power;
pub(crate) mod processes;
pub(crate) mod program;
