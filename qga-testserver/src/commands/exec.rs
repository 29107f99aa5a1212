use super::{Command, Context, base64};
use crate::arguments::{Arguments, Kind, optional, required};
use crate::json::{Object, Value, text};
use crate::processes::{Capture, End, Invocation, Status, builtin};
use crate::reply::{Failure, Outcome};

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
        let found = context.machine().processes.programs.find(&invocation.path);
        // A closure may use the agent, so no lock is held while it runs.
        let script = match found {
            Some(behaviour) => behaviour.script(&invocation),
            None => builtin(&invocation, &|path| {
                context.machine().files.content(path.as_bytes())
            })
            .map(Into::into)
            .ok_or_else(|| cannot_execute(context, arguments))?,
        };
        context
            .machine()
            .processes
            .start(script, capture(arguments))
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
    let path = text(path);
    format!("Failed to execute child process \u{201C}{path}\u{201D} ({why})")
}

fn status(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let profile = context.settings.profile;
    let pid = arguments.integer("pid").unwrap_or_default();
    let status = context.machine().processes.status(pid);
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
