//! The stand-alone fake agent.

use std::process::ExitCode;

fn main() -> ExitCode {
    qga_testserver::cli::run()
}
