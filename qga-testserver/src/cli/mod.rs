#![doc = include_str!("../../PROGRAM.md")]

mod arguments;
mod control;
mod fault_spec;
mod fleet;
mod guest_change;
mod guest_file;
#[cfg(test)]
mod page;
mod serve;
mod signals;
mod tape;
mod words;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Task};

/// What went wrong, for the person who started the program.
type Failure = String;

/// Runs the program with the process's arguments.
#[must_use]
#[allow(clippy::print_stderr, reason = "that is where a program complains")]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(carry_out(arguments)),
        Err(error) => Err(format!("cannot start: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("qga-testserver: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn carry_out(arguments: Arguments) -> Result<(), Failure> {
    match arguments.task {
        None => match arguments.serve.agents {
            Some(count) => fleet::serve(&arguments.serve, count).await,
            None => serve::serve(&arguments.serve).await,
        },
        Some(Task::Record(options)) => tape::record(&options).await,
        Some(Task::Replay(options)) => tape::replay(&options).await,
    }
}
