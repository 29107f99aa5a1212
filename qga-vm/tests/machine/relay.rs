//! What lies between a client and its agent, and can be cut.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// A socket that passes on to another one, as `ssh -L` does.
pub(crate) struct Relay {
    folder: TempDir,
    goes: Arc<watch::Sender<bool>>,
    sent: Arc<AtomicUsize>,
}

impl Relay {
    pub(crate) fn to(agent: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("relay.sock")).unwrap();
        let goes = Arc::new(watch::Sender::new(true));
        let sender = Arc::clone(&goes);
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (agent, count) = (agent.clone(), Arc::clone(&count));
                tokio::spawn(pass_on(client, agent, count, sender.subscribe()));
            }
        });
        Self { folder, goes, sent }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.folder.path().join("relay.sock").display())
    }

    /// How many bytes clients have sent.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// Ends all connections, and ends new ones at once until [`mend`](Self::mend).
    pub(crate) fn cut(&self) {
        self.goes.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.goes.send_replace(true);
    }
}

async fn pass_on(
    mut client: UnixStream,
    agent: PathBuf,
    count: Arc<AtomicUsize>,
    mut goes: watch::Receiver<bool>,
) {
    let passing = async {
        let mut agent = UnixStream::connect(agent).await?;
        let (mut requests, mut to_client) = client.split();
        let (mut replies, mut to_agent) = agent.split();
        let there = async {
            let mut bytes = [0; 4096];
            loop {
                let read = requests.read(&mut bytes).await?;
                if read == 0 {
                    return to_agent.shutdown().await;
                }
                count.fetch_add(read, Ordering::SeqCst);
                to_agent.write_all(&bytes[..read]).await?;
            }
        };
        let back = async {
            tokio::io::copy(&mut replies, &mut to_client).await?;
            to_client.shutdown().await
        };
        tokio::try_join!(there, back)
    };
    tokio::select! {
        biased;
        _ = goes.wait_for(|goes| !goes) => {}
        _ = passing => {}
    }
}
