//! Giving the free blocks of the guest's filesystems back to the host.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
//! for filesystem in guest.fstrim().minimum(1 << 20).await? {
//!     match filesystem.trimmed {
//!         Ok(Some(bytes)) => println!("{}: {bytes} bytes", filesystem.path),
//!         Ok(None) => println!("{}: done", filesystem.path),
//!         Err(error) => println!("{}: {error}", filesystem.path),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use qga_core::Excerpt;

use super::{Guest, GuestError};
use crate::commands::fs::{Fstrim, GuestFilesystemTrimResult};

/// How long a trim may take unless another time is given.
const TIMEOUT: Duration = Duration::from_secs(600);

const TOO_LARGE: &str = "the minimum of a trim is more than 9223372036854775807 bytes, which is the most that an agent reads";

/// A trim of the guest's filesystems that is to be made: await it. Made by [`Guest::fstrim`].
///
/// What came of each filesystem is told in the order of the guest. One that cannot be trimmed is no
/// error of the whole. The agent does nothing else meanwhile.
///
/// # Errors
///
/// [`GuestError::InvalidInput`] for a minimum above `i64::MAX`. Otherwise as [`Guest::execute`]. After
/// the [timeout](FilesystemTrim::timeout) the trim goes on in the guest, and other commands wait for it.
///
/// # Cancel safety
///
/// The trim goes on in the guest. Trimming again does no harm.
#[derive(Clone, Debug)]
#[must_use = "nothing is trimmed until it is awaited"]
pub struct FilesystemTrim {
    guest: Guest,
    minimum: u64,
    timeout: Duration,
}

/// What came of trimming one filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrimmedFilesystem {
    /// Where it is mounted.
    pub path: String,
    /// How many bytes were given back, `None` if the guest does not tell, as Windows does not; or why
    /// it could not be trimmed.
    pub trimmed: Result<Option<u64>, TrimError>,
}

/// Why a filesystem could not be trimmed, in the words of the guest.
#[derive(Clone, PartialEq, Eq)]
pub struct TrimError(String);

impl Guest {
    /// Tells the guest's disks which blocks the mounted filesystems do not use, for ten minutes at most.
    ///
    /// Since QEMU 1.2, on Linux and Windows; what came of each filesystem, since 2.4.
    pub fn fstrim(&self) -> FilesystemTrim {
        FilesystemTrim {
            guest: self.clone(),
            minimum: 0,
            timeout: TIMEOUT,
        }
    }
}

impl FilesystemTrim {
    /// Leaves free stretches alone that are shorter than this, in bytes.
    pub fn minimum(mut self, bytes: u64) -> Self {
        self.minimum = bytes;
        self
    }

    /// How long it may take in all, ten minutes unless set. The client's own timeout does not count.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn run(self) -> Result<Vec<TrimmedFilesystem>, GuestError> {
        let minimum = i64::try_from(self.minimum);
        let minimum = minimum.map_err(|_| GuestError::InvalidInput(TOO_LARGE.into()))?;
        let client = self.guest.client();
        let options = client.options().timeout(self.timeout);
        let patient = Guest::new(client.with_options(options));
        let told = patient.execute(Fstrim::new().minimum(minimum)).await?;
        Ok(told.paths.into_iter().map(Into::into).collect())
    }
}

impl IntoFuture for FilesystemTrim {
    type Output = Result<Vec<TrimmedFilesystem>, GuestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl From<GuestFilesystemTrimResult> for TrimmedFilesystem {
    fn from(told: GuestFilesystemTrimResult) -> Self {
        let bytes = told.trimmed.and_then(|bytes| u64::try_from(bytes).ok());
        Self {
            path: told.path,
            trimmed: told.error.map_or(Ok(bytes), |text| Err(TrimError(text))),
        }
    }
}

impl TrimError {
    /// The guest's words as they came. Show the error itself instead, in which control characters are
    /// escaped and long words are cut.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Excerpt(&self.0).fmt(f)
    }
}

impl fmt::Debug for TrimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrimError").field(&Excerpt(&self.0)).finish()
    }
}

impl std::error::Error for TrimError {}
