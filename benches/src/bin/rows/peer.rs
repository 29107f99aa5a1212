//! The same work by the crate `qapi`, the client for the guest agent that is published.

use std::hint::black_box;
use std::io::{BufReader, BufWriter};
use std::os::unix::net::UnixStream;
use std::path::Path;

use benches::rounds::Contender;
use qapi::futures::{QapiService, QgaStreamTokio};
use qapi::qga::{self, QgaCommand};
use qapi::{Qga, Stream};
use tokio::io::WriteHalf;
use tokio::net::UnixStream as TokioStream;
use tokio::runtime::Runtime;

/// It writes in many pieces, which nobody would send one by one.
type Blocking = Qga<Stream<BufReader<UnixStream>, BufWriter<UnixStream>>>;
type Service = QapiService<QgaStreamTokio<WriteHalf<TokioStream>>>;

fn connect(socket: &Path) -> std::io::Result<Blocking> {
    let stream = UnixStream::connect(socket)?;
    let reader = BufReader::new(stream.try_clone()?);
    let mut client = Qga::new(Stream::new(reader, BufWriter::new(stream)));
    client.guest_sync(1234).map_err(std::io::Error::other)?;
    Ok(client)
}

async fn connect_async(socket: &Path) -> std::io::Result<Service> {
    let (service, _) = QgaStreamTokio::open_uds(socket).await?.spawn_tokio();
    let synced = service.guest_sync(1234).await;
    synced.map_err(std::io::Error::other)?;
    Ok(service)
}

/// One command after the other.
pub(crate) fn exchange<'a, C>(
    command: C,
    socket: &Path,
    [one, two]: [&'a Runtime; 2],
) -> std::io::Result<Vec<Contender<'a>>>
where
    C: QgaCommand + Clone + Send + Sync + 'static,
    C::Ok: Send,
{
    let mut blocking = connect(socket)?;
    let service = one.block_on(connect_async(socket))?;
    let service_of_two = std::sync::Arc::new(two.block_on(connect_async(socket))?);
    let (by_blocking, by_one) = (command.clone(), command.clone());
    Ok(vec![
        Contender::new("qapi blocking", move |count| {
            for _ in 0..count {
                black_box(blocking.execute(&by_blocking).expect("a reply"));
            }
        }),
        Contender::new("qapi tokio 1", move |count| {
            one.block_on(async {
                for _ in 0..count {
                    black_box(service.execute(by_one.clone()).await.expect("a reply"));
                }
            });
        }),
        Contender::new("qapi tokio 2", move |count| {
            let (service, command) = (service_of_two.clone(), command.clone());
            let run = two.spawn(async move {
                for _ in 0..count {
                    black_box(service.execute(command.clone()).await.expect("a reply"));
                }
            });
            two.block_on(run).expect("a task");
        }),
    ])
}

/// To connect, synchronize, send a ping and close.
pub(crate) fn connects<'a>(socket: &Path, [one, two]: [&'a Runtime; 2]) -> Vec<Contender<'a>> {
    let [path, path_one, path_two] = [(); 3].map(|()| socket.to_owned());
    vec![
        Contender::new("qapi blocking", move |count| {
            for _ in 0..count {
                let mut client = connect(&path).expect("a client");
                client.execute(&qga::guest_ping {}).expect("a reply");
            }
        }),
        Contender::new("qapi tokio 1", move |count| {
            one.block_on(async {
                for _ in 0..count {
                    let service = connect_async(&path_one).await.expect("a client");
                    service.execute(qga::guest_ping {}).await.expect("a reply");
                }
            });
        }),
        Contender::new("qapi tokio 2", move |count| {
            let path = path_two.clone();
            let run = two.spawn(async move {
                for _ in 0..count {
                    let service = connect_async(&path).await.expect("a client");
                    service.execute(qga::guest_ping {}).await.expect("a reply");
                }
            });
            two.block_on(run).expect("a task");
        }),
    ]
}
