//! A real agent whose own channel is a serial line: a pseudoterminal, behind another one that clients open.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use qga_core::{Options, QgaCommand};
use qga_testserver::real_agent::RealAgent;
use serde_json::{Value, json};

use crate::any::{Connecting, Driver};
use crate::relay::pseudoterminal;

#[derive(QgaCommand)]
#[qga(name = "guest-sync", response = i64)]
struct Sync {
    id: i64,
}

/// An agent that ends with this.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub(crate) fn run(driver: Driver) {
    let folder = tempfile::tempdir().unwrap();
    let (line, line_path) = pseudoterminal();
    let mut agent = Command::new(RealAgent::program().unwrap());
    agent.args(["-m", "isa-serial", "-p"]).arg(&line_path);
    agent.arg("-b").arg(real_agents::HARMFUL.join(","));
    agent.arg("-t").arg(folder.path());
    agent.arg("-f").arg(folder.path().join("pid"));
    agent
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _agent = Agent(agent.spawn().unwrap());
    let (other, path) = pseudoterminal();
    // Somebody who keeps it open, or its master could not be read while no client has it.
    let _open = File::options().read(true).write(true).open(&path).unwrap();
    let alive = Arc::new(());
    for (from, to) in [(&line, &other), (&other, &line)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let alive = Arc::downgrade(&alive);
        thread::spawn(move || carry(from, to, &alive));
    }

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let patient = Options::new().timeout(Duration::from_secs(60));
        let address = format!("serial:{}", path.display());
        for id in 1..4 {
            let connecting = Connecting::by(driver, vec!["ssh".into()])
                .connect_timeout(Duration::from_secs(60))
                .options(patient);
            let client = connecting.connect(&address).await.unwrap();
            assert_eq!(client.execute(Sync { id }).await.unwrap(), id);
            let info = client.execute_raw("guest-info", Value::Null).await.unwrap();
            assert!(info["version"].is_string(), "{info}");
            // A reply that nobody waits for is in the way of the next client.
            let brief = client.with_options(|options| options.timeout(Duration::from_micros(1)));
            drop(brief.execute_raw("guest-sync", json!({"id": 99})).await);
        }
    });
}

/// Carries bytes while the test is alive, or until its next byte.
fn carry(mut from: File, mut to: File, alive: &Weak<()>) {
    let mut bytes = vec![0; 4096];
    while alive.strong_count() > 0 {
        match from.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => to.write_all(&bytes[..count]).unwrap(),
            // Nobody has opened the other side yet, or any more.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}
