//! Whom a copy belongs to.

use super::CopyFault;
use super::entry::{Entry, Owner};
use super::listing::Listing;
use super::names::join;
use super::steps::{batches, make_folders, most};
use crate::guest::scripts::SET_OWNER;
use crate::guest::shell::{NO_SHELL, SCRIPT_TIMEOUT};
use crate::guest::{Guest, GuestError};

/// Whom a copy is to belong to.
#[derive(Debug, Default)]
pub(super) enum Ownership {
    /// The user as whom the agent or this program runs.
    #[default]
    Ours,
    /// This user, group or both of the guest.
    Given(String),
    /// The same numbers as the source.
    Kept,
}

/// What stands beside the paths: the owner, and the name of the script.
const BESIDE: usize = 256;

const NO_OWNERS: &str = "this host does not know the owners of files by numbers";
const NEEDS_SHELL: &str =
    "owners are set by a POSIX shell of the guest, and the agent does not run one";
const NEEDS_ROOT: &str =
    "its owner is another user, and only root may give files to others on this host";
const NO_NUMBER: &str = "the guest does not tell its owner";

impl Ownership {
    /// Whether it can be what the user has typed.
    pub(super) fn check(&self, is_upload: bool) -> Result<(), GuestError> {
        let Self::Given(owner) = self else {
            return Ok(());
        };
        let refused = |why: &'static str| Err(GuestError::InvalidInput(why.into()));
        if !is_upload {
            return refused("an owner can only be given to what is uploaded");
        }
        let (user, group) = match owner.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (&**owner, None),
        };
        let odd = |name: &str| {
            name.starts_with('-') || name.contains([':', '/']) || name.contains(char::is_control)
        };
        match (user, group) {
            ("", None) | (_, Some("")) => refused("an owner is USER, USER:GROUP or :GROUP"),
            _ if odd(user) || group.is_some_and(odd) || owner.len() > 200 => {
                refused("the owner is no name and no number")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Ours)
    }

    /// Fails if a guest without a shell would have to set it.
    pub(super) fn without_shell(&self, remote: &str) -> Result<(), GuestError> {
        if self.is_ours() {
            Ok(())
        } else {
            Err(CopyFault::Refused(NEEDS_SHELL).at(remote))
        }
    }

    /// Whom an entry is to belong to in the guest, as `chown` takes it.
    fn of(&self, entry: &Entry) -> Option<String> {
        match self {
            Self::Ours => None,
            Self::Given(owner) => Some(owner.clone()),
            Self::Kept => {
                let Owner { user, group } = entry.meta?.owner?;
                Some(format!("{user}:{group}"))
            }
        }
    }
}

/// Tries in the guest whether the agent may set the owner, before anything is copied.
pub(super) async fn try_in_guest(
    guest: &Guest,
    ownership: &Ownership,
    listing: &Listing,
    [content, remote]: [&str; 2],
) -> Result<(), GuestError> {
    if ownership.is_ours() {
        return Ok(());
    }
    let owner = listing.entries.first().and_then(|root| ownership.of(root));
    let owner = owner.ok_or_else(|| CopyFault::Refused(NO_OWNERS).at(remote))?;
    let folder = format!("{content}-owner");
    make_folders(guest, std::slice::from_ref(&folder)).await?;
    set(guest, &owner, &[&folder], remote).await
}

/// Sets the owner in the guest of all that lies in `content`.
pub(super) async fn set_in_guest(
    guest: &Guest,
    ownership: &Ownership,
    listing: &Listing,
    [content, remote]: [&str; 2],
) -> Result<(), GuestError> {
    let entries = listing.entries.iter();
    let mut changes: Vec<_> = entries
        .filter_map(|entry| Some((ownership.of(entry)?, join(content, &entry.path))))
        .collect();
    // The innermost first: whoever may not go through a folder any more does not need to.
    changes.reverse();
    changes.sort_by(|(a, _), (b, _)| a.cmp(b));
    let most = most(guest, SET_OWNER).saturating_sub(BESIDE);
    for alike in changes.chunk_by(|(a, _), (b, _)| a == b) {
        let owner = alike.first().map_or("", |(owner, _)| owner);
        for batch in batches(alike.iter().map(|(_, path)| path.as_str()), most) {
            set(guest, owner, &batch, remote).await?;
        }
    }
    Ok(())
}

async fn set(guest: &Guest, owner: &str, paths: &[&str], shown: &str) -> Result<(), GuestError> {
    let args = [&[owner], paths].concat();
    match SET_OWNER.run(guest, &args, SCRIPT_TIMEOUT).await? {
        Some(output) if output.status.success() => Ok(()),
        Some(output) => Err(CopyFault::Program(output).at(shown)),
        None => Err(CopyFault::Refused(NO_SHELL).at(shown)),
    }
}

/// Fails if this host may not keep the owners that a guest has listed, and forgets them if it is not to.
pub(super) fn prepare_here(
    ownership: &Ownership,
    listing: &mut Listing,
    remote: &str,
) -> Result<(), GuestError> {
    let (kept, us) = (matches!(ownership, Ownership::Kept), us());
    for entry in &mut listing.entries {
        match &mut entry.meta {
            Some(meta) if !kept => meta.owner = None,
            _ if !kept => {}
            meta => {
                let owner = meta.and_then(|meta| meta.owner);
                may_keep(owner, us).map_err(|fault| fault.at(join(remote, &entry.path)))?;
            }
        }
    }
    Ok(())
}

/// The number of the user as whom this program runs, where there are such numbers.
#[cfg(unix)]
#[allow(
    clippy::unnecessary_wraps,
    reason = "other systems have no such numbers"
)]
fn us() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn us() -> Option<u32> {
    None
}

fn may_keep(owner: Option<Owner>, us: Option<u32>) -> Result<(), CopyFault> {
    /// It is taken for none by what sets it.
    const NONE: u32 = u32::MAX;
    let us = us.ok_or(CopyFault::Refused(NO_OWNERS))?;
    match owner {
        None => Err(CopyFault::Refused(NEEDS_SHELL)),
        Some(Owner { user, group }) if user == NONE || group == NONE => {
            Err(CopyFault::Refused(NO_NUMBER))
        }
        Some(owner) if us != 0 && owner.user != us => Err(CopyFault::Refused(NEEDS_ROOT)),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_may_give_files_to_others() {
        let owner = |user| Some(Owner { user, group: 7 });
        for us in [0, 1000] {
            assert!(may_keep(owner(1000), Some(us)).is_ok(), "{us}");
            assert!(may_keep(None, Some(us)).is_err(), "{us}");
        }
        assert!(may_keep(owner(1001), Some(0)).is_ok());
        assert!(may_keep(owner(1001), Some(1000)).is_err());
        assert!(may_keep(owner(0), Some(1000)).is_err());
        assert!(may_keep(owner(1000), None).is_err());
    }

    #[test]
    fn an_owner_is_a_user_a_group_or_both() {
        let check = |owner: &str| Ownership::Given(owner.into()).check(true);
        for owner in [
            "root",
            "0",
            "www-data:adm",
            ":adm",
            "1000:1000",
            "a.b",
            "DOMAIN\\me",
        ] {
            assert!(check(owner).is_ok(), "{owner}");
        }
        let bad = [
            "",
            ":",
            "a:",
            "a:b:c",
            "-R",
            "a:-R",
            "a\0b",
            "a\nb",
            "a/b",
            &"x".repeat(201),
        ];
        for owner in bad {
            assert!(check(owner).is_err(), "{owner}");
        }
        assert!(Ownership::Given("root".into()).check(false).is_err());
    }
}
