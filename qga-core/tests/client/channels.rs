//! Channels that cannot be opened, or end: each says which address, at which stage, and what to do.

mod devices;
mod hosts;
mod names;
mod programs;
mod proxies;
mod schemes;

use std::time::Duration;

use qga_core::{Address, Client, Error, Execution, Stage, blocking};

/// How both clients fail to connect.
struct Failing {
    ssh: Vec<String>,
    timeout: Duration,
}

impl Failing {
    fn new() -> Self {
        Self {
            ssh: Vec::new(),
            timeout: Duration::from_secs(20),
        }
    }

    /// Has this script of a shell do what `ssh` does, with its arguments.
    fn ssh(script: &str) -> Self {
        let words = ["sh", "-c", script, "ssh"];
        Self {
            ssh: words.map(str::to_owned).into(),
            ..Self::new()
        }
    }

    fn soon(self) -> Self {
        Self {
            timeout: Duration::from_millis(200),
            ..self
        }
    }

    async fn errors(self, address: impl TryInto<Address, Error: std::fmt::Debug>) -> [Error; 2] {
        let address = address.try_into().unwrap();
        let text = address.to_string();
        let builder = Client::builder()
            .exec_scheme(true)
            .ssh(self.ssh.clone())
            .connect_timeout(self.timeout);
        let error = builder.connect(&address).await.unwrap_err();
        let blocking = tokio::task::spawn_blocking(move || {
            let builder = blocking::Client::builder()
                .exec_scheme(true)
                .ssh(self.ssh)
                .connect_timeout(self.timeout);
            builder.connect(address).unwrap_err()
        });
        let errors = [error, blocking.await.unwrap()];
        for error in &errors {
            assert_eq!(error.execution(), Execution::NotRun);
            assert_eq!(error.address(), Some(text.as_str()));
        }
        errors
    }
}

#[track_caller]
fn assert_say(errors: &[Error], stage: Stage, words: &[&str]) {
    for error in errors {
        assert_eq!(error.stage(), stage, "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
    }
}

fn exec(script: &str) -> Address {
    Address::Exec(["sh", "-c", script].map(str::to_owned).into())
}
