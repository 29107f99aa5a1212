//! `qga-codegen init`: a data file for a schema. `qga-codegen generate`: commands and types from both.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use qga_codegen::{Config, Problems, Schema, drift, generate, skeleton, write};

/// Writes the commands and types of a guest agent in Rust.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Writes a data file for a schema, to be filled in where it says TODO.
    Init {
        /// The schema, in the QAPI language.
        #[arg(long, value_name = "FILE")]
        schema: PathBuf,
        /// The data file to write, in TOML. One that is there is left as it is.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Writes a folder of modules for a schema and its data file, laid out by rustfmt.
    Generate(Generate),
}

#[derive(Args)]
struct Generate {
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
}

fn main() -> ExitCode {
    let done = match Arguments::parse().action {
        Action::Init { schema, config } => init(&schema, &config),
        Action::Generate(arguments) => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn init(schema: &Path, config: &Path) -> Result<(), String> {
    let read = Schema::read(schema).map_err(|problems| problems.to_string())?;
    let in_words = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!(
                "{}: is there already, and is left as it is",
                config.display()
            )
        }
        _ => format!("{}: {error}", config.display()),
    };
    let mut file = std::fs::File::create_new(config).map_err(in_words)?;
    file.write_all(skeleton(&read).as_bytes())
        .map_err(in_words)?;
    let (schema, config) = (schema.display(), config.display());
    println!(
        "{config} is written. Fill in each TODO, and then:\n\n    \
         qga-codegen generate --schema {schema} --config {config} --out src/commands"
    );
    Ok(())
}

fn run(arguments: &Generate) -> Result<(), String> {
    let in_words = |problems: Problems| problems.to_string();
    let schema = Schema::read(&arguments.schema).map_err(in_words)?;
    let config = Config::read(&arguments.config).map_err(in_words)?;
    let files = generate(&schema, &config).map_err(|problems| match problems.missing() {
        missing if missing.is_empty() => problems.to_string(),
        missing => format!(
            "{problems}\n\nTo paste into {}, and to fill in:\n\n{}",
            arguments.config.display(),
            missing.trim_end()
        ),
    })?;
    let in_words = |error: std::io::Error| error.to_string();
    if !arguments.check {
        return write(&arguments.out, &files).map_err(in_words);
    }
    let drift = drift(&arguments.out, &files).map_err(in_words)?;
    if drift.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = drift.iter().map(ToString::to_string).collect();
    Err(lines.join("\n"))
}
