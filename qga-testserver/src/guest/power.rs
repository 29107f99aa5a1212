//! Whether the guest is on, asleep or off, and what its host sees of that.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::lock::lock;

/// Whether the machine of a guest runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Power {
    /// It runs.
    #[default]
    On,
    /// The guest is halted, and its machine runs on: the channel is open, and the agent does not answer.
    Halted,
    /// The guest is suspended to memory: the channel is open, and the agent does not answer.
    Suspended,
    /// The host has [stopped](crate::TestAgent::pause) its processors: the channel is open, and nothing happens in the
    /// guest.
    Paused,
    /// The guest's kernel has panicked, and the machine stands still: the channel is open, and nothing happens in the
    /// guest. Only a machine with a monitor, a [`TestMachine`](crate::TestMachine), gets there.
    Panicked,
    /// The machine stands still because of an error of the host, such as a full disk: the channel is open, and nothing
    /// happens in the guest. Only a machine with a monitor gets there.
    Stalled,
    /// The guest is shut down: the channel is closed.
    Off,
}

/// What the host of a guest sees of its machine, beside the channel of its agent;
/// [`TestAgent::machine`](crate::TestAgent::machine) watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostView {
    /// Whether the machine runs.
    pub power: Power,
    /// How often it was reset, as by a reboot.
    pub resets: u64,
    /// Whether the guest has the port of its agent open.
    pub port_is_open: bool,
}

/// How a power command changes the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerChange {
    ShutDown,
    Reboot,
    Halt,
    /// The memory is kept, also by a hybrid suspension.
    SuspendToMemory,
    SuspendToDisk,
}

/// Why a machine was reset or switched off, as QEMU tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) is_guests: bool,
    pub(crate) reason: &'static str,
}

impl Cause {
    pub(crate) const SHUTDOWN: Self = Self::guest("guest-shutdown");
    pub(crate) const REBOOT: Self = Self::guest("guest-reset");
    pub(crate) const PANIC: Self = Self::guest("guest-panic");
    pub(crate) const RESET: Self = Self::host("host-qmp-system-reset");
    pub(crate) const QUIT: Self = Self::host("host-qmp-quit");
    pub(crate) const SIGNAL: Self = Self::host("host-signal");

    const fn guest(reason: &'static str) -> Self {
        Self {
            is_guests: true,
            reason,
        }
    }

    const fn host(reason: &'static str) -> Self {
        Self {
            is_guests: false,
            reason,
        }
    }
}

/// What has changed about a machine.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) before: HostView,
    pub(crate) after: HostView,
    /// Why it was reset or switched off, if it was.
    pub(crate) cause: Cause,
}

/// What QEMU does about a guest that reboots or shuts down.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Actions {
    /// A reboot switches the machine off.
    pub(crate) reboot_is_shutdown: bool,
    /// A machine that is switched off stays there, and can be reset.
    pub(crate) shutdown_is_pause: bool,
}

/// Somebody who is told of each change before anything else happens. It must not change the machine.
type Observer = Box<dyn Fn(&Change) + Send>;

/// The guest's power switch.
pub(crate) struct Switch {
    views: watch::Sender<HostView>,
    /// Who is told of changes, one after the other.
    observer: Mutex<Option<Observer>>,
    actions: Mutex<Actions>,
    /// Whether the machine is still there though it is off.
    is_kept: AtomicBool,
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Switch")
            .field(&*self.views.borrow())
            .finish()
    }
}

impl Default for Switch {
    fn default() -> Self {
        let view = HostView {
            power: Power::On,
            resets: 0,
            port_is_open: true,
        };
        Self {
            views: watch::Sender::new(view),
            observer: Mutex::default(),
            actions: Mutex::default(),
            is_kept: AtomicBool::new(false),
        }
    }
}

impl Switch {
    /// Has somebody told of changes from now on, instead of whoever was told before.
    pub(crate) fn observe(&self, observer: Observer) {
        *lock(&self.observer) = Some(observer);
    }

    pub(crate) fn edit_actions(&self, edit: impl FnOnce(&mut Actions)) {
        edit(&mut lock(&self.actions));
    }

    pub(crate) fn set(&self, power: Power) {
        self.is_kept.store(false, Ordering::Relaxed);
        self.change(Cause::SHUTDOWN, |view| {
            view.power = power;
            view.port_is_open = power == Power::On;
        });
    }

    /// Switches the machine off. It stays there if that was asked for.
    pub(crate) fn shut_down(&self, cause: Cause) {
        let is_kept = lock(&self.actions).shutdown_is_pause;
        self.switch_off(cause, is_kept);
    }

    /// Ends the machine, whatever was asked for.
    pub(crate) fn end(&self, cause: Cause) {
        self.switch_off(cause, false);
    }

    fn switch_off(&self, cause: Cause, is_kept: bool) {
        self.is_kept.store(is_kept, Ordering::Relaxed);
        self.change(cause, |view| {
            view.power = Power::Off;
            view.port_is_open = false;
        });
    }

    /// Whether the machine is still there though it is off.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }

