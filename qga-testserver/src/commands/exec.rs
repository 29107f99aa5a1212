use std::sync::Arc;

use super::arguments::{Arguments, Kind, optional, required};
use super::{Command, Context, base64};
use crate::Script;
#[cfg(unix)]
use crate::guest::files::host::words;
#[cfg(unix)]
use crate::guest::machine::Machine;
use crate::guest::named_scripts::named;
use crate::guest::processes::{Capture, End, Invocation, Status, builtin};
use crate::profile::Platform;
use crate::wire::json::{Object, Value, text};
use crate::wire::reply::{Failure, Outcome};

/// How many programs may replace each other, as `exec` does, before the last one must run.
const BECOME_LIMIT: usize = 10;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "guest-exec",
        parameters: &[
            required("path", Kind::Text),
            optional("arg", Kind::Texts),
            optional("env", Kind::Texts),
            optional("input-data", Kind::Text),
            optional("capture-output", Kind::Capture),
        ],
        run: exec,
    },
    Command {
        name: "guest-exec-status",
        parameters: &[required("pid", Kind::Integer)],
        run: status,
    },
];

fn exec(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let invocation = invocation(arguments)?;
    let start = || {
        if is_too_long(context, &invocation) {
            return Err(not_executed(arguments, "Argument list too long"));
        }
        #[cfg(unix)]
        if let Some(started) = on_host(context, &invocation, capture(arguments)) {
            return started;
        }
        let script =
            script(context, &invocation).ok_or_else(|| cannot_execute(context, arguments))?;
        let script = become_program(context, script);
        let mut machine = context.machine();
        let done = script.steps.iter().all(|step| machine.step(step));
        let script = if done {
            script
        } else {
            Arc::new(Script::new().stderr("sh: a command failed\n").exit(1))
        };
        machine.processes.start(script, capture(arguments))
    };
    match start() {
        Ok(pid) => Ok(Value::Object(Object::of([("pid", pid.into())]))),
        Err(why) if context.settings.profile.since(8, 0) => Err(Failure::generic(why)),
        Err(why) => {
            let text = format!("Guest agent command failed, error was '{why}'");
            Err(Failure::generic(text))
        }
    }
}

/// Starts a program of the host, if the guest has its shell and no program of the test has that name.
#[cfg(unix)]
fn on_host(
    context: &Context<'_>,
    invocation: &Invocation,
    capture: Capture,
) -> Option<Result<i64, String>> {
    let mut machine = context.machine();
    let Machine {
        files, processes, ..
    } = &mut *machine;
    let (files, host) = (files.host.as_ref()?, processes.host.as_mut()?);
    if processes.programs.find(&invocation.path).is_some() {
        return None;
    }
    let place = |path: &str| files.place(path.as_bytes()).into();
    let started = host.start(invocation, capture, files.root(), place);
    Some(started.map_err(|error| {
        let (path, why) = (&invocation.path, words(&error));
        format!("Failed to execute child process \u{201C}{path}\u{201D} ({why})")
    }))
}

/// Finds out what a program does, if the guest has it.
fn script(context: &Context<'_>, invocation: &Invocation) -> Option<Arc<Script>> {
    let found = context.machine().processes.programs.find(&invocation.path);
    // A closure may use the agent, so no lock is held while it runs.
    match found {
        Some(behaviour) => Some(behaviour.script(invocation)),
        None => own(context, invocation).map(Into::into),
    }
}

/// Finds out what a program does that every guest has.
fn own(context: &Context<'_>, invocation: &Invocation) -> Option<Script> {
    let named = named(invocation, &mut context.machine());
    named.or_else(|| {
        builtin(invocation, &|path| {
            context.machine().files.content(path.as_bytes())
        })
    })
}

