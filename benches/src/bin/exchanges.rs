//! Exchanges over a Unix socket, for counting what they take: `exchanges respond SOCKET` answers them, and
//! `exchanges KIND WORK SOCKET COUNT` does so many, one after the other, by one [kind](KINDS) of client. As a work,
//! `connect` is a ping on a connection of its own.

use std::env;
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use benches::responder::{content, respond};
use qga_commands::commands::agent::{Info, Ping};
use qga_commands::commands::file::{FileRead, FileWrite};
use qga_core::{Client, QgaCommand, blocking};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::time::timeout;

const KINDS: &str = "bare, bare-typed, bare-tokio, bare-timed, blocking, tokio";

/// What a read or a write moves, in bytes.
const CHUNK: usize = 48 * 1024;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["respond", socket] => respond(Path::new(socket)),
        [kind, work, socket, count] => {
            let count = count.parse().expect("a number");
            match work {
                "connect" => connect(kind, socket, count),
                "ping" => run(kind, Ping, socket, count),
                "info" => run(kind, Info, socket, count),
                "read" => run(kind, FileRead::new(1000).count(CHUNK as i64), socket, count),
                "write" => run(kind, FileWrite::new(1000, content(CHUNK)), socket, count),
                _ => panic!("one of connect, ping, info, read, write"),
            }
        }
        _ => panic!(
            "usage: exchanges respond SOCKET | KIND WORK SOCKET COUNT; the kinds are {KINDS}"
        ),
    }
}

fn run<C: QgaCommand + Clone>(
    kind: &str,
    command: C,
    socket: &str,
    count: u32,
) -> std::io::Result<()> {
    match kind {
        "bare" => bare(&request(&command), socket, count, |_| ()),
        "bare-typed" => bare(&request(&command), socket, count, |line| {
            black_box(serde_json::from_slice::<Reply<C::Response>>(line).expect("a reply"));
        }),
        "bare-tokio" => runtime().block_on(bare_tokio(&request(&command), socket, count, false)),
        "bare-timed" => runtime().block_on(bare_tokio(&request(&command), socket, count, true)),
        "blocking" => {
            let client = blocking::Client::connect(socket).expect("a client");
            for _ in 0..count {
                client.execute(&command).expect("a reply");
            }
            Ok(())
        }
        "tokio" => {
            runtime().block_on(async {
                let client = Client::connect(socket).await.expect("a client");
                for _ in 0..count {
                    client.execute(&command).await.expect("a reply");
                }
            });
            Ok(())
        }
        _ => panic!("one of {KINDS}"),
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

/// To connect, synchronize, send a ping and close, so many times.
fn connect(kind: &str, socket: &str, count: u32) -> std::io::Result<()> {
    let sync = b"\xFF{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":1234567890123456},\"id\":1234567890123456}\n";
    let requests = [sync.to_vec(), request(&Ping)];
    let mut buffer = [0; 4096];
    match kind {
        "bare" => {
            for _ in 0..count {
                let mut stream = UnixStream::connect(socket)?;
                for request in &requests {
                    stream.write_all(request)?;
                    assert!(stream.read(&mut buffer)? > 0);
                }
            }
        }
        "bare-tokio" => runtime().block_on(async {
            for _ in 0..count {
                let mut stream = tokio::net::UnixStream::connect(socket).await?;
                for request in &requests {
                    stream.write_all(request).await?;
                    assert!(stream.read(&mut buffer).await? > 0);
                }
            }
            std::io::Result::Ok(())
        })?,
        "blocking" => {
            for _ in 0..count {
                let client = blocking::Client::connect(socket).expect("a client");
                client.execute(Ping).expect("a reply");
            }
        }
        "tokio" => runtime().block_on(async {
            for _ in 0..count {
                let client = Client::connect(socket).await.expect("a client");
                client.execute(Ping).await.expect("a reply");
            }
        }),
        _ => panic!("one of {KINDS}"),
    }
    Ok(())
}

/// The request as a client writes it.
fn request<C: QgaCommand>(command: &C) -> Vec<u8> {
    let arguments = command
        .arguments()
        .map(|arguments| serde_json::to_string(&arguments).expect("arguments"));
    let arguments = arguments.map_or(String::new(), |arguments| {
        format!(",\"arguments\":{arguments}")
    });
    format!(
        "{{\"execute\":\"{}\"{arguments},\"id\":1234567890123456}}\n",
        C::NAME
    )
    .into_bytes()
}

/// A reply of which only what is returned counts.
#[derive(Deserialize)]
struct Reply<R> {
    #[serde(rename = "return")]
    #[allow(dead_code)]
    returned: R,
}

fn bare(request: &[u8], socket: &str, count: u32, read: impl Fn(&[u8])) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    let mut buffer = [0; 128 * 1024];
    for _ in 0..count {
        stream.write_all(request)?;
        let mut filled = 0;
        while filled == 0 || buffer[filled - 1] != b'\n' {
            filled += stream.read(&mut buffer[filled..])?;
        }
        read(&buffer[..filled]);
    }
    Ok(())
}

/// If it is timed, each exchange has a deadline.
async fn bare_tokio(
    request: &[u8],
    socket: &str,
    count: u32,
    is_timed: bool,
) -> std::io::Result<()> {
    let mut stream = tokio::net::UnixStream::connect(socket).await?;
    let mut buffer = [0; 128 * 1024];
    for _ in 0..count {
        let exchange = async {
            stream.write_all(request).await?;
            let mut filled = 0;
            while filled == 0 || buffer[filled - 1] != b'\n' {
                filled += stream.read(&mut buffer[filled..]).await?;
            }
            Ok(())
        };
        if is_timed {
            timeout(Duration::from_secs(30), exchange).await??;
        } else {
            let done: std::io::Result<()> = exchange.await;
            done?;
        }
    }
    Ok(())
}
