use super::arguments::{Arguments, Kind, optional};
use super::{Command, Context, look, value};
use crate::guest::facts::Filesystem;
use crate::wire::json::{Object, Value};

pub(super) const COMMANDS: &[Command] = &[
    look("guest-get-disks", |context, _| {
        Ok(value(&context.machine().facts().disks))
    }),
    look("guest-get-diskstats", |context, _| {
        Ok(disk_statistics(context))
    }),
    look("guest-get-fsinfo", |context, _| Ok(filesystems(context))),
    Command {
        name: "guest-fstrim",
        parameters: &[optional("minimum", Kind::Integer)],
        run: |context, arguments| Ok(trim(context, arguments)),
    },
];

fn filesystems(context: &Context<'_>) -> Value {
    let privileged = context.settings.profile.since(9, 1);
    let machine = context.machine();
    let filesystems = machine.facts().filesystems.iter();
    Value::Array(filesystems.map(|fs| filesystem(fs, privileged)).collect())
}

fn filesystem(filesystem: &Filesystem, privileged: bool) -> Value {
    let mut members = Object::of([
        ("name", filesystem.name.as_str().into()),
        ("mountpoint", filesystem.mountpoint.as_str().into()),
        ("type", filesystem.kind.as_str().into()),
        ("disk", value(&filesystem.disk)),
    ]);
    let total = filesystem.total_bytes_privileged.filter(|_| privileged);
    let sizes = [
        ("used-bytes", filesystem.used_bytes),
        ("total-bytes", filesystem.total_bytes),
        ("total-bytes-privileged", total),
    ];
    for (name, size) in sizes {
        if let Some(size) = size {
            members.put(name, value(&size));
        }
    }
    Value::Object(members)
}

/// A trim gives back all trimmable bytes, so a second one finds none.
fn trim(context: &Context<'_>, arguments: Arguments<'_>) -> Value {
    let minimum = arguments.integer("minimum").unwrap_or(0);
    let mut machine = context.machine();
    let filesystems = machine.facts_mut().filesystems.iter_mut();
    let paths = filesystems.map(|filesystem| trim_one(filesystem, minimum));
    let paths = Value::Array(paths.collect());
    Value::Object(Object::of([("paths", paths)]))
}

/// The result of a trim that has failed has neither of the two numbers.
fn trim_one(filesystem: &mut Filesystem, minimum: i64) -> Value {
    let mut members = Object::of([("path", filesystem.mountpoint.as_str().into())]);
    if let Some(error) = &filesystem.trim_error {
        members.put("error", error.as_str().into());
    } else if !filesystem.has_stretches_of(minimum) {
        members.put("error", "failed to trim: Invalid argument".into());
    } else {
        let trimmed = std::mem::take(&mut filesystem.trimmable_bytes);
        members.put("trimmed", trimmed.into());
        members.put("minimum", minimum.into());
    }
    Value::Object(members)
}

const COUNTERS: [&str; 17] = [
    "read-sectors",
    "read-ios",
    "read-merges",
    "write-sectors",
    "write-ios",
    "write-merges",
    "discard-sectors",
    "discard-ios",
    "discard-merges",
    "flush-ios",
    "read-ticks",
    "write-ticks",
    "discard-ticks",
    "flush-ticks",
    "ios-pgr",
    "total-ticks",
    "weight-ticks",
];

/// Each counter of each disk has a number of its own, which never changes.
fn disk_statistics(context: &Context<'_>) -> Value {
    let machine = context.machine();
    let disks = (0_i64..).zip(&machine.facts().disks).map(|(minor, disk)| {
        let mut counters = Object::default();
        for (number, name) in (1..).zip(COUNTERS) {
            counters.put(name, (1000 * (minor + 1) + number).into());
        }
        Value::Object(Object::of([
            ("name", disk.name.trim_start_matches("/dev/").into()),
            ("major", 254.into()),
            ("minor", minor.into()),
            ("stats", Value::Object(counters)),
        ]))
    });
    Value::Array(disks.collect())
}
