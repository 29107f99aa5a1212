//! Files read and written as a whole.

use super::OpenOptions;
use crate::guest::pace::{self, Pace};
use crate::guest::{Guest, GuestError};

/// A guest could make a file as long as it likes, so there is an end, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;

/// How many reads make a run.
const RUN: usize = 16;

impl Guest {
    /// Reads a whole file of at most 64 MiB. It is read to its end, whatever length the guest tells, so this also works
    /// for the files of `/proc`.
    ///
    /// There is no limit of time, but at least 8 MiB, or what is left of the file, have to arrive in each ten minutes.
    ///
    /// # Errors
    ///
    /// As [`Guest::execute`], [`GuestError::TooLarge`] and [`GuestError::TooSlow`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed in the guest. The next operation on the guest closes the file.
    pub async fn read(&self, path: impl Into<String>) -> Result<Vec<u8>, GuestError> {
        self.read_up_to(path, LONGEST).await
    }

    /// Reads a whole file of at most 64 MiB that is UTF-8.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`GuestError::NotText`].
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    pub async fn read_to_string(&self, path: impl Into<String>) -> Result<String, GuestError> {
        let path = path.into();
        let bytes = self.read(&*path).await?;
        String::from_utf8(bytes).map_err(|error| {
            let source = error.utf8_error();
            GuestError::NotText { path, source }
        })
    }

    /// Writes a whole file. It is created if it does not exist; otherwise its content is replaced. A full disk is an
    /// error.
    ///
    /// Until this is done, the file holds only a part of the bytes, and after a power failure it may hold none. Where
    /// that matters, [`upload`](Self::upload) the file. There is no limit of time, but at least 8 MiB, or what is left,
    /// have to be written in each ten minutes.
    ///
    /// # Errors
    ///
    /// As [`Guest::execute`], and [`GuestError::TooSlow`]. The file may then hold a part of the bytes.
    ///
    /// # Cancel safety
    ///
    /// The file may then hold a part of the bytes. The next operation on the guest closes it.
    pub async fn write(
        &self,
        path: impl Into<String>,
        bytes: impl AsRef<[u8]>,
    ) -> Result<(), GuestError> {
        let mut pace = Pace::new();
        let mut options = OpenOptions::new();
        options.write(true).truncate(true).create(true);
        let mut handle = options.open_handle(self, path).await?;
        let bytes = bytes.as_ref();
        let most = handle.write_chunk();
        if bytes.len() > most {
            // It takes long, so it must be known whose the open file is.
            self.get_acquainted().await;
        }
        for chunk in bytes.chunks(most) {
            pace::until(pace.end(), handle.write(chunk)).await?;
            pace.moved(chunk.len() as u64);
        }
        handle.close().await
    }

    async fn read_up_to(
        &self,
        path: impl Into<String>,
        limit: usize,
    ) -> Result<Vec<u8>, GuestError> {
        let mut pace = Pace::new();
        let path = path.into();
        let mut options = OpenOptions::new();
        let mut handle = options.read(true).open_handle(self, &*path).await?;
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            let take = |chunk: Vec<u8>| {
                bytes.extend_from_slice(&chunk);
                bytes.len() <= limit
            };
            let is_end = pace::until(pace.end(), handle.read_run(RUN, take)).await?;
            pace.moved((bytes.len() - before) as u64);
            if bytes.len() > limit {
                return Err(GuestError::TooLarge { path, limit });
            }
            if is_end {
                break;
            }
            self.get_acquainted().await;
        }
        // The bytes are there, whatever becomes of the handle.
        handle.close_quietly().await;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::agent::Ping;
    use qga_core::Client;
    use qga_testserver::TestAgent;

    #[tokio::test]
    async fn a_file_that_has_no_end_is_not_read_as_a_whole() {
        let (agent, stream) = TestAgent::in_memory();
        let guest = Guest::new(Client::new(stream));
        agent.file("/dev/zero", "");
        let endless = serde_json::json!({"count": 3, "buf-b64": "AAAA", "eof": false});
        agent.on("guest-file-read").reply(endless);
        let error = guest.read_up_to("/dev/zero", 1000).await.unwrap_err();
        let text =
            "the guest's file \"/dev/zero\" is longer than the 1000 bytes that are read at once";
        assert!(error.to_string().starts_with(text), "{error}");
        guest.execute(Ping).await.unwrap();
        let closes = agent.requests_of("guest-file-close");
        let of_it = closes.iter().filter(|it| it.arguments["handle"] == 1000);
        assert_eq!(of_it.count(), 1);
    }
}
