use super::arguments::{Arguments, Kind, Parameter, optional, required};
use super::{Command, Context, look, value};
use crate::Profile;
use crate::guest::facts::{MemoryBlock, Vcpu};
use crate::wire::json::{Object, Value};
use crate::wire::reply::{Failure, Outcome};

const VCPU: &[Parameter] = &[
    required("logical-id", Kind::Integer),
    required("online", Kind::Boolean),
    optional("can-offline", Kind::Boolean),
];
const MEMORY_BLOCK: &[Parameter] = &[
    required("phys-index", Kind::Unsigned),
    required("online", Kind::Boolean),
    optional("can-offline", Kind::Boolean),
];

pub(super) const COMMANDS: &[Command] = &[
    look("guest-get-vcpus", |context, _| {
        Ok(value(&context.machine().facts().vcpus))
    }),
    Command {
        name: "guest-set-vcpus",
        parameters: &[required("vcpus", Kind::Objects(VCPU))],
        run: set_vcpus,
    },
    look("guest-get-cpustats", |context, _| {
        let machine = context.machine();
        let vcpus = machine.facts().vcpus.iter();
        Ok(Value::Array(vcpus.map(cpu_statistics).collect()))
    }),
    look("guest-get-memory-blocks", |context, _| {
        Ok(value(&context.machine().facts().memory_blocks))
    }),
    look("guest-get-memory-block-info", |context, _| {
        let size = value(&context.machine().facts().memory_block_size);
        Ok(Value::Object(Object::of([("size", size)])))
    }),
    Command {
        name: "guest-set-memory-blocks",
        parameters: &[required("mem-blks", Kind::Objects(MEMORY_BLOCK))],
        run: |context, arguments| Ok(set_memory_blocks(context, arguments)),
    },
];

/// Returns how many changes were made. The command fails only if the first one fails.
fn set_vcpus(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let profile = context.settings.profile;
    let mut machine = context.machine();
    let vcpus = &mut machine.facts_mut().vcpus;
    let mut done = 0;
    for wanted in arguments.objects("vcpus") {
        match set_vcpu(vcpus, wanted, profile) {
            Ok(()) => done += 1,
            Err(failure) if done == 0 => return Err(failure),
            Err(_) => break,
        }
    }
    Ok(done.into())
}

fn set_vcpu(vcpus: &mut [Vcpu], wanted: Arguments<'_>, profile: Profile) -> Result<(), Failure> {
    let id = wanted.integer("logical-id").unwrap_or_default();
    let online = wanted.boolean("online").unwrap_or_default();
    let Some(vcpu) = vcpus.iter_mut().find(|vcpu| vcpu.logical_id == id) else {
        let folder = format!("/sys/devices/system/cpu/cpu{id}/");
        let text = if profile.since(11, 0) {
            format!("Could not open '{folder}': No such file or directory")
        } else {
            format!("open(\"{folder}\"): No such file or directory")
        };
        return Err(Failure::generic(text));
    };
    if !online && vcpu.can_offline != Some(true) {
        let text = format!("logical processor #{id} can't be offlined");
        return Err(Failure::generic(text));
    }
    vcpu.online = online;
    Ok(())
}

fn set_memory_blocks(context: &Context<'_>, arguments: Arguments<'_>) -> Value {
    let mut machine = context.machine();
    let blocks = &mut machine.facts_mut().memory_blocks;
    let wanted = arguments.objects("mem-blks").into_iter();
    let responses = wanted.map(|wanted| set_memory_block(blocks, wanted));
    Value::Array(responses.collect())
}

fn set_memory_block(blocks: &mut [MemoryBlock], wanted: Arguments<'_>) -> Value {
    /// The C library's number for an invalid argument.
    const INVALID: i64 = 22;
    let index = wanted.unsigned("phys-index").unwrap_or_default();
    let online = wanted.boolean("online").unwrap_or_default();
    let block = blocks.iter_mut().find(|block| block.phys_index == index);
    let response = match block {
        None => "not-found",
        Some(block) if online || block.can_offline == Some(true) => {
            block.online = online;
            "success"
        }
        Some(_) => "operation-failed",
    };
    let mut members = Object::of([("phys-index", value(&index)), ("response", response.into())]);
    if response == "operation-failed" {
        members.put("error-code", INVALID.into());
    }
    Value::Object(members)
}

/// Each counter of each processor has a number of its own, which never changes.
fn cpu_statistics(vcpu: &Vcpu) -> Value {
    const COUNTERS: [&str; 10] = [
        "user",
        "nice",
        "system",
        "idle",
        "iowait",
        "irq",
        "softirq",
        "steal",
        "guest",
        "guestnice",
    ];
    let mut members = Object::of([("type", "linux".into()), ("cpu", vcpu.logical_id.into())]);
    for (number, name) in (1..).zip(COUNTERS) {
        members.put(name, (1000 * (vcpu.logical_id + 1) + number).into());
    }
    Value::Object(members)
}
