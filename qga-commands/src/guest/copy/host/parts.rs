//! What an earlier copy has left on this host.

use std::collections::HashMap;
use std::io;

use super::folder::{Folder, Look};
use crate::guest::copy::checksum::sha256;
use crate::guest::copy::entry::Kind;

/// The beginning of a file, which may be that of the source.
pub(in crate::guest::copy) struct Part {
    /// The file's number in the list.
    pub(in crate::guest::copy) index: usize,
    pub(in crate::guest::copy) bytes: u64,
    pub(in crate::guest::copy) sum: String,
}

/// What is to be there, by its path: its number in the list, its kind and its size.
pub(in crate::guest::copy) type Wanted = HashMap<String, (usize, Kind, u64)>;

/// Adds the parts of files that lie at a name in a folder of ours and below, and removes what is not to be there.
pub(super) fn find(
    folder: &Folder,
    name: &str,
    path: &str,
    wanted: &Wanted,
    parts: &mut Vec<Part>,
) -> io::Result<()> {
    match (wanted.get(path), folder.look(name)?) {
        (Some((_, Kind::Folder, _)), Look::Is(Kind::Folder)) => {
            let folder = folder.folder(name)?;
            // It may be one that we have just taken that right from.
            folder.allow_changes();
            for name in folder.names()? {
                match name.to_str() {
                    Some(name) if path.is_empty() => find(&folder, name, name, wanted, parts)?,
                    Some(name) => find(&folder, name, &format!("{path}/{name}"), wanted, parts)?,
                    None => folder.remove(&name)?,
                }
            }
            Ok(())
        }
        (Some((index, Kind::File, size)), Look::Is(Kind::File)) => {
            let file = folder.open_own(name)?;
            let bytes = file.metadata()?.len();
            if (1..=*size).contains(&bytes) {
                let (index, sum) = (*index, sha256(&file, bytes)?);
                parts.push(Part { index, bytes, sum });
            }
            Ok(())
        }
        _ => folder.remove(name),
    }
}
