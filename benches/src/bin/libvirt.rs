//! What a command costs through libvirt's daemon: with this library, with the same packets over the daemon's bare socket,
//! and with `virsh`, in turn, on a daemon and a guest of its own. It needs root, as all real machines do.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --bin libvirt -- [ROUNDS] [PROGRAM]`: the program, if there is
//! one, is another contender. It is run with the daemon's socket, the domain and a number, sends so many pings to the
//! agent, and prints the seconds that they took.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use qga_core::{Client, QgaCommand};
use qga_vm::{Domain, LibvirtHost};

#[derive(Clone, Copy, QgaCommand)]
#[qga(name = "guest-ping")]
struct Ping;

const REQUEST: &str = r#"{"execute":"guest-ping","id":1234567890123456}"#;

/// Pings in a round. `virsh` is given few, since each takes a process.
const PINGS: u32 = 100;
const VIRSH_PINGS: u32 = 5;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(Ok(20), |text| text.parse())?;
    let program = arguments.next();
    let host = Arc::new(LibvirtHost::start().await?);
    let domain = host.domain("guest").start().await?;
    let client = Client::builder()
        .scheme_messages("libvirt", qga_libvirt::open)
        .connect(domain.address())
        .await?;
    let mut bare = Bare::connect(&domain)?;
    let mut times = [(); 4].map(|()| Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        for _ in 0..PINGS {
            client.execute(Ping).await?;
        }
        times[0].push(begun.elapsed().as_secs_f64() / f64::from(PINGS));
        let begun = Instant::now();
        for _ in 0..PINGS {
            bare.ping()?;
        }
        times[1].push(begun.elapsed().as_secs_f64() / f64::from(PINGS));
        let begun = Instant::now();
        for _ in 0..VIRSH_PINGS {
            domain.ask_by_virsh(REQUEST).await?;
        }
        times[2].push(begun.elapsed().as_secs_f64() / f64::from(VIRSH_PINGS));
        if let Some(program) = &program {
            times[3].push(other(program, &domain)? / f64::from(PINGS));
        }
    }
    report(&times);
    Ok(())
}

fn report(times: &[Vec<f64>; 4]) {
    let [client, others @ ..] = times;
    println!("client: {:.3} ms", median(client.clone()) * 1e3);
    for (name, other) in ["bare socket", "virsh", "program"].iter().zip(others) {
        if !other.is_empty() {
            let ratios = client.iter().zip(other).map(|(ours, other)| ours / other);
            println!(
                "{name}: {:.3} ms; client / {name} = {:.3}",
                median(other.clone()) * 1e3,
                median(ratios.collect())
            );
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn other(program: &str, domain: &Domain) -> Result<f64, Failure> {
    let output = Command::new(program)
        .arg(domain.host().socket())
        .args([domain.name(), &PINGS.to_string()])
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// No more than the packets.
struct Bare {
    stream: UnixStream,
    domain: Vec<u8>,
    serial: u32,
}

const REMOTE: u32 = 0x2000_8086;
const QEMU: u32 = 0x2000_8087;

impl Bare {
    fn connect(domain: &Domain) -> Result<Self, Failure> {
        let mut bare = Self {
            stream: UnixStream::connect(domain.host().socket())?,
            domain: Vec::new(),
            serial: 0,
        };
        bare.call(REMOTE, 66, &[])?;
        let uri = [&1_u32.to_be_bytes()[..], &string("qemu:///system"), &[0; 4]].concat();
        bare.call(REMOTE, 1, &uri)?;
        bare.domain = bare.call(REMOTE, 23, &string(domain.name()))?;
        Ok(bare)
    }

    fn ping(&mut self) -> Result<(), Failure> {
        let (timeout, flags) = (10_u32.to_be_bytes(), 0_u32.to_be_bytes());
        let arguments = [&self.domain[..], &string(REQUEST), &timeout, &flags].concat();
        let reply = self.call(QEMU, 3, &arguments)?;
        let is_answer = reply.windows(6).any(|part| part == b"return");
        is_answer.then_some(()).ok_or_else(|| "no answer".into())
    }

    fn call(&mut self, program: u32, procedure: u32, arguments: &[u8]) -> Result<Vec<u8>, Failure> {
        self.serial += 1;
        let length = u32::try_from(28 + arguments.len())?;
        let words = [length, program, 1, procedure, 0, self.serial, 0];
        let header = words.map(u32::to_be_bytes).concat();
        self.stream.write_all(&[&header[..], arguments].concat())?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut reply = vec![0; usize::try_from(u32::from_be_bytes(length))? - 4];
        self.stream.read_exact(&mut reply)?;
        match reply[20..24] {
            [0, 0, 0, 0] => Ok(reply.split_off(24)),
            _ => Err(format!("procedure {procedure} has failed").into()),
        }
    }
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
