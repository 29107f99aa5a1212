//! Many guests of one host, over one connection of ssh.

use std::sync::atomic::Ordering;

use qga_core::{Client, Fleet, QgaCommand};
use qga_testserver::TestAgent;

use crate::ssh_server::SshServer;

#[derive(QgaCommand)]
#[qga(name = "guest-ping")]
struct Ping;

pub(crate) fn guests_of_one_host_share_one_connection() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let server = SshServer::start(folder.path(), true).await;
        let (port, connections) = (server.port, server.connections());
        let builder = Client::builder().ssh(server.client_with_master());
        let serving = tokio::spawn(server.serve());
        let mut guests = Vec::new();
        for _ in 0..6 {
            guests.push(TestAgent::start().await);
        }
        let addresses = guests.iter().map(|guest| {
            let path = guest.path().display();
            format!("ssh://127.0.0.1:{port}{path}")
        });
        let addresses: Vec<_> = addresses.collect();

        // The first session brings the connection, which outlives it.
        let first = builder.clone().connect(&addresses[0]).await.unwrap();
        first.execute(Ping).await.unwrap();
        drop(first);
        let fleet = Fleet::new(&addresses[1..]).builder(builder);
        let mut run = fleet.run(|client| async move { client.execute(Ping).await });
        while let Some(guest) = run.next().await {
            guest.result.unwrap();
        }
        assert_eq!(run.summary().answered(), 5);
        assert_eq!(connections.load(Ordering::SeqCst), 1);
        serving.abort();
    });
}
