//! What an earlier copy has left on this host.

use std::collections::{HashMap, HashSet};
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

/// What an earlier copy has left that is to be there.
#[derive(Default)]
pub(super) struct Left {
    pub(super) parts: Vec<Part>,
    /// All files and folders.
    pub(super) paths: HashSet<String>,
}

/// Adds what lies at a name in a folder of ours and below, and removes what is not to be there. A file that has another
/// name is none that was copied.
pub(super) fn find(
    folder: &Folder,
    name: &str,
    path: &str,
    wanted: &Wanted,
    left: &mut Left,
) -> io::Result<()> {
    match (wanted.get(path), folder.look(name)?) {
        (Some((_, Kind::Folder, _)), Look::Is(Kind::Folder)) => {
            let folder = folder.own_folder(name)?;
            left.paths.insert(path.to_owned());
            for name in folder.names()? {
                match name.to_str() {
                    Some(name) if path.is_empty() => find(&folder, name, name, wanted, left)?,
                    Some(name) => find(&folder, name, &format!("{path}/{name}"), wanted, left)?,
                    None => folder.remove(&name)?,
                }
            }
            Ok(())
        }
        (Some((index, Kind::File, size)), Look::Is(Kind::File)) if folder.is_single(name)? => {
            left.paths.insert(path.to_owned());
            let file = folder.open_own(name)?;
            let bytes = file.metadata()?.len();
            if (1..=*size).contains(&bytes) {
                let (index, sum) = (*index, sha256(&file, bytes)?);
                left.parts.push(Part { index, bytes, sum });
            }
            Ok(())
        }
        _ => folder.remove(name),
    }
}
