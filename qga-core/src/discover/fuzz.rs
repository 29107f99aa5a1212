//! What must hold for any command line: a target of fuzzers, which panics where it does not.

use super::qemu::command_line::{Backend, CommandLine};

/// Arguments with a zero byte between them are read in time, and what is said of them is not longer than they are, but
/// for our own words.
pub fn command_line(data: &[u8]) {
    let arguments: Vec<_> = data.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    let line = CommandLine::parse(&arguments);
    assert!(line.name.is_none_or(|name| name.len() <= data.len()));
    assert!(line.channels.len() <= arguments.len());
    for channel in line.channels {
        match channel {
            Backend::Unix(path) => assert!(path.len() <= data.len()),
            Backend::Unreachable(why) => assert!(why.len() < 1000),
            Backend::Tcp(ports) => assert!(!ports.is_empty()),
            Backend::Descriptor(_) | Backend::Terminal(_) => {}
        }
    }
}
