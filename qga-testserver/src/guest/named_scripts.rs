//! Does without a shell what the scripts of `qga-commands` ask for.
//!
//! Each of these scripts is a fixed text that begins with a line such as `: qga-list 1`, which a shell
//! ignores; everything that varies is an argument. So a guest without a shell knows by the name alone what
//! to do. The page of the scripts in `qga-commands` says which names there are, which arguments they take,
//! what they print and how they end. The first argument after the text is `first`, or `again` if the script
//! is run once more because its answer was lost.

mod archives;
mod checksums;
mod copy;
mod links;
mod list;
mod owner;
mod paths;
mod resume;
mod streams;

use super::machine::Machine;
use super::processes::{Invocation, Script};

/// How a script is called.
struct Call<'a> {
    invocation: &'a Invocation,
    /// Whether the script is run again and may have been done already.
    again: bool,
    args: &'a [String],
}

/// A script that has failed: its message and its exit code.
struct Failed(String, i64);

type Done = Result<Script, Failed>;

/// Does what a script asks for whose text begins with its name. Returns nothing if this is not such a script.
pub(crate) fn named(invocation: &Invocation, machine: &mut Machine) -> Option<Script> {
    let shell = invocation.path.rsplit('/').next() == Some("sh");
    let [flag, text, attempt, args @ ..] = &*invocation.args else {
        return None;
    };
    let name = text.lines().next()?.strip_prefix(": ")?;
    if !shell || flag != "-c" || !name.starts_with("qga-") {
        return None;
    }
    let call = Call {
        invocation,
        again: attempt == "again",
        args,
    };
    let done = match name {
        "qga-list 1" => list::list(&call, machine),
        "qga-checksums 1" => checksums::checksums(&call, machine),
        "qga-begin 1" => copy::begin(&call, machine),
        "qga-continue 2" => resume::go_on(&call, machine),
        "qga-renew 3" => resume::renew(&call, machine),
        "qga-remove 1" => Ok(resume::remove(&call, machine)),
        "qga-make-folders 1" => copy::make_folders(&call, machine),
        "qga-unpack 1" => archives::unpack(&call, machine),
        "qga-pack 1" => archives::pack(&call, machine),
        "qga-are-empty 1" => archives::are_empty(&call, machine),
        "qga-set-metadata 1" => copy::set_metadata(&call, machine),
        "qga-read-links 1" => Ok(links::read(&call, machine)),
        "qga-make-links 1" => links::make(&call, machine),
        "qga-set-owner 1" => owner::set(&call, machine),
        "qga-publish 2" => copy::publish(&call, machine),
        "qga-discard 1" => copy::discard(&call, machine),
        "qga-make-directory 1" => paths::make_directory(&call, machine),
        "qga-remove-file 1" => paths::remove_file(&call, machine),
        "qga-make-streams 1" => streams::make(&call, machine),
        "qga-stream 1" => streams::stream(&call, machine),
        "qga-remove-streams 1" => streams::remove(&call, machine),
        "qga-run-in 1" => streams::run_in(&call, machine),
        "qga-kill 1" => streams::kill(&call, machine),
        _ => Err(Failed(
            format!("the fake agent does not know the script {name}"),
            127,
        )),
    };
    Some(done.unwrap_or_else(|Failed(text, code)| {
        let text = if text.is_empty() { text } else { text + "\n" };
        Script::new().stderr(text).exit(code)
    }))
}

impl Call<'_> {
    /// Returns the arguments, or fails if there are not exactly this many.
    fn exactly<const N: usize>(&self) -> Result<[&str; N], Failed> {
        let args: Vec<_> = self.args.iter().map(String::as_str).collect();
        args.try_into().map_err(|_| wrong_arguments())
    }
}

fn wrong_arguments() -> Failed {
    Failed("sh: wrong arguments".into(), 2)
}
