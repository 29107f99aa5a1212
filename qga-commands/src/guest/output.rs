//! How a program ended and what it wrote.

use std::borrow::Cow;
use std::fmt;
use std::process::ExitCode;
use std::str::Utf8Error;

use crate::commands::exec::GuestExecStatus;

/// As much of a stream as the agent keeps, in bytes.
pub(super) const KEPT: usize = 16 * 1024 * 1024;

/// How a program ended and what it wrote.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
    /// Whether one of the streams may be cut: the agent says so, or it is exactly as long as what
    /// the agent keeps, 16 MiB. Some agents (10.0.2 does) say false where they mean true.
    pub truncated: bool,
}

impl Output {
    /// The output of a program that has ended, such as a test of your own code needs. It is not
    /// [`truncated`](Self::truncated).
    ///
    /// ```
    /// use qga_commands::guest::process::{ExitStatus, Output};
    ///
    /// fn version(output: &Output) -> Option<String> {
    ///     let version = output.status.success().then(|| output.stdout_lossy())?;
    ///     Some(version.trim().to_owned())
    /// }
    ///
    /// let output = Output::new(ExitStatus::from_code(0), "6.12.43\n", "");
    /// assert_eq!(version(&output).as_deref(), Some("6.12.43"));
    /// let output = Output::new(ExitStatus::from_signal(9), "", "");
    /// assert_eq!(version(&output), None);
    /// ```
    #[must_use]
    pub fn new(status: ExitStatus, stdout: impl Into<Vec<u8>>, stderr: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            stdout: stdout.into(),
            stderr: stderr.into(),
            truncated: false,
        }
    }

    /// Its standard output as text.
    ///
    /// # Errors
    ///
    /// When it is not UTF-8.
    pub fn stdout_text(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(&self.stdout)
    }

    /// Its standard error as text.
    ///
    /// # Errors
    ///
    /// When it is not UTF-8.
    pub fn stderr_text(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(&self.stderr)
    }

    /// Its standard output as text; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn stdout_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Its standard error as text; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn stderr_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}

impl From<GuestExecStatus> for Output {
    fn from(ended: GuestExecStatus) -> Self {
        let stdout = ended.out_data.unwrap_or_default().into_vec();
        let stderr = ended.err_data.unwrap_or_default().into_vec();
        // 10.0.2 mentions truncation only where it happened, as false; the length tells it then.
        let said = [ended.out_truncated, ended.err_truncated].contains(&Some(true));
        let truncated = said || stdout.len() >= KEPT || stderr.len() >= KEPT;
        Self {
            status: ExitStatus {
                code: ended.exit_code,
                signal: ended.signal,
            },
            stdout,
            stderr,
            truncated,
        }
    }
}

/// The lengths of the streams only, since they may be long and hold secrets.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("status", &self.status)
            .field("stdout", &format_args!("{} bytes", self.stdout.len()))
            .field("stderr", &format_args!("{} bytes", self.stderr.len()))
            .field("truncated", &self.truncated)
            .finish()
    }
}

/// How a program ended: by itself with a code, or by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExitStatus {
    code: Option<i64>,
    signal: Option<i64>,
}

impl ExitStatus {
    /// The status of a program that has ended by itself and returned this code.
    #[must_use]
    pub const fn from_code(code: i64) -> Self {
        Self {
            code: Some(code),
            signal: None,
        }
    }

    /// The status of a program that was killed by this signal or, on Windows, ended by this exception.
    #[must_use]
    pub const fn from_signal(signal: i64) -> Self {
        Self {
            code: None,
            signal: Some(signal),
        }
    }

    /// What the program returned: 0 to 255, on Windows up to 4,294,967,295. `None` if it was killed.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.code
    }

    /// The signal that killed it; on Windows, the exception.
    #[must_use]
    pub fn signal(&self) -> Option<i64> {
        self.signal
    }

    /// Whether it ended by itself and returned 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == Some(0) && self.signal.is_none()
    }
}

/// As a shell tells it: the code, 128 and the number of the signal, and 255 for what is not known or does not
/// fit. Only success becomes 0.
///
/// ```no_run
/// # use std::process::ExitCode;
/// # async fn example(guest: qga_commands::Guest) -> Result<ExitCode, qga_commands::GuestError> {
/// let status = guest.command("systemctl").args(["is-active", "nginx"]).status().await?;
/// Ok(status.into())
/// # }
/// ```
impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        let code = match (status.code, status.signal) {
            (_, Some(signal @ 1..)) => u8::try_from(signal.saturating_add(128)).ok(),
            (Some(code), None) => u8::try_from(code).ok(),
            _ => None,
        };
        Self::from(code.unwrap_or(u8::MAX))
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (_, Some(signal)) => write!(f, "signal {signal}"),
            (Some(code), None) => write!(f, "exit code {code}"),
            (None, None) => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_0_for_success_alone() {
        for (code, signal, wanted) in [
            (Some(0), None, 0),
            (Some(3), None, 3),
            (Some(255), None, 255),
            (Some(256), None, 255),
            (Some(4_294_967_295), None, 255),
            (Some(-1), None, 255),
            (None, Some(9), 137),
            (Some(0), Some(9), 137),
            (None, Some(200), 255),
            (None, Some(-128), 255),
            (None, None, 255),
        ] {
            let status = ExitStatus { code, signal };
            // It can be compared by what it shows only.
            let shown = |code: ExitCode| format!("{code:?}");
            assert_eq!(
                shown(status.into()),
                shown(ExitCode::from(wanted)),
                "{status}"
            );
        }
    }
}