/// Lets a shell or an `env` become the program that it runs.
fn become_program(context: &Context<'_>, mut script: Arc<Script>) -> Arc<Script> {
    for _ in 0..BECOME_LIMIT {
        let Some(next) = &script.becomes else {
            break;
        };
        let name = &next.path;
        let not_found = || {
            let text = format!("sh: 1: exec: {name}: not found\n");
            Arc::new(Script::new().stderr(text).exit(127))
        };
        let program = self::script(context, next).unwrap_or_else(not_found);
        let before = Script::clone(&script);
        script = Arc::new(before.then(&program, false));
    }
    script
}

fn invocation(arguments: Arguments<'_>) -> Result<Invocation, Failure> {
    let texts = |values: Vec<&[u8]>| values.into_iter().map(text).collect();
    let stdin = arguments
        .text("input-data")
        .map(base64::decode)
        .transpose()?;
    Ok(Invocation {
        path: text(arguments.text("path").unwrap_or_default()),
        args: arguments.texts("arg").map(texts).unwrap_or_default(),
        env: arguments.texts("env").map(texts),
        stdin: stdin.unwrap_or_default(),
        current_dir: "/".into(),
    })
}

fn capture(arguments: Arguments<'_>) -> Capture {
    match (
        arguments.boolean("capture-output"),
        arguments.text("capture-output"),
    ) {
        (Some(true), _) | (_, Some(b"separated")) => Capture::Both,
        (_, Some(b"stdout")) => Capture::Out,
        (_, Some(b"stderr")) => Capture::Err,
        (_, Some(b"merged")) => Capture::Merged,
        _ => Capture::Nothing,
    }
}

fn cannot_execute(context: &Context<'_>, arguments: Arguments<'_>) -> String {
    let path = arguments.text("path").unwrap_or_default();
    let found = path.contains(&b'/') && context.machine().files.exists(path);
    let why = if found {
        "Permission denied"
    } else {
        "No such file or directory"
    };
    not_executed(arguments, why)
}

fn not_executed(arguments: Arguments<'_>, why: &str) -> String {
    let path = text(arguments.text("path").unwrap_or_default());
    format!("Failed to execute child process \u{201C}{path}\u{201D} ({why})")
}

/// Whether Linux refuses one of the texts that a program is started with, which all end with a NUL.
fn is_too_long(context: &Context<'_>, invocation: &Invocation) -> bool {
    const LIMIT: usize = 128 << 10;
    let env = invocation.env.iter().flatten();
    let mut texts = invocation.args.iter().chain(env);
    context.settings.profile.platform() == Platform::Linux && texts.any(|text| text.len() >= LIMIT)
}

fn status(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let profile = context.settings.profile;
    let pid = arguments.integer("pid").unwrap_or_default();
    let mut machine = context.machine();
    machine.pour();
    let status = machine.processes.status(pid);
    drop(machine);
    let (end, out, err) = match status {
        Some(Status::Ended { end, out, err }) => (end, out, err),
        Some(Status::Running) => {
            return Ok(Value::Object(Object::of([("exited", false.into())])));
        }
        // The agent's own format string is broken: it prints no number.
        None if profile.since(8, 0) => return Err(Failure::generic("PID ld does not exist")),
        None => return Err(Failure::generic("Invalid parameter 'pid'")),
    };
    let mut members = Object::of([("exited", true.into())]);
    match end {
        End::Exit(code) => members.put("exitcode", code.into()),
        End::Signal(number) => members.put("signal", number.into()),
        End::Never => {}
    }
    let streams = [
        ("out-data", "out-truncated", out),
        ("err-data", "err-truncated", err),
    ];
    for (data, flag, output) in streams {
        if output.bytes.is_empty() {
            continue;
        }
        let encoded = base64::encode(&output.bytes).into_bytes();
        members.put(data, Value::String(encoded));
        match (profile.hides_truncation(), output.truncated) {
            (false, truncated) => members.put(flag, truncated.into()),
            (true, true) => members.put(flag, false.into()),
            (true, false) => {}
        }
    }
    Ok(Value::Object(members))
}
