//! Who is connected to a guest's channel in this program's place.

use qga_core::Address;
use qga_core::discover::{Found, Holder, Process, look_at};

/// Says which program of this host an agent serves instead, if that is seen.
pub(crate) fn of(address: &str) -> Option<String> {
    let address: Address = address.parse().ok()?;
    let found = look_at(&address)?;
    let Holder::Process(process) = &found.holder else {
        return None;
    };
    let is_other = process.pid != std::process::id();
    is_other.then(|| format!("{process} holds {address}: {}", advice(&found, process)))
}

/// What to do about it.
pub(crate) fn advice(found: &Found, holder: &Process) -> String {
    if !["libvirtd", "virtqemud"].contains(&holder.program.as_str()) {
        return "an agent serves one client at a time; wait until that one is done, or end it"
            .to_owned();
    }
    let name = found.guest.as_deref().unwrap_or("NAME");
    format!("libvirt keeps this channel for itself; write libvirt:{name} instead")
}
