//! Programs whose output goes to files, that are run in a folder, and that are killed.

use super::{Call, Done, Failed, wrong_arguments};
use crate::guest::machine::Machine;
use crate::guest::processes::{Invocation, Script};

/// The folder could not be entered.
const NO_FOLDER: i64 = 125;

/// `qga-make-streams FOLDER`
pub(super) fn make(call: &Call<'_>, machine: &mut Machine) -> Done {
    let files = &mut machine.files;
    let [folder] = call.exactly()?;
    let made = files.make_private_folder(folder);
    made.map_err(|why| {
        Failed(
            format!("mkdir: cannot create directory '{folder}': {why}"),
            1,
        )
    })?;
    for stream in streams(folder) {
        if !files.make_file(stream.as_bytes()) {
            return Err(Failed(format!("sh: 1: cannot create {stream}"), 2));
        }
    }
    Ok(Script::new())
}

/// `qga-stream FOLDER PROGRAM ARGUMENT...`
pub(super) fn stream(call: &Call<'_>, machine: &mut Machine) -> Done {
    let [folder, program @ ..] = call.args else {
        return Err(wrong_arguments());
    };
    let streams = streams(folder);
    for stream in &streams {
        let why = machine.files.stat(stream, true).err();
        if let Some(why) = why {
            return Err(Failed(format!("sh: 1: cannot create {stream}: {why}"), 2));
        }
    }
    machine.files.remove_all(folder);
    let mut script = become_program(program, call.invocation.clone())?;
    script.files = Some(streams);
    Ok(script)
}

/// `qga-remove-streams FOLDER`
pub(super) fn remove(call: &Call<'_>, machine: &mut Machine) -> Done {
    let [folder] = call.exactly()?;
    machine.files.remove_all(folder);
    Ok(Script::new())
}

/// `qga-run-in FOLDER PROGRAM ARGUMENT...`
pub(super) fn run_in(call: &Call<'_>, machine: &mut Machine) -> Done {
    let [folder, program @ ..] = call.args else {
        return Err(wrong_arguments());
    };
    if !machine.files.is_folder(folder) {
        return Err(Failed(
            format!("sh: 1: cd: can't cd to {folder}"),
            NO_FOLDER,
        ));
    }
    let mut invocation = call.invocation.clone();
    invocation.current_dir.clone_from(folder);
    become_program(program, invocation)
}

/// `qga-kill PID`
pub(super) fn kill(call: &Call<'_>, machine: &mut Machine) -> Done {
    let [pid] = call.exactly()?;
    let pid: i64 = pid.parse().map_err(|_| wrong_arguments())?;
    if machine.processes.kill(pid, 9) {
        Ok(Script::new())
    } else {
        Err(Failed("sh: 1: kill: No such process".into(), 1))
    }
}

fn streams(folder: &str) -> [String; 2] {
    ["out", "err"].map(|name| format!("{folder}/{name}"))
}

fn become_program(words: &[String], invocation: Invocation) -> Done {
    let (path, args) = words.split_first().ok_or_else(wrong_arguments)?;
    let mut script = Script::new();
    script.becomes = Some(Invocation {
        path: path.clone(),
        args: args.to_vec(),
        ..invocation
    });
    Ok(script)
}
