//! `qga-codegen generate`: commands and types from a schema.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use qga_codegen::{Config, Problems, Schema, drift, generate, write};

/// Writes the commands and types of a guest agent in Rust.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Writes a folder of modules for a schema.
    Generate {
        /// The schema, in the QAPI language.
        #[arg(long, value_name = "FILE")]
        schema: PathBuf,
        /// The data file, in TOML.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The folder of the modules.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Writes nothing; fails if the folder is not as it would be written.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(
    Action::Generate {
        schema,
        config,
        out,
        check,
    }: Action,
) -> Result<(), String> {
    let in_words = |problems: Problems| problems.to_string();
    let schema = Schema::read(&schema).map_err(in_words)?;
    let config = Config::read(&config).map_err(in_words)?;
    let files = generate(&schema, &config).map_err(in_words)?;
    let in_words = |error: std::io::Error| error.to_string();
    if !check {
        return write(&out, &files).map_err(in_words);
    }
    let drift = drift(&out, &files).map_err(in_words)?;
    if drift.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = drift.iter().map(ToString::to_string).collect();
    Err(lines.join("\n"))
}
