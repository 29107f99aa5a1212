//! The generator from outside: as a library and as a program.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is a test")]

mod cli;
mod events;
mod folders;
mod generate;
mod shapes;

/// What a data file begins with that has entries in one module, `m`.
const HEAD: &str = "
[schema]
product = 'Acme'
[platforms.linux]
name = 'Linux'
options = []
[modules]
m = 'Things.'
";
