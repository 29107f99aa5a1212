//! Jobs, which go on after their command was answered.

use std::sync::Arc;

use super::told::add;
use serde_json::{Value, json};

use super::command::{Call, Command, Returned, done, look, with};
use super::job::{Job, Kind};
use super::shared::Shared;
use crate::commands::arguments::{Kind as Takes, optional, required};
use crate::lock::lock;
use crate::wire::reply::Failure;

pub(super) const COMMANDS: &[Command] = &[
    look("query-jobs", |call| {
        let blocks = lock(&call.shared.blocks);
        let tell = |job: &Job| {
            let mut told = json!({
                "id": job.id,
                "type": job.kind.name(),
                "status": job.status,
                "current-progress": progress(job, blocks.job_time),
                "total-progress": job.total,
            });
            if let Some(failure) = job.failure.as_ref().filter(|_| job.is_over()) {
                add(&mut told, "error", failure.as_str());
            }
            told
        };
        Ok(blocks.jobs.iter().map(tell).collect())
    }),
    with("job-dismiss", &[required("id", Takes::Text)], |call| {
        let id = id_of(call, "id")?;
        if !find(call.shared, &id).is_some_and(|job| job.is_over()) {
            let text =
                format!("Job '{id}' in state 'running' cannot accept command verb 'dismiss'");
            return Err(Failure::generic(text));
        }
        set_status(call.shared, &id, "null");
        done()
    }),
    with("job-cancel", &[required("id", Takes::Text)], |call| {
        cancel(call, "id")
    }),
    with(
        "block-job-cancel",
        &[
            required("device", Takes::Text),
            optional("force", Takes::Boolean),
        ],
        |call| cancel(call, "device"),
    ),
    with("job-complete", &[required("id", Takes::Text)], |call| {
        complete(call, "id")
    }),
    with(
        "block-job-complete",
        &[required("device", Takes::Text)],
        |call| complete(call, "device"),
    ),
];

/// How far a job is, by the time that it takes.
fn progress(job: &Job, takes: std::time::Duration) -> u64 {
    if job.is_over() || job.status == "ready" || takes.is_zero() {
        return job.total;
    }
    let part = job.begun.elapsed().as_secs_f64() / takes.as_secs_f64();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "it is about how much, and no more than all"
    )]
    let done = (part.min(1.0) * job.total as f64) as u64;
    done.min(job.total)
}

/// Begins a job, which goes on later.
pub(super) fn begin(shared: &Arc<Shared>, job: Job) {
    let (id, kind) = (job.id.clone(), job.kind);
    let takes = {
        let mut blocks = lock(&shared.blocks);
        blocks.jobs.push(job);
        blocks.job_time
    };
    tell(shared, &id, "created");
    set_status(shared, &id, "running");
    if kind == Kind::Backup {
        set_status(shared, &id, "paused");
        set_status(shared, &id, "running");
    }
    shared.later(takes, move |shared| go_on(shared, &id));
}

/// A job has done its work, or has failed to.
fn go_on(shared: &Arc<Shared>, id: &str) {
    let Some(job) = find(shared, id).filter(|job| job.status == "running") else {
        return;
    };
    if job.kind == Kind::Commit && job.failure.is_none() {
        set_status(shared, id, "ready");
        shared.emit("BLOCK_JOB_READY", block_job(&job));
    } else {
        conclude(shared, &job);
    }
}

fn conclude(shared: &Arc<Shared>, job: &Job) {
    if job.failure.is_some() {
        set_status(shared, &job.id, "aborting");
    } else {
        set_status(shared, &job.id, "waiting");
        set_status(shared, &job.id, "pending");
        put_together(shared, job);
    }
    if job.kind.is_block_job() {
        let mut told = block_job(job);
        if let Some(failure) = &job.failure {
            add(&mut told, "error", failure.as_str());
            add(&mut told, "offset", 0);
        }
        shared.emit("BLOCK_JOB_COMPLETED", told);
    }
    end(shared, job);
}

fn end(shared: &Arc<Shared>, job: &Job) {
    set_status(shared, &job.id, "concluded");
    if job.dismisses_itself {
        set_status(shared, &job.id, "null");
    }
}

/// After a commit, the disk is the file again that was below.
fn put_together(shared: &Shared, job: &Job) {
    let Some(top) = &job.top else { return };
    let mut blocks = lock(&shared.blocks);
    let below = blocks.nodes.remove(top).and_then(|node| node.backing);
    if let Some(below) = below {
        blocks.set_root(top, &below);
    }
}

fn block_job(job: &Job) -> Value {
    json!({
        "device": job.id,
        "type": job.kind.name(),
        "len": job.total,
        "offset": job.total,
        "speed": 0,
    })
}

fn cancel(call: &Call<'_>, parameter: &str) -> Returned {
    let id = id_of(call, parameter)?;
    let job = find(call.shared, &id).filter(|job| !job.is_over());
    let job = job.ok_or_else(|| not_found(&id))?;
    set_status(call.shared, &id, "aborting");
    if job.kind.is_block_job() {
        call.shared.emit("BLOCK_JOB_CANCELLED", block_job(&job));
    }
    end(call.shared, &job);
    done()
}

fn complete(call: &Call<'_>, parameter: &str) -> Returned {
    let id = id_of(call, parameter)?;
    let job = find(call.shared, &id).ok_or_else(|| not_found(&id))?;
    if job.status != "ready" {
        let status = job.status;
        let text = format!("Job '{id}' in state '{status}' cannot accept command verb 'complete'");
        return Err(Failure::generic(text));
    }
    call.shared.later(std::time::Duration::ZERO, move |shared| {
        if let Some(job) = find(shared, &id).filter(|job| job.status == "ready") {
            conclude(shared, &job);
        }
    });
    done()
}

fn id_of(call: &Call<'_>, parameter: &str) -> Result<String, Failure> {
    let id = call.text(parameter).unwrap_or_default();
    match find(call.shared, id) {
        Some(job) => Ok(job.id),
        None => Err(not_found(id)),
    }
}

fn not_found(id: &str) -> Failure {
    Failure::new("DeviceNotActive", format!("Job '{id}' not found"))
}

fn find(shared: &Shared, id: &str) -> Option<Job> {
    let blocks = lock(&shared.blocks);
    blocks.jobs.iter().find(|job| job.id == id).cloned()
}

/// A job that is null is gone.
fn set_status(shared: &Shared, id: &str, status: &'static str) {
    {
        let mut blocks = lock(&shared.blocks);
        if status == "null" {
            blocks.jobs.retain(|job| job.id != id);
        } else if let Some(job) = blocks.jobs.iter_mut().find(|job| job.id == id) {
            job.status = status;
        }
    }
    tell(shared, id, status);
}

fn tell(shared: &Shared, id: &str, status: &str) {
    shared.emit("JOB_STATUS_CHANGE", json!({"status": status, "id": id}));
}
