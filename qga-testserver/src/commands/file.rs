use super::arguments::{Arguments, Kind, Parameter, optional, required};
use super::{Command, Context, base64, nothing};
use crate::wire::json::{Object, Value};
use crate::wire::reply::Outcome;

const HANDLE: Parameter = required("handle", Kind::Integer);
const COUNT: Parameter = optional("count", Kind::Integer);

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "guest-file-open",
        parameters: &[required("path", Kind::Text), optional("mode", Kind::Text)],
        run: open,
    },
    Command {
        name: "guest-file-close",
        parameters: &[HANDLE],
        run: close,
    },
    Command {
        name: "guest-file-read",
        parameters: &[HANDLE, COUNT],
        run: read,
    },
    Command {
        name: "guest-file-write",
        parameters: &[HANDLE, required("buf-b64", Kind::Text), COUNT],
        run: write,
    },
    Command {
        name: "guest-file-seek",
        parameters: &[
            HANDLE,
            required("offset", Kind::Integer),
            required("whence", Kind::Whence),
        ],
        run: seek,
    },
    Command {
        name: "guest-file-flush",
        parameters: &[HANDLE],
        run: flush,
    },
];

fn open(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let path = arguments.text("path").unwrap_or_default();
    let mode = arguments.text("mode").unwrap_or(b"r");
    let platform = context.settings.profile.platform();
    let mut machine = context.machine();
    machine.files.open(path, mode, platform).map(Value::Int)
}

fn close(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    context
        .machine()
        .files
        .close(handle(arguments))
        .map(|()| nothing())
}

fn read(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut machine = context.machine();
    machine.pour();
    let chunk = machine
        .files
        .read(handle(arguments), arguments.integer("count"))?;
    Ok(Value::Object(Object::of([
        ("count", length(chunk.bytes.len())),
        (
            "buf-b64",
            Value::String(base64::encode(&chunk.bytes).into_bytes()),
        ),
        ("eof", chunk.eof.into()),
    ])))
}

fn write(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let data = || base64::decode(arguments.text("buf-b64").unwrap_or_default());
    let count = arguments.integer("count");
    let count = context
        .machine()
        .files
        .write(handle(arguments), data, count)?;
    Ok(Value::Object(Object::of([
        ("count", length(count)),
        ("eof", false.into()),
    ])))
}

fn seek(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let offset = arguments.integer("offset").unwrap_or_default();
    let whence = arguments.whence("whence").unwrap_or_default();
    let mut machine = context.machine();
    machine.pour();
    let position = machine.files.seek(handle(arguments), offset, whence)?;
    Ok(Value::Object(Object::of([
        ("position", position.into()),
        ("eof", false.into()),
    ])))
}

fn flush(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    context
        .machine()
        .files
        .flush(handle(arguments))
        .map(|()| nothing())
}

fn handle(arguments: Arguments<'_>) -> i64 {
    arguments.integer("handle").unwrap_or_default()
}

fn length(bytes: usize) -> Value {
    Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX))
}
