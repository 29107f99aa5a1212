//! Processors.

use std::collections::{BTreeMap, BTreeSet};

use qga_core::QgaCommand as _;

use super::{AT_ONCE, Guest, GuestError, named, partial};
use crate::commands::cpu::{GetVcpus, GuestLogicalProcessor, SetVcpus};
use crate::optional;

/// How often the agent may stop before the end of a list.
const MOST_STOPS: usize = 16;

impl Guest {
    /// The guest's processors, sorted by number.
    ///
    /// Since QEMU 1.5, on Linux and Windows.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn vcpus(&self) -> Result<Vec<GuestLogicalProcessor>, GuestError> {
        let listed = self.execute(GetVcpus).await?.into_iter();
        // They come in no order.
        let by_id: BTreeMap<_, _> = listed.map(|vcpu| (vcpu.logical_id, vcpu)).collect();
        Ok(by_id.into_values().collect())
    }

    /// Takes these processors online or offline, one after the other.
    ///
    /// ```no_run
    /// # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
    /// use qga_commands::commands::cpu::GuestLogicalProcessor;
    ///
    /// let offline = [2, 3].map(|number| GuestLogicalProcessor::new(number, false));
    /// guest.set_vcpus(offline).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Since QEMU 1.5.
    ///
    /// # Errors
    ///
    /// [`GuestError::InvalidInput`] if one is to go offline that cannot, according to the guest's list; nothing is
    /// changed then. [`GuestError::Partial`] if the first ones were done and then one failed. Otherwise as
    /// [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// The first ones may have been changed. Doing it again does no harm.
    pub async fn set_vcpus(
        &self,
        vcpus: impl IntoIterator<Item = GuestLogicalProcessor>,
    ) -> Result<(), GuestError> {
        let wanted: Vec<_> = vcpus.into_iter().collect();
        if wanted.iter().any(|vcpu| !vcpu.online)
            && let Some(known) = self.vcpus_if_told().await?
        {
            check_offline(&known, &wanted)?;
        }
        self.send_vcpus(&wanted).await
    }

    /// Takes processors online, the lowest numbers first, or offline, the highest numbers first, until this many are
    /// online. Returns those that it has changed.
    ///
    /// Since QEMU 1.5.
    ///
    /// # Errors
    ///
    /// [`GuestError::InvalidInput`] if the guest has too few processors, or too many that cannot go offline; nothing is
    /// changed then. Otherwise as [`set_vcpus`](Self::set_vcpus).
    ///
    /// # Cancel safety
    ///
    /// As [`set_vcpus`](Self::set_vcpus).
    pub async fn set_online_vcpus(
        &self,
        count: usize,
    ) -> Result<Vec<GuestLogicalProcessor>, GuestError> {
        let known = self.vcpus().await?;
        let changes = changes(&known, count)?;
        self.send_vcpus(&changes).await?;
        Ok(changes)
    }

    /// The processors, if the agent tells at once. The change itself does not need them: the agent refuses
    /// what cannot be.
    async fn vcpus_if_told(&self) -> Result<Option<Vec<GuestLogicalProcessor>>, GuestError> {
        self.before(GetVcpus::NAME).await?;
        Ok(optional::ask(&self.client, GetVcpus).await?)
    }

    async fn send_vcpus(&self, wanted: &[GuestLogicalProcessor]) -> Result<(), GuestError> {
        let mut done = 0;
        for some in wanted.chunks(AT_ONCE) {
            self.send_some(some, &mut done)
                .await
                .map_err(|error| partial(done, wanted.len(), error))?;
        }
        Ok(())
    }

    /// The agent stops at one that fails, and tells why only if that is the first.
    async fn send_some(
        &self,
        some: &[GuestLogicalProcessor],
        done: &mut usize,
    ) -> Result<(), GuestError> {
        let mut rest = some;
        for _ in 0..=MOST_STOPS {
            let told = self.execute(SetVcpus::new(rest)).await?;
            let now = usize::try_from(told).ok().filter(|now| *now > 0);
            let Some(left) = now.and_then(|now| rest.get(now..)) else {
                let text = format!(
                    "{told} processors are said to be done, of {} that were asked for{}",
                    rest.len(),
                    named(", from number", rest.first().map(|vcpu| vcpu.logical_id)),
                );
                return Err(GuestError::Unexpected(text.into()));
            };
            *done += rest.len() - left.len();
            rest = left;
            if rest.is_empty() {
                return Ok(());
            }
        }
        let text = format!(
            "it has stopped {MOST_STOPS} times before the end, and done {} of {} processors",
            some.len() - rest.len(),
            some.len()
        );
        Err(GuestError::Unexpected(text.into()))
    }
}

/// Says which processors cannot go offline.
fn check_offline(
    known: &[GuestLogicalProcessor],
    wanted: &[GuestLogicalProcessor],
) -> Result<(), GuestError> {
    let numbers = |online: bool| {
        let known = known
            .iter()
            .filter(move |vcpu| !online || vcpu.can_offline == Some(true));
        known.map(|vcpu| vcpu.logical_id).collect::<BTreeSet<_>>()
    };
    let (there, can_go) = (numbers(false), numbers(true));
    let wanted = wanted.iter().filter(|vcpu| !vcpu.online);
    let wanted: BTreeSet<_> = wanted.map(|vcpu| vcpu.logical_id).collect();
    let stuck = wanted
        .iter()
        .filter(|id| there.contains(id) && !can_go.contains(id));
    let missing = wanted.difference(&there);
    let text = match (named("", stuck), named("", missing)) {
        (stuck, missing) if stuck.is_empty() && missing.is_empty() => return Ok(()),
        (stuck, missing) if missing.is_empty() => {
            format!("these processors cannot go offline:{stuck}")
        }
        (stuck, missing) if stuck.is_empty() => {
            format!("the guest has no processors with these numbers:{missing}")
        }
        (stuck, missing) => format!(
            "these processors cannot go offline:{stuck}; the guest has none with these numbers:{missing}"
        ),
    };
    Err(GuestError::InvalidInput(text.into()))
}

/// What to do so that `count` are online.
fn changes(
    known: &[GuestLogicalProcessor],
    count: usize,
) -> Result<Vec<GuestLogicalProcessor>, GuestError> {
    let online = known.iter().filter(|vcpu| vcpu.online).count();
    let change =
        |vcpu: &GuestLogicalProcessor| GuestLogicalProcessor::new(vcpu.logical_id, !vcpu.online);
    let (changes, missing): (Vec<_>, usize) = if count >= online {
        let off = known.iter().filter(|vcpu| !vcpu.online);
        (
            off.take(count - online).map(change).collect(),
            count - online,
        )
    } else {
        let on = known
            .iter()
            .rev()
            .filter(|vcpu| vcpu.online && vcpu.can_offline == Some(true));
        (
            on.take(online - count).map(change).collect(),
            online - count,
        )
    };
    if count > 0 && changes.len() >= missing {
        return Ok(changes);
    }
    let stuck = known
        .iter()
        .filter(|vcpu| vcpu.online && vcpu.can_offline != Some(true));
    let stuck: Vec<_> = stuck.map(|vcpu| vcpu.logical_id).collect();
    let text = format!(
        "the guest cannot have {count} processors online: it has {}, of which {online} are online{}",
        known.len(),
        named(", and these cannot go offline:", stuck),
    );
    Err(GuestError::InvalidInput(text.into()))
}
