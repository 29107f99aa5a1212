use crate::files::Files;

/// The machine behind the agent: a small Debian.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) host_name: &'static str,
    /// Nanoseconds since 1970; it stands still, so that tests can compare.
    pub(crate) time: i64,
    pub(crate) timezone: Timezone,
    pub(crate) os_info: &'static [(&'static str, &'static str)],
    pub(crate) interfaces: &'static [Interface],
    pub(crate) files: Files,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timezone {
    pub(crate) name: &'static str,
    /// Seconds east of UTC.
    pub(crate) offset: i64,
}

#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) name: &'static str,
    pub(crate) hardware_address: &'static str,
    pub(crate) ip_addresses: &'static [IpAddress],
    /// Received, and sent.
    pub(crate) bytes: i64,
    pub(crate) packets: i64,
}

#[derive(Debug)]
pub(crate) struct IpAddress {
    pub(crate) address: &'static str,
    pub(crate) prefix: i64,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            host_name: "test-guest",
            time: 1_700_000_000_000_000_000,
            timezone: Timezone {
                name: "UTC",
                offset: 0,
            },
            os_info: OS_INFO,
            interfaces: INTERFACES,
            files: Files::default(),
        }
    }
}

const OS_INFO: &[(&str, &str)] = &[
    ("kernel-release", "6.12.43+deb13-amd64"),
    (
        "kernel-version",
        "#1 SMP PREEMPT_DYNAMIC Debian 6.12.43-1 (2025-08-27)",
    ),
    ("machine", "x86_64"),
    ("id", "debian"),
    ("name", "Debian GNU/Linux"),
    ("pretty-name", "Debian GNU/Linux 13 (trixie)"),
    ("version", "13 (trixie)"),
    ("version-id", "13"),
];

const INTERFACES: &[Interface] = &[
    Interface {
        name: "lo",
        hardware_address: "00:00:00:00:00:00",
        ip_addresses: &[
            IpAddress {
                address: "127.0.0.1",
                prefix: 8,
            },
            IpAddress {
                address: "::1",
                prefix: 128,
            },
        ],
        bytes: 8_640,
        packets: 96,
    },
    Interface {
        name: "eth0",
        hardware_address: "52:54:00:12:34:56",
        ip_addresses: &[
            IpAddress {
                address: "192.0.2.10",
                prefix: 24,
            },
            IpAddress {
                address: "fe80::5054:ff:fe12:3456",
                prefix: 64,
            },
        ],
        bytes: 1_048_576,
        packets: 2_048,
    },
];
