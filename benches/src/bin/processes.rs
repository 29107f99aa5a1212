//! What `qga` costs as a whole process, from its start to its end, beside the least that does the same:
//!
//! - `processes QGA`: `qga ping` beside a program that connects, synchronizes, pings and ends, and `qga --version`
//!   beside `true`;
//! - `processes QGA libvirt`: `qga ping libvirt:NAME` beside `virsh qemu-agent-command`, on a libvirt daemon and a guest
//!   of its own. That needs root, as all real machines do.
//!
//! `QGA` is the program, built by `cargo build --release --package qga-cli`.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;

use benches::responder::Responder;
use benches::rounds::{Contender, compare};
use qga_vm::LibvirtHost;

const ROUNDS: usize = 21;
/// Processes in a round.
const PROCESSES: u32 = 20;
const VIRSH_ROUNDS: usize = 11;
const VIRSH_PROCESSES: u32 = 4;

const SYNC: &[u8] =
    b"\xFF{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":123456},\"id\":123456}\n";
const PING: &[u8] = b"{\"execute\":\"guest-ping\",\"id\":1234567890123456}\n";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["least", socket] => Ok(least(socket)?),
        ["inside", qga, domain] => {
            inside(qga, domain);
            Ok(())
        }
        [qga] => here(qga),
        [qga, "libvirt"] => over_libvirt(qga),
        _ => Err("usage: processes QGA [libvirt]".into()),
    }
}

/// The least that pings.
fn least(socket: &str) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    let mut buffer = [0; 4096];
    for request in [SYNC, PING] {
        stream.write_all(request)?;
        let mut last = 0;
        while last != b'\n' {
            let count = stream.read(&mut buffer)?;
            last = *buffer[..count].last().ok_or(io::ErrorKind::UnexpectedEof)?;
        }
    }
    Ok(())
}

fn here(qga: &str) -> Result<(), Failure> {
    let responder = Responder::start()?;
    let (address, socket) = (responder.address(), responder.socket());
    let own = std::env::current_exe()?;
    let mut ping = command(qga, &["ping", &address]);
    let mut least = Command::new(own);
    least.arg("least").arg(socket);
    print(
        "qga ping",
        ("the least", &mut least),
        &mut ping,
        (ROUNDS, PROCESSES),
    );
    let mut version = command(qga, &["--version"]);
    let mut nothing = command("true", &[]);
    print(
        "qga --version",
        ("true", &mut nothing),
        &mut version,
        (ROUNDS, PROCESSES),
    );
    Ok(())
}

fn over_libvirt(qga: &str) -> Result<(), Failure> {
    let qga = std::path::absolute(qga)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let host = Arc::new(runtime.block_on(LibvirtHost::start())?);
    let domain = runtime.block_on(host.domain("guest").start())?;
    // Both are started there, where this program goes once, so that the way there is in neither's time.
    let mut inside = host.command(std::env::current_exe()?);
    let ended = inside.arg("inside").arg(qga).arg(domain.name()).status()?;
    ended
        .success()
        .then_some(())
        .ok_or_else(|| ended.to_string().into())
}

fn inside(qga: &str, domain: &str) {
    let mut ping = command(qga, &["ping", &format!("libvirt:{domain}")]);
    let request = r#"{"execute":"guest-ping"}"#;
    let mut virsh = command("virsh", &["qemu-agent-command", domain, request]);
    let rounds = (VIRSH_ROUNDS, VIRSH_PROCESSES);
    print("qga ping", ("virsh", &mut virsh), &mut ping, rounds);
}

fn command(program: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words);
    command
}

/// Runs both in turn, and prints the ratio.
fn print(
    name: &'static str,
    least: (&'static str, &mut Command),
    ours: &mut Command,
    (rounds, processes): (usize, u32),
) {
    let (least_name, least) = least;
    let mut contenders = [
        Contender::new(least_name, |count| run(least, count)),
        Contender::new(name, |count| run(ours, count)),
    ];
    let ratios = compare(&mut contenders, rounds, processes);
    let ([_, ratio, _], times) = (ratios[1].quartiles, [ratios[1].time, ratios[0].time]);
    println!(
        "{name} / {least_name} = {ratio:.3} ({:.2?} / {:.2?})",
        times[0], times[1]
    );
}

fn run(command: &mut Command, count: u32) {
    for _ in 0..count {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        assert!(command.status().expect("a process").success());
    }
}
