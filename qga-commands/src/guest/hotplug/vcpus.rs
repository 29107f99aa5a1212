//! Processors.

use std::collections::BTreeMap;

use super::{AT_ONCE, Guest, GuestError, partial};
use crate::commands::cpu::{GetVcpus, GuestLogicalProcessor, SetVcpus};

/// How often the agent may stop before the end of a list.
const MOST_STOPS: usize = 16;

impl Guest {
    /// The guest's processors, by their numbers.
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

    /// Takes processors online or offline, one after the other. The others stay as they are.
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
    /// [`GuestError::InvalidInput`], with nothing changed, if one is to go offline of which the guest
    /// does not say that it can. [`GuestError::Partial`] if the first ones were done and then one
    /// failed. Otherwise as [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// The first ones may be done, and the rest not. Doing it again does no harm.
    pub async fn set_vcpus(
        &self,
        vcpus: impl IntoIterator<Item = GuestLogicalProcessor>,
    ) -> Result<(), GuestError> {
        let wanted: Vec<_> = vcpus.into_iter().collect();
        if wanted.iter().any(|vcpu| !vcpu.online) {
            let known = self.vcpus().await?;
            if !wanted
                .iter()
                .all(|vcpu| vcpu.online || can_go(&known, vcpu))
            {
                let text = "a processor is to go offline that cannot, or is not there";
                return Err(GuestError::InvalidInput(text));
            }
        }
        self.send_vcpus(&wanted).await
    }

    /// Takes processors online, the lowest numbers first, or offline, the highest first, until so many
    /// are online. What it has changed comes back, empty if there was nothing to do.
    ///
    /// Since QEMU 1.5.
    ///
    /// # Errors
    ///
    /// [`GuestError::InvalidInput`], with nothing changed, if the guest has too few processors, or
    /// too many that cannot go offline. Otherwise as [`set_vcpus`](Self::set_vcpus).
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
                let text = "it did more processors than were asked for, or none";
                return Err(GuestError::Unexpected(text));
            };
            *done += rest.len() - left.len();
            rest = left;
            if rest.is_empty() {
                return Ok(());
            }
        }
        Err(GuestError::Unexpected("it stops again and again"))
    }
}

fn can_go(known: &[GuestLogicalProcessor], wanted: &GuestLogicalProcessor) -> bool {
    let mut known = known.iter();
    known.any(|vcpu| vcpu.logical_id == wanted.logical_id && vcpu.can_offline == Some(true))
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
    if count == 0 || changes.len() < missing {
        let text = "the guest cannot have so many or so few processors online";
        return Err(GuestError::InvalidInput(text));
    }
    Ok(changes)
}
