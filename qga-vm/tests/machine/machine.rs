//! A guest, real or fake, and what a test does to it past its agent.

use std::time::Duration;

use qga_commands::Guest;
use qga_commands::guest::ready::Ready;
use qga_core::Options;
use qga_testserver::{Profile, TestAgent};
use qga_vm::{Vm, VmBuilder};

use crate::case::On;

/// Patience for a guest that starts while other machines do.
pub(crate) fn ready() -> Ready {
    Ready::ping().timeout(Duration::from_secs(220))
}

pub(crate) enum Machine {
    Fake(TestAgent),
    Real(Box<Vm>),
}

impl Machine {
    /// A machine whose agent is ready.
    pub(crate) async fn start(on: On) -> Self {
        Self::start_as(on, |builder| builder).await
    }

    /// A machine whose agent is ready; a real one is built in this way.
    pub(crate) async fn start_as(on: On, with: impl FnOnce(VmBuilder) -> VmBuilder) -> Self {
        match on {
            On::Fake => {
                let agent = TestAgent::start().await;
                // As in the real guests.
                agent.profile(Profile::Qemu7_2);
                Self::Fake(agent)
            }
            On::Busybox | On::Debian => {
                let builder = with(Vm::of(on.image()));
                Self::Real(Box::new(builder.start().await.unwrap()))
            }
        }
    }

    pub(crate) fn address(&self) -> String {
        match self {
            Self::Fake(agent) => agent.address(),
            Self::Real(vm) => vm.address(),
        }
    }

    pub(crate) async fn guest(&self) -> Guest {
        Guest::connect(self.address()).await.unwrap()
    }

    /// A guest whose client is told what becomes of the machine, or is not. It has no patience with questions that went
    /// to an agent that is gone.
    pub(crate) async fn guest_told(&self, is_told: bool) -> Guest {
        let options = Options::new().timeout(Duration::from_secs(10));
        let builder = Guest::builder().options(options);
        let builder = if is_told {
            builder.machine(&self.told())
        } else {
            builder
        };
        builder.connect(self.address()).await.unwrap()
    }

    /// A guest whose client waits a minute for the error of a command that is answered only when it fails. A machine
    /// beside others may take so long.
    pub(crate) async fn guest_that_may_fail(&self) -> Guest {
        let minute = Duration::from_secs(60);
        let options = Options::new().timeout(minute).grace(minute);
        let builder = Guest::builder().options(options);
        builder.connect(self.address()).await.unwrap()
    }

    /// Resets the machine, and waits until its guest is gone.
    pub(crate) async fn reset(&self) {
        match self {
            Self::Fake(agent) => agent.reboot(),
            Self::Real(vm) => {
                vm.monitor().command("system_reset", None).await.unwrap();
                vm.monitor().event("RESET", 1).await.unwrap();
            }
        }
    }

    /// Waits until QEMU has ended, or whatever the fake has for that.
    pub(crate) async fn ended(&mut self) {
        match self {
            Self::Fake(agent) => {
                let mut views = agent.machine();
                let is_off =
                    |view: &qga_testserver::HostView| view.power == qga_testserver::Power::Off;
                views.wait_for(is_off).await.unwrap();
            }
            Self::Real(vm) => vm.ended().await.unwrap(),
        }
    }

    /// Whether an event with this name has come; the fake has none.
    pub(crate) fn assert_event(&self, name: &str) {
        if let Self::Real(vm) = self {
            let events = vm.monitor().events();
            assert!(events.iter().any(|event| event == name), "{events:?}");
        }
    }

    /// A real machine.
    pub(crate) fn vm(&self) -> &Vm {
        match self {
            Self::Fake(_) => panic!("the fake agent has no machine"),
            Self::Real(vm) => vm,
        }
    }
}
