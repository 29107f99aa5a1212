//! Every command and type of the crate, by its name on the wire.

use qga_commands::commands::{
    agent, cpu, device, disk, exec, file, fs, memory, net, os, power, ssh, time, user,
};
use qga_core::{QgaCommand, Reply, RetryClass};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Decodes JSON into a type and encodes it again.
pub(crate) type RoundTrip = fn(&str) -> serde_json::Result<String>;

/// What a command's type says of it.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) reply: Reply,
    pub(crate) retry: RetryClass,
    /// For its reply; `None` if there is none.
    pub(crate) round_trip: Option<RoundTrip>,
}

fn round_trip<T: DeserializeOwned + Serialize>(json: &str) -> serde_json::Result<String> {
    serde_json::to_string(&serde_json::from_str::<T>(json)?)
}

fn answered<C: QgaCommand<Response: Serialize>>() -> Command {
    Command {
        name: C::NAME,
        reply: C::REPLY,
        retry: C::RETRY,
        round_trip: Some(round_trip::<C::Response>),
    }
}

fn unanswered<C: QgaCommand<Response = qga_core::NoReply>>() -> Command {
    Command {
        name: C::NAME,
        reply: C::REPLY,
        retry: C::RETRY,
        round_trip: None,
    }
}

/// All commands, in the order of the table.
pub(crate) fn commands() -> Vec<Command> {
    vec![
        answered::<agent::SyncDelimited>(),
        answered::<agent::Sync>(),
        answered::<agent::Ping>(),
        answered::<time::GetTime>(),
        answered::<time::SetTime>(),
        answered::<agent::Info>(),
        unanswered::<power::Shutdown>(),
        answered::<file::FileOpen>(),
        answered::<file::FileClose>(),
        answered::<file::FileRead>(),
        answered::<file::FileWrite>(),
        answered::<file::FileSeek>(),
        answered::<file::FileFlush>(),
        answered::<fs::FsfreezeStatus>(),
        answered::<fs::FsfreezeFreeze>(),
        answered::<fs::FsfreezeFreezeList>(),
        answered::<fs::FsfreezeThaw>(),
        answered::<fs::Fstrim>(),
        unanswered::<power::SuspendDisk>(),
        unanswered::<power::SuspendRam>(),
        unanswered::<power::SuspendHybrid>(),
        answered::<net::NetworkGetInterfaces>(),
        answered::<cpu::GetVcpus>(),
        answered::<cpu::SetVcpus>(),
        answered::<disk::GetDisks>(),
        answered::<fs::GetFsInfo>(),
        answered::<user::SetUserPassword>(),
        answered::<memory::GetMemoryBlocks>(),
        answered::<memory::SetMemoryBlocks>(),
        answered::<memory::GetMemoryBlockInfo>(),
        answered::<exec::ExecStatus>(),
        answered::<exec::Exec>(),
        answered::<os::GetHostName>(),
        answered::<user::GetUsers>(),
        answered::<time::GetTimezone>(),
        answered::<os::GetOsInfo>(),
        answered::<device::GetDevices>(),
        answered::<ssh::SshGetAuthorizedKeys>(),
        answered::<ssh::SshAddAuthorizedKeys>(),
        answered::<ssh::SshRemoveAuthorizedKeys>(),
        answered::<disk::GetDiskStats>(),
        answered::<cpu::GetCpuStats>(),
        answered::<cpu::GetLoad>(),
        answered::<net::NetworkGetRoute>(),
    ]
}

