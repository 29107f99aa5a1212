//! What the clients cost beside a bare blocking socket that exchanges the same bytes: `rows [ROW...]` prints, for each row,
//! the ratio of each contender with its spread. All contenders of a row take turns in this one process.

mod peer;

use std::env;
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;

use base64_simd::STANDARD;
use benches::responder::{Responder, content};
use benches::rounds::{Contender, Ratio, compare};
use qapi::qga;
use qga_commands::commands::agent::{Info, Ping};
use qga_commands::commands::file::{FileRead, FileWrite};
use qga_core::{Client, QgaCommand, blocking};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 21;

/// What is done in a row, and how often in a round.
const ROWS: [(&str, u32); 7] = [
    ("ping", 2000),
    ("info", 500),
    ("connect", 300),
    ("read-48k", 200),
    ("read-1m", 20),
    ("write-48k", 200),
    ("write-1m", 20),
];

fn main() -> std::io::Result<()> {
    let wanted: Vec<String> = env::args().skip(1).collect();
    let responder = Responder::start()?;
    for (row, exchanges) in ROWS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == row) {
            print(row, &measure(row, exchanges, &responder)?);
        }
    }
    Ok(())
}

fn print(row: &str, ratios: &[Ratio]) {
    for Ratio {
        name,
        quartiles: [low, median, high],
        time,
    } in ratios
    {
        let micros = time.as_secs_f64() * 1e6;
        println!("{row:<10} {name:<16} {median:6.3} ({low:.3} to {high:.3}) {micros:.2} us");
    }
}

fn measure(row: &str, exchanges: u32, responder: &Responder) -> std::io::Result<Vec<Ratio>> {
    let socket = responder.socket();
    let one = Builder::new_current_thread().enable_all().build()?;
    let two = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let runtimes = [&one, &two];
    let (ours, peers) = match row {
        "ping" => {
            let request = bare_request("guest-ping", "");
            let peers = peer::exchange(qga::guest_ping {}, &socket, runtimes)?;
            (exchange(Ping, request, 0, &socket, runtimes)?, peers)
        }
        "info" => {
            let request = bare_request("guest-info", "");
            let peers = peer::exchange(qga::guest_info {}, &socket, runtimes)?;
            (exchange(Info, request, 0, &socket, runtimes)?, peers)
        }
        "connect" => (
            connects(&socket, runtimes),
            peer::connects(&socket, runtimes),
        ),
        "read-48k" => reads(48 << 10, &socket, runtimes)?,
        "read-1m" => reads(1 << 20, &socket, runtimes)?,
        "write-48k" => writes(48 << 10, &socket, runtimes)?,
        _ => writes(1 << 20, &socket, runtimes)?,
    };
    let mut contenders: Vec<_> = ours.into_iter().chain(peers).collect();
    Ok(compare(&mut contenders, ROUNDS, exchanges))
}

/// What is bare or ours, and what is a peer's.
type Pair<'a> = (Vec<Contender<'a>>, Vec<Contender<'a>>);

/// A request as the clients write it.
fn bare_request(name: &str, arguments: &str) -> Vec<u8> {
    let arguments = match arguments {
        "" => String::new(),
        arguments => format!(",\"arguments\":{{{arguments}}}"),
    };
    format!("{{\"execute\":\"{name}\"{arguments},\"id\":1234567890123456}}\n").into_bytes()
}

fn reads<'a>(bytes: usize, socket: &Path, runtimes: [&'a Runtime; 2]) -> std::io::Result<Pair<'a>> {
    let request = bare_request(
        "guest-file-read",
        &format!("\"handle\":1000,\"count\":{bytes}"),
    );
    let count = i64::try_from(bytes).expect("a length");
    let read = FileRead::new(1000).count(count);
    let peers = qga::guest_file_read {
        handle: 1000,
        count: Some(count),
    };
    Ok((
        exchange(read, request, bytes, socket, runtimes)?,
        peer::exchange(peers, socket, runtimes)?,
    ))
}

fn writes<'a>(
    bytes: usize,
    socket: &Path,
    runtimes: [&'a Runtime; 2],
) -> std::io::Result<Pair<'a>> {
    let encoded = STANDARD.encode_to_string(content(bytes));
    let request = bare_request(
        "guest-file-write",
        &format!("\"handle\":1000,\"buf-b64\":\"{encoded}\""),
    );
    let write = FileWrite::new(1000, content(bytes));
    let peers = qga::guest_file_write {
        handle: 1000,
        buf_b64: content(bytes),
        count: None,
    };
    Ok((
        exchange(write, request, 0, socket, runtimes)?,
        peer::exchange(peers, socket, runtimes)?,
    ))
}