    /// Lets a machine that runs stand still: paused, panicked or stalled.
    pub(crate) fn stand_still(&self, power: Power) {
        self.turn(Power::On, power);
    }

    /// Lets a machine that is in one state be in another, whatever the guest has done with its port.
    pub(crate) fn turn(&self, from: Power, to: Power) {
        self.change(Cause::SHUTDOWN, |view| {
            if view.power == from {
                view.power = to;
            }
        });
    }

    /// Lets a machine that has not run yet wait.
    pub(crate) fn hold(&self) {
        self.change(Cause::SHUTDOWN, |view| {
            view.power = Power::Paused;
            view.port_is_open = false;
        });
    }

    /// Lets a machine run whose guest is not up yet.
    pub(crate) fn switch_on(&self) {
        self.change(Cause::SHUTDOWN, |view| {
            view.power = Power::On;
            view.port_is_open = false;
        });
    }

    /// The guest opens or closes its port, if it can.
    pub(crate) fn set_port(&self, is_open: bool) {
        self.change(Cause::SHUTDOWN, |view| {
            if view.power == Power::On {
                view.port_is_open = is_open;
            }
        });
    }

    /// Lets a machine run on that stands still.
    pub(crate) fn run_on(&self) {
        self.change(Cause::SHUTDOWN, |view| {
            if matches!(view.power, Power::Paused | Power::Panicked | Power::Stalled) {
                view.power = Power::On;
            }
        });
    }

    /// The machine begins anew and runs, and the guest is not up yet. Says how many resets there were, or nothing if it
    /// was switched off instead.
    pub(crate) fn reset(&self, cause: Cause) -> Option<u64> {
        self.begin_anew(cause, |_| Power::On)
    }

    /// The same by the machine's host: a machine that did not run waits then until it is let run.
    pub(crate) fn reset_by_host(&self) -> Option<u64> {
        self.begin_anew(Cause::RESET, |before| match before {
            Power::On | Power::Halted => Power::On,
            _ => Power::Paused,
        })
    }

    fn begin_anew(&self, cause: Cause, becomes: impl FnOnce(Power) -> Power) -> Option<u64> {
        if lock(&self.actions).reboot_is_shutdown {
            self.shut_down(cause);
            return None;
        }
        self.is_kept.store(false, Ordering::Relaxed);
        let mut resets = 0;
        self.change(cause, |view| {
            view.power = becomes(view.power);
            view.resets += 1;
            view.port_is_open = false;
            resets = view.resets;
        });
        Some(resets)
    }

    /// The guest is up again after the reset of this number, once its machine runs, unless there was another.
    pub(crate) async fn up(&self, resets: u64) {
        let ready =
            |view: &HostView| view.resets != resets || matches!(view.power, Power::On | Power::Off);
        drop(self.views.subscribe().wait_for(ready).await);
        self.change(Cause::REBOOT, |view| {
            if view.resets == resets && view.power == Power::On {
                view.port_is_open = true;
            }
        });
    }

    /// The guest closes its port and opens it again at once, which only an observer is told.
    pub(crate) fn blink(&self) {
        let observer = lock(&self.observer);
        let open = self.view();
        if let (Some(observer), true) = (&*observer, open.port_is_open) {
            let cause = Cause::SHUTDOWN;
            let mut closed = open;
            closed.port_is_open = false;
            for (before, after) in [(open, closed), (closed, open)] {
                observer(&Change {
                    before,
                    after,
                    cause,
                });
            }
        }
    }

    fn change(&self, cause: Cause, edit: impl FnOnce(&mut HostView)) {
        // Whoever is told is told in the order of the changes.
        let observer = lock(&self.observer);
        let mut change = None;
        self.views.send_if_modified(|view| {
            let before = *view;
            edit(view);
            let after = *view;
            change = (before != after).then_some(Change {
                before,
                after,
                cause,
            });
            change.is_some()
        });
        if let (Some(observer), Some(change)) = (&*observer, &change) {
            observer(change);
        }
    }

    pub(crate) fn now(&self) -> Power {
        self.view().power
    }

    pub(crate) fn view(&self) -> HostView {
        *self.views.borrow()
    }

    pub(crate) fn resets(&self) -> u64 {
        self.view().resets
    }

    pub(crate) fn watch(&self) -> watch::Receiver<HostView> {
        self.views.subscribe()
    }

    /// Waits until the guest is up, or off for good.
    pub(crate) async fn settled(&self) -> Power {
        let is_settled = |view: &HostView| match view.power {
            Power::On => view.port_is_open,
            Power::Off => !self.is_kept(),
            _ => false,
        };
        let mut views = self.views.subscribe();
        let settled = views.wait_for(is_settled).await;
        // The sender is ours, so waiting cannot fail.
        settled.map_or(Power::Off, |view| view.power)
    }

    /// Waits until the machine stands still.
    pub(crate) async fn still(&self) {
        let is_still = |view: &HostView| {
            matches!(view.power, Power::Paused | Power::Panicked | Power::Stalled)
        };
        drop(self.views.subscribe().wait_for(is_still).await);
    }
}
