//! The least that answers like an agent: a thread for each connection, replies that are made ahead, and no JSON.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

/// A socket behind which every command is answered at once.
pub struct Responder {
    folder: TempDir,
}

impl Responder {
    /// Starts it, in threads of this process.
    ///
    /// # Errors
    ///
    /// When there is no place for a socket.
    pub fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join("socket"))?;
        thread::spawn(move || serve(&listener));
        Ok(Self { folder })
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// The socket as an address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }
}

/// Answers at this socket until the process ends.
///
/// # Errors
///
/// When the socket cannot be made.
pub fn respond(socket: &Path) -> io::Result<()> {
    serve(&UnixListener::bind(socket)?);
    Ok(())
}

fn serve(listener: &UnixListener) {
    for stream in listener.incoming().flatten() {
        let thread = thread::Builder::new().stack_size(128 * 1024);
        let _ = thread.spawn(move || answer(stream));
    }
}

/// The bytes of a file that a read of so many gets.
#[must_use]
pub fn content(length: usize) -> Vec<u8> {
    let words = (0_u64..).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    words.flatten().take(length).collect()
}

/// What `guest-info` returns here.
#[must_use]
pub fn info() -> String {
    let commands: Vec<String> = (0..43)
        .map(|n| {
            format!("{{\"enabled\": true, \"name\": \"guest-some-command-{n}\", \"success-response\": true}}")
        })
        .collect();
    let commands = commands.join(", ");
    format!("{{\"version\": \"10.0.2\", \"supported_commands\": [{commands}]}}")
}

/// Reads requests, each of which is a line. A long one is waited for before the next comes.
fn answer(mut stream: UnixStream) -> Option<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut replies: HashMap<String, Vec<u8>> = HashMap::new();
    let (mut head, mut tail, mut length) = (Vec::new(), Vec::new(), 0);
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        let bytes = &buffer[..count];
        if head.is_empty() && bytes.trim_ascii().is_empty() {
            continue; // The newline of a request that has been answered.
        }
        if head.is_empty() && count < 8192 && bytes.ends_with(b"\n") {
            for line in bytes.trim_ascii().split_inclusive(|byte| *byte == b'\n') {
                reply(&mut stream, line, line, line.len(), &mut replies)?;
            }
            continue;
        }
        if head.len() < 256 {
            head.extend_from_slice(&bytes[..count.min(256)]);
        }
        tail.extend_from_slice(&bytes[count.saturating_sub(64)..]);
        tail.drain(..tail.len().saturating_sub(64));
        length += count;
        // What ends in the middle of a line is no request yet; one without a newline ends by its last brace.
        let whole = bytes.ends_with(b"\n") || (length < 256 && is_balanced(&head));
        if !whole {
            continue;
        }
        reply(&mut stream, &head, &tail, length, &mut replies)?;
        head.clear();
        tail.clear();
        length = 0;
    }
}

fn is_balanced(text: &[u8]) -> bool {
    let count = |brace| text.iter().filter(|byte| **byte == brace).count();
    count(b'{') > 0 && count(b'{') == count(b'}')
}

fn reply(
    stream: &mut UnixStream,
    head: &[u8],
    tail: &[u8],
    length: usize,
    replies: &mut HashMap<String, Vec<u8>>,
) -> Option<()> {
    let (head, tail) = (String::from_utf8_lossy(head), String::from_utf8_lossy(tail));
    let id = member(&tail, "\"id\":").or_else(|| member(&head, "\"id\":"));
    if head.contains("guest-sync") {
        let id = member(&head, "\"id\":")?;
        let sentinel: &[u8] = if head.contains("delimited") {
            b"\xFF"
        } else {
            b""
        };
        let echoed = member(&tail, "\"id\":").filter(|_| head.matches("\"id\"").count() > 1);
        let end = echoed.map_or(String::new(), |id| format!(", \"id\": {id}"));
        let line = format!("{{\"return\": {id}{end}}}\n");
        return stream.write_all(&[sentinel, line.as_bytes()].concat()).ok();
    }
    let end = id.map_or("}\n".into(), |id| format!(", \"id\": {id}}}\n"));
    if head.contains("guest-file-write") {
        let line = format!(
            "{{\"return\": {{\"count\": {}, \"eof\": false}}{end}",
            written(&head, length)
        );
        return stream.write_all(line.as_bytes()).ok();
    }
    let key = member(&head, "\"count\":").unwrap_or_else(|| name(&head));
    let reply = replies
        .entry(key)
        .or_insert_with_key(|key| first_part(&head, key));
    let kept = reply.len();
    reply.extend_from_slice(end.as_bytes());
    let written = stream.write_all(reply);
    reply.truncate(kept);
    written.ok()
}

/// How many bytes a write brought: the base64 is all but what surrounds it.
fn written(head: &str, length: usize) -> usize {
    let start = head.find("\"buf-b64\":").map_or(0, |at| at + 11);
    // For a round number of bytes, so that what stands behind does not count.
    let encoded = length.saturating_sub(start);
    let chunk = if encoded < 1 << 17 { 48 << 10 } else { 1 << 20 };
    chunk.min(encoded / 4 * 3)
}

fn name(head: &str) -> String {
    let start = head.find("guest-").unwrap_or(0);
    let name = head[start..].split('"').next();
    name.unwrap_or_default().to_owned()
}

/// The reply up to its id.
fn first_part(head: &str, key: &str) -> Vec<u8> {
    if head.contains("guest-file-read") {
        let count = key.parse().unwrap_or(0);
        let encoded = base64_simd::STANDARD.encode_to_string(content(count));
        let text = format!(
            "{{\"return\": {{\"count\": {count}, \"buf-b64\": \"{encoded}\", \"eof\": false}}"
        );
        return text.into_bytes();
    }
    match key {
        "guest-info" => format!("{{\"return\": {}", info()).into_bytes(),
        _ => b"{\"return\": {}".to_vec(),
    }
}

/// The value of a member, as it is spelt.
fn member(text: &str, name: &str) -> Option<String> {
    let rest = text[text.rfind(name)? + name.len()..].trim_start();
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    Some(rest[..end].trim_end().to_owned())
}
