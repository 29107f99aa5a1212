//! Pings over a Unix socket, for counting instructions: `pings respond SOCKET` answers them, and
//! `pings bare|bare-tokio|tokio|blocking SOCKET COUNT` sends so many, one after the other.

use std::env;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use qga_core::{Client, QgaCommand};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[derive(Clone, Copy, QgaCommand)]
#[qga(name = "guest-ping")]
struct Ping;

const REQUEST: &[u8] = b"{\"execute\":\"guest-ping\",\"id\":1234567890123456}\n";

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    };
    match arguments[1..] {
        ["respond", socket] => respond(socket),
        ["bare", socket, count] => bare(socket, number(count)),
        ["bare-tokio", socket, count] => runtime().block_on(bare_tokio(socket, number(count))),
        ["tokio", socket, count] => runtime().block_on(tokio(socket, number(count))),
        ["blocking", socket, count] => blocking(socket, number(count)),
        _ => panic!("usage: pings respond SOCKET | KIND SOCKET COUNT"),
    }
}

fn number(text: &str) -> u32 {
    text.parse().expect("a number")
}

fn respond(socket: &str) -> std::io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut buffer = [0; 4096];
        loop {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&buffer[..count]);
            let after = |key: &str| {
                let rest = &text[text.rfind(key).expect("an id") + key.len()..];
                let end = rest
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(rest.len());
                rest[..end].to_owned()
            };
            let id = after("\"id\":");
            let reply = if text.contains("guest-sync-delimited") {
                [
                    b"\xFF".as_slice(),
                    format!("{{\"return\": {id}, \"id\": {id}}}\n").as_bytes(),
                ]
                .concat()
            } else {
                format!("{{\"return\": {{}}, \"id\": {id}}}\n").into_bytes()
            };
            stream.write_all(&reply)?;
        }
    }
    Ok(())
}

fn bare(socket: &str, count: u32) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    let mut buffer = [0; 4096];
    for _ in 0..count {
        stream.write_all(REQUEST)?;
        while stream.read(&mut buffer)? == 0 {}
    }
    Ok(())
}

async fn bare_tokio(socket: &str, count: u32) -> std::io::Result<()> {
    let mut stream = tokio::net::UnixStream::connect(socket).await?;
    let mut buffer = [0; 4096];
    for _ in 0..count {
        stream.write_all(REQUEST).await?;
        while stream.read(&mut buffer).await? == 0 {}
    }
    Ok(())
}

async fn tokio(socket: &str, count: u32) -> std::io::Result<()> {
    let client = Client::connect(socket).await.expect("a client");
    for _ in 0..count {
        client.execute(Ping).await.expect("a reply");
    }
    Ok(())
}

fn blocking(socket: &str, count: u32) -> std::io::Result<()> {
    let client = qga_core::blocking::Client::connect(socket).expect("a client");
    for _ in 0..count {
        client.execute(Ping).expect("a reply");
    }
    Ok(())
}
