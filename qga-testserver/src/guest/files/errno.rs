use crate::profile::Platform;

/// Why an operation failed, as the C library says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errno {
    BadDescriptor,
    Exists,
    Invalid,
    IllegalSeek,
    IsFolder,
    NotFolder,
    NameTooLong,
    NotFound,
    NoDevice,
    NoSpace,
    TooManyLinks,
    TooManyOpen,
    TryAgain,
    /// None was set.
    Unknown,
}

impl Errno {
    pub(super) fn text(self) -> &'static [u8] {
        match self {
            Errno::BadDescriptor => b"Bad file descriptor",
            Errno::Exists => b"File exists",
            Errno::Invalid => b"Invalid argument",
            Errno::IllegalSeek => b"Illegal seek",
            Errno::IsFolder => b"Is a directory",
            Errno::NotFolder => b"Not a directory",
            Errno::NameTooLong => b"File name too long",
            Errno::NotFound => b"No such file or directory",
            Errno::NoDevice => b"No such device or address",
            Errno::NoSpace => b"No space left on device",
            Errno::TooManyLinks => b"Too many levels of symbolic links",
            Errno::TooManyOpen => b"Too many open files",
            Errno::TryAgain => b"Resource temporarily unavailable",
            Errno::Unknown => b"",
        }
    }

    /// Why a file could not be opened: Windows has words of its own.
    pub(super) fn opening(self, platform: Platform) -> &'static [u8] {
        match (platform, self) {
            (Platform::Windows, Errno::NotFound) => b"The system cannot find the file specified.",
            (Platform::Windows, Errno::NotFolder) => b"The system cannot find the path specified.",
            (Platform::Windows, Errno::NameTooLong) => {
                b"The filename, directory name, or volume label syntax is incorrect."
            }
            (Platform::Windows, _) => b"Access is denied.",
            (Platform::FreeBsd, Errno::NoDevice) => b"Device not configured",
            _ => self.text(),
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        // All of them are ASCII.
        std::str::from_utf8(self.text()).unwrap_or_default()
    }
}
