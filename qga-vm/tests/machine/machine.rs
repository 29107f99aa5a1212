//! A guest, real or fake, and what a test does to it past its agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use qga_commands::Guest;
use qga_commands::guest::GuestBuilder;
use qga_commands::guest::ready::Ready;
use qga_core::Options;
use qga_testserver::{Profile, TestAgent};
use qga_vm::{Domain, LibvirtHost, Shell, Vm, VmBuilder};
use tokio::sync::OnceCell;

use crate::case::On;

/// Patience for a guest that starts while other machines do.
pub(crate) fn ready() -> Ready {
    Ready::ping().timeout(Duration::from_secs(220))
}

pub(crate) enum Machine {
    Fake(TestAgent),
    Real(Box<Vm>),
    Domain(Box<Domain>),
}

/// A guest's settings, for addresses of every kind that machines here have.
pub(crate) fn builder() -> GuestBuilder {
    Guest::builder().scheme_messages("libvirt", qga_libvirt::open)
}

/// The host of all domains but those whose case does something to its daemon.
pub(crate) async fn libvirt_host() -> Arc<LibvirtHost> {
    static HOST: OnceCell<Arc<LibvirtHost>> = OnceCell::const_new();
    let start = async || Arc::new(LibvirtHost::start().await.unwrap());
    HOST.get_or_init(start).await.clone()
}

/// A name that no other domain of this program has.
pub(crate) fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("guest{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A domain whose agent is ready.
pub(crate) async fn domain() -> Domain {
    let host = libvirt_host().await;
    host.domain(&new_name()).start().await.unwrap()
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
            On::Libvirt => Self::Domain(Box::new(domain().await)),
        }
    }

    pub(crate) fn address(&self) -> String {
        match self {
            Self::Fake(agent) => agent.address(),
            Self::Real(vm) => vm.address(),
            Self::Domain(domain) => domain.address(),
        }
    }

    pub(crate) async fn guest(&self) -> Guest {
        builder().connect(self.address()).await.unwrap()
    }

    /// A guest whose client is told what becomes of the machine, or is not. It has no patience with questions that went
    /// to an agent that is gone.
    pub(crate) async fn guest_told(&self, is_told: bool) -> Guest {
        let options = Options::new().timeout(Duration::from_secs(10));
        let builder = builder().options(options);
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
        let builder = builder().options(options);
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
            Self::Domain(domain) => {
                domain.virsh("reset").await.unwrap();
                domain.wait_for_port(false).await.unwrap();
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
            Self::Domain(domain) => {
                let is_off = |state: &str| state.contains("shut off");
                domain.wait_until("domstate", is_off).await.unwrap();
            }
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
            Self::Domain(_) => panic!("the machine is libvirt's"),
        }
    }

    /// A shell in a real guest.
    pub(crate) fn shell(&self) -> &Shell {
        match self {
            Self::Fake(_) => panic!("the fake agent has no machine"),
            Self::Real(vm) => vm.shell(),
            Self::Domain(domain) => domain.shell().unwrap(),
        }
    }
}
