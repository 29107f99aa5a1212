//! What lies between a client and its agent, and can be cut.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// A socket that passes on to another one, as `ssh -L` does.
pub(crate) struct Relay {
    folder: TempDir,
    goes: Arc<watch::Sender<bool>>,
}

impl Relay {
    pub(crate) fn to(agent: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("relay.sock")).unwrap();
        let goes = Arc::new(watch::Sender::new(true));
        let sender = Arc::clone(&goes);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, agent.clone(), sender.subscribe()));
            }
        });
        Self { folder, goes }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.folder.path().join("relay.sock").display())
    }

    /// Ends all connections, and ends new ones at once until [`mend`](Self::mend).
    pub(crate) fn cut(&self) {
        self.goes.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.goes.send_replace(true);
    }
}

async fn pass_on(mut client: UnixStream, agent: PathBuf, mut goes: watch::Receiver<bool>) {
    let passing = async {
        let mut agent = UnixStream::connect(agent).await?;
        tokio::io::copy_bidirectional(&mut client, &mut agent).await
    };
    tokio::select! {
        biased;
        _ = goes.wait_for(|goes| !goes) => {}
        _ = passing => {}
    }
}