/// The same exchange by bare sockets and by the clients. Of a reply that brings a file, so many bytes are decoded.
fn exchange<'a, C>(
    command: C,
    request: Vec<u8>,
    decoded: usize,
    socket: &Path,
    [one, two]: [&'a Runtime; 2],
) -> std::io::Result<Vec<Contender<'a>>>
where
    C: QgaCommand + Clone + Send + Sync + 'static,
{
    let mut bare = StdStream::connect(socket)?;
    let (mut buffer, mut file) = (vec![0; 4 << 20], Vec::with_capacity(decoded));
    let bytes = request.clone();
    let mut bare_async = one.block_on(UnixStream::connect(socket))?;
    let mut buffer_async = vec![0; 4 << 20];
    let mut file_async = Vec::with_capacity(decoded);
    let blocking = blocking::Client::connect(socket).expect("a client");
    let client = one.block_on(Client::connect(socket)).expect("a client");
    let client_of_two = two.block_on(Client::connect(socket)).expect("a client");
    let (by_blocking, by_one) = (command.clone(), command.clone());
    Ok(vec![
        Contender::new("bare blocking", move |count| {
            for _ in 0..count {
                bare.write_all(&bytes).expect("write");
                let mut filled = 0;
                while filled == 0 || buffer[filled - 1] != b'\n' {
                    filled += bare.read(&mut buffer[filled..]).expect("read");
                }
                decode(&buffer[..filled], decoded, &mut file);
            }
        }),
        Contender::new("bare tokio", move |count| {
            one.block_on(async {
                for _ in 0..count {
                    bare_async.write_all(&request).await.expect("write");
                    let mut filled = 0;
                    while filled == 0 || buffer_async[filled - 1] != b'\n' {
                        filled += bare_async
                            .read(&mut buffer_async[filled..])
                            .await
                            .expect("read");
                    }
                    decode(&buffer_async[..filled], decoded, &mut file_async);
                }
            });
        }),
        Contender::new("ours blocking", move |count| {
            for _ in 0..count {
                black_box(blocking.execute(&by_blocking).expect("a reply"));
            }
        }),
        Contender::new("ours tokio 1", move |count| {
            one.block_on(async {
                for _ in 0..count {
                    black_box(client.execute(&by_one).await.expect("a reply"));
                }
            });
        }),
        Contender::new("ours tokio 2", move |count| {
            let (client, command) = (client_of_two.clone(), command.clone());
            let run = two.spawn(async move {
                for _ in 0..count {
                    black_box(client.execute(&command).await.expect("a reply"));
                }
            });
            two.block_on(run).expect("a task");
        }),
    ])
}

fn decode(reply: &[u8], length: usize, file: &mut Vec<u8>) {
    if length == 0 {
        return;
    }
    const MEMBER: &[u8] = b"\"buf-b64\": \"";
    let start = reply
        .windows(MEMBER.len())
        .position(|part| part == MEMBER)
        .expect("a file")
        + MEMBER.len();
    let encoded = &reply[start..start + length.div_ceil(3) * 4];
    file.clear();
    STANDARD.decode_append(encoded, file).expect("base64");
    black_box(&file);
}

/// To connect, synchronize, send a ping and close.
fn connects<'a>(socket: &Path, [one, two]: [&'a Runtime; 2]) -> Vec<Contender<'a>> {
    let sync: &[u8] = b"\xFF{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":1234567890123456},\"id\":1234567890123456}\n";
    let ping = bare_request("guest-ping", "");
    let ping_async = ping.clone();
    let [path, path_async, path_blocking, path_one, path_two] = [(); 5].map(|()| socket.to_owned());
    vec![
        Contender::new("bare blocking", move |count| {
            let mut buffer = [0; 4096];
            for _ in 0..count {
                let mut bare = StdStream::connect(&path).expect("connect");
                for request in [sync, &ping] {
                    bare.write_all(request).expect("write");
                    assert!(bare.read(&mut buffer).expect("read") > 0);
                }
            }
        }),
        Contender::new("bare tokio", move |count| {
            one.block_on(async {
                let mut buffer = [0; 4096];
                for _ in 0..count {
                    let mut bare = UnixStream::connect(&path_async).await.expect("connect");
                    for request in [sync, &ping_async] {
                        bare.write_all(request).await.expect("write");
                        assert!(bare.read(&mut buffer).await.expect("read") > 0);
                    }
                }
            });
        }),
        Contender::new("ours blocking", move |count| {
            for _ in 0..count {
                let client = blocking::Client::connect(&*path_blocking).expect("a client");
                client.execute(Ping).expect("a reply");
            }
        }),
        Contender::new("ours tokio 1", move |count| {
            one.block_on(async {
                for _ in 0..count {
                    let client = Client::connect(&*path_one).await.expect("a client");
                    client.execute(Ping).await.expect("a reply");
                }
            });
        }),
        Contender::new("ours tokio 2", move |count| {
            let path = path_two.clone();
            let run = two.spawn(async move {
                for _ in 0..count {
                    let client = Client::connect(&*path).await.expect("a client");
                    client.execute(Ping).await.expect("a reply");
                }
            });
            two.block_on(run).expect("a task");
        }),
    ]
}
