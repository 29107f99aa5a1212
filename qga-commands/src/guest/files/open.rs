//! How a file is opened.

use super::File;
use super::handle::Handle;
use crate::commands::file::FileOpen;
use crate::guest::{Guest, GuestError};
use crate::incarnation::{AgentResource, Agents, Owned};

/// How to open a file of the guest, as with [`std::fs::OpenOptions`].
///
/// The agent opens files as C's `fopen` does. So a file that is created is also truncated, unless it is opened for
/// appending, and a file that is opened for appending is also created.
///
/// ```no_run
/// # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
/// use qga_commands::guest::files::OpenOptions;
///
/// let log = OpenOptions::new()
///     .append(true)
///     .create(true)
///     .open(&guest, "/var/log/backup.log")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "as in std::fs")]
pub struct OpenOptions {
    read: bool,
    write: bool,
    append: bool,
    truncate: bool,
    create: bool,
}

impl OpenOptions {
    /// Options of which none is set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the file can be read.
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.read = read;
        self
    }

    /// Whether the file can be written. Without `create` and `truncate`, the agent also needs the permission to read the
    /// file.
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.write = write;
        self
    }

    /// Whether each write goes to the end that the file has at that time. This needs `create`.
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.append = append;
        self
    }

    /// Whether an existing file is emptied. This needs `create`.
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.truncate = truncate;
        self
    }

    /// Whether a file is created if it does not exist. This needs `append` or `truncate`.
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.create = create;
        self
    }

    /// Opens a file of the guest.
    ///
    /// # Errors
    ///
    /// [`GuestError::InvalidInput`] for a combination of options that the agent does not have; otherwise as
    /// [`Guest::execute`].
    ///
    /// # Cancel safety
    ///
    /// The file is still opened, and the next operation on the guest closes it. If the agent's answer is lost, the file
    /// may stay open for as long as the agent runs.
    pub async fn open(&self, guest: &Guest, path: impl Into<String>) -> Result<File, GuestError> {
        // It is made to last, so it must be known whose it is.
        self.mode().ok_or_else(|| self.invalid())?;
        guest.get_acquainted().await;
        self.open_handle(guest, path).await.map(File::new)
    }

    fn invalid(self) -> GuestError {
        let set = [
            (self.read, "read"),
            (self.write, "write"),
            (self.append, "append"),
            (self.truncate, "truncate"),
            (self.create, "create"),
        ];
        let set: Vec<_> = set
            .iter()
            .filter(|(set, _)| *set)
            .map(|set| set.1)
            .collect();
        let set = match &*set {
            [] => "no options".to_owned(),
            set => set.join(", "),
        };
        let text = format!(
            "an agent cannot open a file with {set}: it takes read, or write, or write with truncate and create, \
             or append with create"
        );
        GuestError::InvalidInput(text.into())
    }

    pub(in crate::guest) async fn open_handle(
        &self,
        guest: &Guest,
        path: impl Into<String>,
    ) -> Result<Handle, GuestError> {
        let mode = self.mode().ok_or_else(|| self.invalid())?;
        let request = FileOpen::new(path).mode(mode);
        let (guest, append) = (guest.clone(), self.append);
        // In a task of its own, so that the handle becomes known and can be closed.
        let opening = tokio::spawn(async move {
            let agents = Agents::of(&guest.client);
            let highest = agents.highest_handle();
            let (number, contact) = guest.execute_with_contact(request).await?;
            agents.opened(number, highest, contact);
            let origin = agents.answering(contact, &guest.client);
            let file = Owned::new(AgentResource::File(number), Some(origin));
            Ok(Handle::new(guest, file, append))
        });
        opening.await.unwrap_or(Err(GuestError::Stopped))
    }

    /// In the letters of `fopen`; binary, so that Windows changes nothing.
    fn mode(self) -> Option<&'static str> {
        let writes = (self.write, self.append, self.truncate, self.create);
        match (self.read, writes) {
            (true, (false, false, false, false)) => Some("rb"),
            (_, (true, false, false, false)) => Some("rb+"),
            (false, (true, false, true, true)) => Some("wb"),
            (true, (true, false, true, true)) => Some("wb+"),
            (false, (_, true, false, true)) => Some("ab"),
            (true, (_, true, false, true)) => Some("ab+"),
            _ => None,
        }
    }
}

impl Guest {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// As [`OpenOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`OpenOptions::open`].
    pub async fn open(&self, path: impl Into<String>) -> Result<File, GuestError> {
        OpenOptions::new().read(true).open(self, path).await
    }

    /// Opens a file for writing. It is created if it does not exist, and emptied otherwise.
    ///
    /// # Errors
    ///
    /// As [`OpenOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`OpenOptions::open`].
    pub async fn create(&self, path: impl Into<String>) -> Result<File, GuestError> {
        let mut options = OpenOptions::new();
        options.write(true).truncate(true).create(true);
        options.open(self, path).await
    }
}
