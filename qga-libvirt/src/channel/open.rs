//! Opening a port.

use std::io;

use super::closing;
use super::port::{Port, refused};
use crate::connection::Dialog;
use crate::dial::dial_alone;
use crate::target::{ChannelTarget, DomainKey};
use crate::wire::agent_port::AgentPort;
use crate::wire::call::{LookupByName, LookupByUuid, XmlDesc};
use crate::wire::types::Domain;

/// Opens a port on a connection of its own.
pub(super) async fn open(target: &ChannelTarget) -> io::Result<(Dialog, Port)> {
    let mut dialog = dial_alone(&target.daemon).await?;
    let domain = find(&mut dialog, target).await?;
    let port = Port {
        daemon: target.daemon.clone(),
        domain,
        name: target.port.clone(),
    };
    closing::wait(&port).await;
    port.open(&mut dialog, target.is_forced).await?;
    Ok((dialog, port))
}

/// The domain, which runs and has the port.
async fn find(dialog: &mut Dialog, target: &ChannelTarget) -> io::Result<Domain> {
    let (name, daemon) = (target.domain.to_string(), &target.daemon);
    let found = match &target.domain {
        DomainKey::Name(name) => dialog.call(&LookupByName(name)).await,
        DomainKey::Uuid(uuid) => dialog.call(&LookupByUuid(*uuid)).await,
    };
    let domain = found.map_err(|error| refused(error, &name, daemon))?;
    if domain.id.is_none() {
        let words = format!("the domain {name} of {daemon} is off");
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, words));
    }
    // The daemon knows ports by made-up names too, by which the port of its own agent could be opened.
    let xml = dialog.call(&XmlDesc(&domain)).await;
    let xml = xml.map_err(|error| refused(error, &name, daemon))?;
    if AgentPort::named(&xml, &target.port) == AgentPort::Missing {
        let words = format!(
            "the domain {name} has no channel with the target {}; add one to its XML and start the domain anew",
            target.port
        );
        return Err(io::Error::new(io::ErrorKind::NotFound, words));
    }
    Ok(domain)
}