/// All types, by their names in the schema.
pub(crate) const TYPES: &[(&str, RoundTrip)] = &[
    (
        "GuestAgentCommandInfo",
        round_trip::<agent::GuestAgentCommandInfo>,
    ),
    ("GuestAgentInfo", round_trip::<agent::GuestAgentInfo>),
    ("GuestFileRead", round_trip::<file::GuestFileRead>),
    ("GuestFileWrite", round_trip::<file::GuestFileWrite>),
    ("GuestFileSeek", round_trip::<file::GuestFileSeek>),
    (
        "GuestFilesystemTrimResult",
        round_trip::<fs::GuestFilesystemTrimResult>,
    ),
    (
        "GuestFilesystemTrimResponse",
        round_trip::<fs::GuestFilesystemTrimResponse>,
    ),
    ("GuestIpAddress", round_trip::<net::GuestIpAddress>),
    (
        "GuestNetworkInterfaceStat",
        round_trip::<net::GuestNetworkInterfaceStat>,
    ),
    (
        "GuestNetworkInterface",
        round_trip::<net::GuestNetworkInterface>,
    ),
    (
        "GuestLogicalProcessor",
        round_trip::<cpu::GuestLogicalProcessor>,
    ),
    ("GuestPCIAddress", round_trip::<disk::GuestPciAddress>),
    ("GuestCCWAddress", round_trip::<disk::GuestCcwAddress>),
    ("GuestDiskAddress", round_trip::<disk::GuestDiskAddress>),
    ("GuestNVMeSmart", round_trip::<disk::GuestNvmeSmart>),
    ("GuestDiskInfo", round_trip::<disk::GuestDiskInfo>),
    ("GuestFilesystemInfo", round_trip::<fs::GuestFilesystemInfo>),
    ("GuestMemoryBlock", round_trip::<memory::GuestMemoryBlock>),
    (
        "GuestMemoryBlockResponse",
        round_trip::<memory::GuestMemoryBlockResponse>,
    ),
    (
        "GuestMemoryBlockInfo",
        round_trip::<memory::GuestMemoryBlockInfo>,
    ),
    ("GuestExecStatus", round_trip::<exec::GuestExecStatus>),
    ("GuestExec", round_trip::<exec::GuestExec>),
    ("GuestHostName", round_trip::<os::GuestHostName>),
    ("GuestUser", round_trip::<user::GuestUser>),
    ("GuestTimezone", round_trip::<time::GuestTimezone>),
    ("GuestOSInfo", round_trip::<os::GuestOsInfo>),
    ("GuestDeviceIdPCI", round_trip::<device::GuestDeviceIdPci>),
    ("GuestDeviceInfo", round_trip::<device::GuestDeviceInfo>),
    (
        "GuestAuthorizedKeys",
        round_trip::<ssh::GuestAuthorizedKeys>,
    ),
    ("GuestDiskStats", round_trip::<disk::GuestDiskStats>),
    ("GuestDiskStatsInfo", round_trip::<disk::GuestDiskStatsInfo>),
    ("GuestLinuxCpuStats", round_trip::<cpu::GuestLinuxCpuStats>),
    ("GuestLoadAverage", round_trip::<cpu::GuestLoadAverage>),
    ("GuestNetworkRoute", round_trip::<net::GuestNetworkRoute>),
    ("QGASeek", round_trip::<file::QgaSeek>),
    ("GuestFsfreezeStatus", round_trip::<fs::GuestFsfreezeStatus>),
    ("GuestIpAddressType", round_trip::<net::GuestIpAddressType>),
    ("GuestDiskBusType", round_trip::<disk::GuestDiskBusType>),
    (
        "GuestMemoryBlockResponseType",
        round_trip::<memory::GuestMemoryBlockResponseType>,
    ),
    (
        "GuestExecCaptureOutputMode",
        round_trip::<exec::GuestExecCaptureOutputMode>,
    ),
    ("GuestDeviceType", round_trip::<device::GuestDeviceType>),
    ("GuestCpuStatsType", round_trip::<cpu::GuestCpuStatsType>),
    ("GuestFileWhence", round_trip::<file::GuestFileWhence>),
    (
        "GuestExecCaptureOutput",
        round_trip::<exec::GuestExecCaptureOutput>,
    ),
    ("GuestDiskSmart", round_trip::<disk::GuestDiskSmart>),
    ("GuestDeviceId", round_trip::<device::GuestDeviceId>),
    ("GuestCpuStats", round_trip::<cpu::GuestCpuStats>),
];
