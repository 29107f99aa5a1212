//! A case, and how it becomes a test.

use std::pin::Pin;
use std::time::Duration;

use libtest_mimic::Trial;
use qga_vm::Image;
use tokio::time::timeout;

/// No case takes longer, also while other machines run; what hangs is told apart from what fails.
const LIMIT: Duration = Duration::from_secs(240);

/// What a case runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Fake,
    Busybox,
    Debian,
    /// The busybox guest, as a domain of a libvirt daemon.
    Libvirt,
}

pub(crate) const BUSYBOX: &[On] = &[On::Busybox];
pub(crate) const DEBIAN: &[On] = &[On::Debian];
pub(crate) const MACHINES: &[On] = &[On::Busybox, On::Debian];
pub(crate) const FAKE_AND_BUSYBOX: &[On] = &[On::Fake, On::Busybox];
pub(crate) const FAKE_AND_DEBIAN: &[On] = &[On::Fake, On::Debian];
pub(crate) const EVERY: &[On] = &[On::Fake, On::Busybox, On::Debian];
pub(crate) const LIBVIRT: &[On] = &[On::Libvirt];
pub(crate) const BUSYBOX_AND_LIBVIRT: &[On] = &[On::Busybox, On::Libvirt];
/// For what the way of the messages could make a difference to.
pub(crate) const EVERY_AND_LIBVIRT: &[On] = &[On::Fake, On::Busybox, On::Debian, On::Libvirt];
pub(crate) const MACHINES_AND_LIBVIRT: &[On] = &[On::Busybox, On::Debian, On::Libvirt];
pub(crate) const FAKE_BUSYBOX_AND_LIBVIRT: &[On] = &[On::Fake, On::Busybox, On::Libvirt];

impl On {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fake => "fake",
            Self::Busybox => "busybox",
            Self::Debian => "debian",
            Self::Libvirt => "libvirt",
        }
    }

    /// The guest of a real machine.
    pub(crate) fn image(self) -> Image {
        match self {
            Self::Fake => panic!("the fake agent has no machine"),
            Self::Busybox | Self::Libvirt => Image::Busybox,
            Self::Debian => Image::Debian,
        }
    }
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) on: &'static [On],
    pub(crate) run: fn(On) -> Pin<Box<dyn Future<Output = ()>>>,
}

/// `cases![NAME on PLACES, ...]` lists functions of a module that take an [`On`].
macro_rules! cases {
    ($($name:ident on $places:expr),* $(,)?) => {
        pub(crate) const CASES: &[$crate::case::Case] = &[$($crate::case::Case {
            name: stringify!($name),
            on: $places,
            run: |on| Box::pin($name(on)),
        }),*];
    };
}
pub(crate) use cases;

impl Case {
    pub(crate) fn trial(&self, module: &str, on: On) -> Trial {
        let run = self.run;
        let name = format!("{}::{module}::{}", on.name(), self.name);
        Trial::test(name, move || {
            if on != On::Fake {
                // That is no part of the case, and takes as long as it takes.
                on.image().build()?;
            }
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            let ended = runtime.block_on(async { timeout(LIMIT, run(on)).await });
            // What a case has left to run in the background must not keep it from its end.
            runtime.shutdown_background();
            ended.map_err(|_| format!("it did not end within {LIMIT:?}").into())
        })
    }
}

/// CI leaves nothing out, unless `QGA_LEAVE_OUT` has this name.
pub(crate) fn must_run(left_out: &str) -> bool {
    let set = |name| std::env::var(name).unwrap_or_default();
    !set("CI").is_empty() && !set("QGA_LEAVE_OUT").split(',').any(|name| name == left_out)
}
