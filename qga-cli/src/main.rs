//! `qga`: QEMU guests from a shell.

mod cli;
mod commands;
mod completing;
mod config;
mod connect;
#[cfg(test)]
mod cut;
mod exit;
mod fake;
mod guest_path;
mod holder;
mod options;
mod show;
mod signals;
mod wire;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use clap_complete::CompleteEnv;

fn main() -> ExitCode {
    CompleteEnv::with_factory(cli::Cli::command).complete();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return exit::failed(&error.into()),
    };
    let outcome = runtime.block_on(cli.run());
    // A read of standard input may never end.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => exit::failed(&error),
    }
}
