/// Why an operation failed, as the C library says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errno {
    BadDescriptor,
    Exists,
    Invalid,
    IllegalSeek,
    IsFolder,
    NotFolder,
    NotFound,
    NoDevice,
    NoSpace,
    TooManyLinks,
    TooManyOpen,
    TryAgain,
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
            Errno::NotFound => b"No such file or directory",
            Errno::NoDevice => b"No such device or address",
            Errno::NoSpace => b"No space left on device",
            Errno::TooManyLinks => b"Too many levels of symbolic links",
            Errno::TooManyOpen => b"Too many open files",
            Errno::TryAgain => b"Resource temporarily unavailable",
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        // All of them are ASCII.
        std::str::from_utf8(self.text()).unwrap_or_default()
    }
}
