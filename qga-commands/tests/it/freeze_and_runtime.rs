//! A runtime that ends while filesystems are frozen, over a real socket.

#![cfg(unix)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use qga_commands::Guest;
use qga_core::{Client, Options};
use qga_testserver::{Fault, TestAgent};
use tokio::runtime::{Builder, Runtime};

/// An agent on a runtime of its own, which goes on when the client's ends.
struct Apart {
    agent: Option<TestAgent>,
    runtime: Runtime,
}

impl Apart {
    fn start() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let agent = Some(runtime.block_on(TestAgent::start()));
        Self { agent, runtime }
    }

    fn agent(&self) -> &TestAgent {
        self.agent.as_ref().unwrap()
    }

    fn is_frozen(&self) -> bool {
        self.agent().guest().frozen
    }

    fn thaws_soon(&self) -> bool {
        let end = Instant::now() + Duration::from_secs(30);
        while self.is_frozen() && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        !self.is_frozen()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _context = self.runtime.enter();
        self.agent = None;
    }
}

fn runtimes() -> [Runtime; 2] {
    [Builder::new_current_thread(), {
        let mut many = Builder::new_multi_thread();
        many.worker_threads(2);
        many
    }]
    .map(|mut builder| builder.enable_all().build().unwrap())
}

async fn connect(address: String) -> Guest {
    let options = Options::new().timeout(Duration::from_secs(2));
    let client = Client::builder().options(options).connect(address).await;
    Guest::new(client.unwrap())
}

#[test]
fn a_runtime_that_ends_waits_until_its_guest_is_thawed() {
    for runtime in runtimes() {
        let apart = Apart::start();
        let address = apart.agent().address();
        // As an early return in `main` does.
        runtime.block_on(async {
            let _frozen = connect(address).await.freeze().await.unwrap();
            assert!(apart.is_frozen());
        });
        drop(runtime);
        assert!(!apart.is_frozen());
    }
}

/// What is documented of a runtime of one thread; one of many needs nobody.
#[test]
fn a_guard_that_is_dropped_outside_its_runtime_thaws_when_that_goes_on() {
    for (runtime, goes_on) in runtimes().into_iter().zip([true, false]) {
        let apart = Apart::start();
        let address = apart.agent().address();
        let frozen = runtime.block_on(async { connect(address).await.freeze().await.unwrap() });
        drop(frozen);
        if goes_on {
            runtime.block_on(async {
                while apart.is_frozen() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            });
        }
        assert!(apart.thaws_soon());
    }
}

#[test]
fn a_task_that_ends_with_its_runtime_thaws() {
    for runtime in runtimes() {
        let apart = Apart::start();
        let address = apart.agent().address();
        runtime.block_on(async {
            let guest = connect(address).await;
            tokio::spawn(async move { guest.while_frozen(std::future::pending::<()>).await });
            apart.agent().wait_for("guest-fsfreeze-freeze", 1).await;
        });
        drop(runtime);
        assert!(apart.thaws_soon());
    }
}

#[test]
fn a_panic_in_main_thaws_before_the_runtime_has_ended() {
    for runtime in runtimes() {
        let apart = Apart::start();
        let address = apart.agent().address();
        let main = AssertUnwindSafe(|| {
            runtime.block_on(async {
                let guest = connect(address).await;
                let work = || async { panic!("in the work") };
                drop(guest.while_frozen(work).await);
            });
        });
        assert!(catch_unwind(main).is_err());
        drop(runtime);
        assert!(!apart.is_frozen());
    }
}

#[test]
fn a_runtime_that_is_not_waited_for_leaves_a_thread_that_thaws() {
    for runtime in runtimes() {
        let apart = Apart::start();
        let address = apart.agent().address();
        let frozen = runtime.block_on(async { connect(address).await.freeze().await.unwrap() });
        runtime.shutdown_background();
        assert!(apart.is_frozen());
        drop(frozen);
        assert!(apart.thaws_soon());
    }
}

#[test]
fn an_agent_that_goes_wrong_while_the_runtime_ends_is_thawed() {
    for fault in [
        Fault::close_before(),
        Fault::garbage("?\n"),
        Fault::restart(),
    ] {
        for runtime in runtimes() {
            let apart = Apart::start();
            let address = apart.agent().address();
            let agent = apart.agent();
            agent
                .on("guest-fsfreeze-thaw")
                .up_to(1)
                .fault(fault.clone());
            runtime.block_on(async {
                let _frozen = connect(address).await.freeze().await.unwrap();
            });
            drop(runtime);
            assert!(!apart.is_frozen());
        }
    }
}
