//! Where is looked.

use std::env;
use std::path::{Path, PathBuf};

use crate::transport::Address;

/// Where is looked; tests have their own.
#[derive(Debug)]
pub(super) struct Roots {
    /// The processes, as in `/proc`.
    pub(super) proc: PathBuf,
    pub(super) places: Vec<Place>,
}

/// A place where channels usually are.
#[derive(Debug)]
pub(super) enum Place {
    /// A folder of libvirt. Each domain has a folder in it, such as `3-web` or `domain-3-web`, or a socket, such
    /// as `web.org.qemu.guest_agent.0` or `web.agent`.
    Libvirt(PathBuf),
    /// A folder with a folder for each user, and in it one of libvirt's.
    LibvirtSessions(PathBuf),
    /// A folder with a socket `VMID.qga` for each guest, which is how Proxmox VE names them.
    Proxmox(PathBuf),
    /// The socket of one guest.
    Socket(PathBuf),
    /// The channel that somebody asks for.
    Asked(Address),
}

/// What a user's session of libvirt has below `XDG_RUNTIME_DIR`.
pub(super) const SESSION: &str = "libvirt/qemu/run/channel";

impl Roots {
    pub(super) fn of_this_host() -> Self {
        let mut places = vec![
            Place::Libvirt("/run/libvirt/qemu/channel".into()),
            Place::Libvirt("/var/lib/libvirt/qemu/channel/target".into()),
            // Of oVirt, and of libvirt before 1.0.6, whose users chose a path.
            Place::Libvirt("/var/lib/libvirt/qemu/channels".into()),
            Place::Libvirt("/var/lib/libvirt/qemu".into()),
            Place::Libvirt("/run/kubevirt-private/libvirt/qemu/channel/target".into()),
            Place::Libvirt("/run/kubevirt-private/libvirt/qemu/run/channel".into()),
            Place::LibvirtSessions("/run/user".into()),
            Place::Proxmox("/run/qemu-server".into()),
            Place::Socket("/run/qga.sock".into()),
            Place::Socket("/tmp/qga.sock".into()),
        ];
        let folder = |name| env::var_os(name).map(PathBuf::from);
        let folder = |name| folder(name).filter(|path| path.is_absolute());
        let own = folder("XDG_RUNTIME_DIR").filter(|path| !path.starts_with("/run/user"));
        places.extend(own.map(|path| Place::Libvirt(path.join(SESSION))));
        let config = folder("XDG_CONFIG_HOME");
        let config = config.or_else(|| Some(folder("HOME")?.join(".config")));
        let target = Path::new("libvirt/qemu/channel/target");
        places.extend(config.map(|path| Place::Libvirt(path.join(target))));
        Self {
            proc: "/proc".into(),
            places,
        }
    }
}
