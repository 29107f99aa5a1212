//! What lies between a client and an agent, and goes wrong there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::MutexGuard;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::any::Driver;
use crate::channel::{Channel, Way};
use crate::host::{Host, Kind};

/// What happens to a line of the agent, or to the next request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trouble {
    None,
    /// The channel ends after so many bytes of the line.
    Cut(usize),
    Delay(Duration),
    Lose,
    Repeat,
    OldFirst,
    TornFirst,
    /// It comes in pieces of so many bytes.
    Split(usize),
    /// The channel ends after so many bytes of the next request.
    CutRequest(usize),
    /// The agent is killed in place of the line, and another one is started.
    Kill,
}

pub(crate) const TROUBLES: &[Trouble] = &[
    Trouble::None,
    Trouble::Cut(0),
    Trouble::Cut(1),
    Trouble::Cut(12),
    Trouble::Cut(usize::MAX),
    Trouble::Delay(Duration::from_millis(30)),
    Trouble::Delay(Duration::from_millis(400)),
    Trouble::Lose,
    Trouble::Repeat,
    Trouble::OldFirst,
    Trouble::TornFirst,
    Trouble::Split(1),
    Trouble::Split(7),
    Trouble::CutRequest(0),
    Trouble::CutRequest(20),
    Trouble::Kill,
];

/// A socket before an agent, which serves one client after the other as the agent does.
pub(crate) struct Proxy {
    pub(crate) address: String,
    pub(crate) way: Way,
    inner: Arc<Inner>,
    task: AbortHandle,
    _folder: tempfile::TempDir,
}

struct Inner {
    host: tokio::sync::Mutex<Host>,
    /// After how many lines there is trouble, and which.
    ahead: Mutex<(i64, Trouble)>,
}

/// Why a connection is over.
type Over = io::Result<()>;

impl Proxy {
    pub(crate) async fn start(kind: Kind, driver: Driver, channel: Channel) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let inner = Arc::new(Inner {
            host: Host::start(kind, driver, Channel::Unix, &[]).await.into(),
            ahead: (0, Trouble::None).into(),
        });
        let task = tokio::spawn(serve(listener, inner.clone())).abort_handle();
        let way = channel.lead_to(&path, folder.path()).await;
        Self {
            address: way.address.clone(),
            way,
            inner,
            task,
            _folder: folder,
        }
    }

    /// The agent of now, which may not be killed while this is held.
    pub(crate) async fn host(&self) -> MutexGuard<'_, Host> {
        self.inner.host.lock().await
    }

    /// Whether what was planned has come.
    pub(crate) fn is_over(&self) -> bool {
        self.inner.ahead.lock().unwrap().1 == Trouble::None
    }

    /// Plans trouble with the line after so many others.
    pub(crate) fn at_line(&self, line: i64, trouble: Trouble) {
        *self.inner.ahead.lock().unwrap() = (line, trouble);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: UnixListener, inner: Arc<Inner>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let socket = inner.host.lock().await.socket().to_owned();
        // It may just have been killed.
        let Ok(mut agent) = UnixStream::connect(socket).await else {
            continue;
        };
        drop(inner.relay(client, &mut agent).await);
        // A real agent ends when it is left with a reply unread (rule 61).
        drop(agent.shutdown().await);
        let mut nowhere = io::sink();
        let rest = io::copy(&mut agent, &mut nowhere);
        drop(timeout(Duration::from_secs(5), rest).await);
    }
}

impl Inner {
    async fn relay(&self, mut client: UnixStream, agent: &mut UnixStream) -> Over {
        let (mut request, mut reply) = ([0; 4096], [0; 4096]);
        let mut line = Vec::new();
        loop {
            tokio::select! {
                count = client.read(&mut request) => match count? {
                    0 => return Ok(()),
                    count => self.forward(&request[..count], agent).await?,
                },
                count = agent.read(&mut reply) => match count? {
                    0 => return Ok(()),
                    count => for byte in &reply[..count] {
                        line.push(*byte);
                        if *byte == b'\n' {
                            let line = std::mem::take(&mut line);
                            self.deliver(&line, &mut client).await?;
                        }
                    },
                },
            }
        }
    }

    async fn forward(&self, request: &[u8], agent: &mut UnixStream) -> Over {
        let cut = match *self.ahead.lock().unwrap() {
            (0, Trouble::CutRequest(bytes)) => Some(bytes.min(request.len())),
            _ => None,
        };
        agent
            .write_all(&request[..cut.unwrap_or(request.len())])
            .await?;
        if cut.is_some() {
            self.pass();
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// The trouble with this line, if there is any.
    fn next(&self) -> Trouble {
        let mut ahead = self.ahead.lock().unwrap();
        match *ahead {
            (0, Trouble::CutRequest(_)) => Trouble::None,
            (0, trouble) => {
                ahead.1 = Trouble::None;
                trouble
            }
            _ => {
                ahead.0 -= 1;
                Trouble::None
            }
        }
    }

    /// The trouble is over.
    fn pass(&self) {
        self.ahead.lock().unwrap().1 = Trouble::None;
    }

    async fn deliver(&self, line: &[u8], client: &mut UnixStream) -> Over {
        let old: &[u8] = b"{\"return\": 4711, \"id\": 5}\n";
        let mut size = line.len();
        match self.next() {
            Trouble::None | Trouble::CutRequest(_) => {}
            Trouble::Cut(bytes) => {
                client.write_all(&line[..bytes.min(line.len())]).await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Trouble::Delay(time) => sleep(time).await,
            Trouble::Lose => return Ok(()),
            Trouble::Repeat => client.write_all(line).await?,
            Trouble::OldFirst => client.write_all(old).await?,
            Trouble::TornFirst => client.write_all(&old[..14]).await?,
            Trouble::Split(bytes) => size = bytes,
            Trouble::Kill => {
                let mut host = self.host.lock().await;
                *host = Host::start(host.kind, host.driver, Channel::Unix, &[]).await;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        for piece in line.chunks(size) {
            client.write_all(piece).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
