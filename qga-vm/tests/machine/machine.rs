//! A guest, real or fake, and what a test does to it past its agent.

use qga_commands::Guest;
use qga_testserver::TestAgent;
use qga_vm::Vm;

use crate::case::On;

pub(crate) enum Machine {
    Fake(TestAgent),
    Real(Box<Vm>),
}

impl Machine {
    /// A machine whose agent is ready.
    pub(crate) async fn start(on: On) -> Self {
        match on {
            On::Fake => Self::Fake(TestAgent::start().await),
            On::Busybox | On::Debian => {
                Self::Real(Box::new(Vm::of(on.image()).start().await.unwrap()))
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
}
