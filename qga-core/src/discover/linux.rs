//! All sources together.

use super::host::Host;
use super::process::{Running, is_gone};
use super::report::Report;
use super::roots::Roots;
use super::unseen::Unseen;
use super::{Discovered, folders, holders, microvm, qemu};

pub(super) fn discover(roots: &Roots) -> Discovered {
    let mut host = Host::new(&roots.proc);
    let mut report = Report::default();
    look_at_processes(&mut host, &mut report);
    folders::look(&roots.places, &mut host, &mut report);
    holders::look(&mut host, &mut report);
    report.finish()
}

fn look_at_processes(host: &mut Host<'_>, report: &mut Report) {
    let pids = match host.pids() {
        Ok(pids) => pids,
        Err(error) => {
            let what = format!("processes in {}", host.proc().display());
            return report.unseen(Unseen::failed(what, &error));
        }
    };
    for pid in pids {
        match Running::read(host.proc(), pid) {
            Ok(Some(process)) => look_at_process(&process, host, report),
            Ok(None) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => {
                let what = format!("the command line of process {pid}");
                report.unseen(Unseen::failed(what, &error));
            }
        }
    }
    host.look_for_hidden_processes(report);
}

fn look_at_process(process: &Running, host: &mut Host<'_>, report: &mut Report) {
    if qemu::is_qemu(process.program()) {
        qemu::look(process, host, report);
    } else if let Some(kind) = microvm::Kind::of(process.program()) {
        kind.look(process, host, report);
    } else {
        return;
    }
    if !process.is_whole {
        let what = format!("the end of the command line of {}", process.process());
        report.unseen(Unseen::new(what, "it is longer than 1 MiB"));
    }
}
