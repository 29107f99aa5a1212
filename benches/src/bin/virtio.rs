//! A file of 8 MiB over a virtio-serial port of a real guest, read and written by `Guest` and by a bare blocking socket,
//! in turn. The bare one has two reads under way, waits for each write as an agent behind a port demands it, and is tried
//! with chunks of several sizes. The machine needs root.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use base64_simd::STANDARD;
use benches::responder::content;
use qga_commands::Guest;
use qga_commands::guest::ready::Ready;
use qga_vm::{Image, Vm};
use serde_json::{Value, json};

const LENGTH: usize = 8 << 20;
const CHUNKS: [usize; 4] = [48 << 10, 256 << 10, 1 << 20, 4 << 20];
const ROUNDS: usize = 5;
const FILE: &str = "/var/bulk";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    Image::Busybox.build()?;
    let vm = Vm::of(Image::Busybox).start().await?;
    let address = vm.address();
    let socket = Path::new(address.trim_start_matches("unix:"));
    let guest = Guest::connect(&*address).await?;
    let ready = Ready::ping().timeout(Duration::from_secs(220));
    guest.wait_ready(&ready).await?;
    drop(guest);
    let bytes = content(LENGTH);
    let mut ours = [Duration::MAX; 2];
    let mut bare = [[Duration::MAX; 2]; CHUNKS.len()];
    for _ in 0..ROUNDS {
        let guest = Guest::connect(&*address).await?;
        time(&mut ours[0], guest.write(FILE, &bytes)).await?;
        let read = time(&mut ours[1], guest.read(FILE)).await?;
        assert_eq!(read, bytes);
        drop(guest);
        for (chunk, bare) in CHUNKS.into_iter().zip(&mut bare) {
            let mut raw = Raw::connect(socket)?;
            time(&mut bare[0], async { raw.write(&bytes, chunk) }).await?;
            let read = time(&mut bare[1], async { raw.read(chunk) }).await?;
            assert_eq!(read, bytes);
        }
    }
    let speed = |time: Duration| 8.0 / time.as_secs_f64();
    for (work, name) in ["write", "read"].into_iter().enumerate() {
        print!("{name:6} ours {:5.2} MiB/s; bare", speed(ours[work]));
        for (chunk, bare) in CHUNKS.iter().zip(&bare) {
            print!(" {:5.2} ({} KiB)", speed(bare[work]), chunk >> 10);
        }
        let best = bare.iter().map(|bare| bare[work]).min();
        let best = best.unwrap_or_default();
        println!(": {:.3}", best.as_secs_f64() / ours[work].as_secs_f64());
    }
    Ok(())
}

/// Does it, and keeps the shortest time.
async fn time<T, E>(best: &mut Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let start = Instant::now();
    let done = work.await;
    *best = start.elapsed().min(*best);
    done
}

/// A bare socket behind which an agent has been synchronized with.
struct Raw {
    stream: UnixStream,
    read: Vec<u8>,
    line: usize,
}

impl Raw {
    fn connect(socket: &Path) -> io::Result<Self> {
        let mut raw = Self {
            stream: UnixStream::connect(socket)?,
            read: Vec::new(),
            line: 0,
        };
        raw.stream.write_all(b"\xFF")?;
        raw.send("guest-sync-delimited", &json!({"id": 4711}))?;
        while !raw.line()?.ends_with(b"\xFF{\"return\": 4711}\n") {}
        Ok(raw)
    }

    fn send(&mut self, command: &str, arguments: &Value) -> io::Result<()> {
        let request = json!({"execute": command, "arguments": arguments});
        self.stream.write_all(format!("{request}\n").as_bytes())
    }

    fn line(&mut self) -> io::Result<&[u8]> {
        self.read.drain(..self.line);
        let mut seen = 0;
        loop {
            if let Some(place) = self.read[seen..].iter().position(|byte| *byte == b'\n') {
                self.line = seen + place + 1;
                return Ok(&self.read[..self.line]);
            }
            seen = self.read.len();
            self.read.resize(seen + (256 << 10), 0);
            let count = self.stream.read(&mut self.read[seen..])?;
            self.read.truncate(seen + count);
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn run(&mut self, command: &str, arguments: &Value) -> Outcome<Value> {
        self.send(command, arguments)?;
        let mut reply: Value = serde_json::from_slice(self.line()?)?;
        Ok(reply["return"].take())
    }

    fn open(&mut self, mode: &str) -> Outcome<Value> {
        self.run("guest-file-open", &json!({"path": FILE, "mode": mode}))
    }

    fn write(&mut self, bytes: &[u8], chunk: usize) -> Outcome<()> {
        let handle = self.open("w")?;
        for chunk in bytes.chunks(chunk) {
            let content = STANDARD.encode_to_string(chunk);
            let arguments = json!({"handle": handle, "buf-b64": content});
            let written = self.run("guest-file-write", &arguments)?;
            assert_eq!(written["count"], chunk.len());
        }
        self.run("guest-file-close", &json!({"handle": handle}))?;
        Ok(())
    }

    fn read(&mut self, chunk: usize) -> Outcome<Vec<u8>> {
        let handle = self.open("r")?;
        let arguments = json!({"handle": handle, "count": chunk});
        let mut bytes = Vec::with_capacity(LENGTH);
        self.send("guest-file-read", &arguments)?;
        loop {
            // One is always under way while another one is decoded.
            self.send("guest-file-read", &arguments)?;
            let line = self.line()?;
            let start = MEMBER.len() + find(line, MEMBER);
            let encoded = &line[start..start + find(&line[start..], b"\"")];
            let before = bytes.len();
            STANDARD.decode_append(encoded, &mut bytes)?;
            if bytes.len() == before || line.ends_with(b"\"eof\": true}}\n") {
                break;
            }
        }
        self.line()?;
        self.run("guest-file-close", &json!({"handle": handle}))?;
        Ok(bytes)
    }
}

const MEMBER: &[u8] = b"\"buf-b64\": \"";

/// Where a part of a text begins, or its length.
fn find(text: &[u8], part: &[u8]) -> usize {
    let place = text.windows(part.len()).position(|found| found == part);
    place.unwrap_or(text.len())
}
