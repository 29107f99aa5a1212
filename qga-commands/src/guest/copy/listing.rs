//! What there is to copy.

use std::collections::HashSet;

use super::entry::{Entry, Kind, Meta, Owner};
use super::{Copied, CopyFault, names};
use crate::guest::records::{Record, records};

/// How many files, folders and links may be copied.
const MOST_ENTRIES: usize = 100_000;
/// How much may be in a file that was listed as empty, in bytes.
pub(super) const EMPTY_LIMIT: u64 = 64 << 20;

/// Files, folders and links, each folder before what is in it; the first is what was named.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    pub(super) skipped: u64,
    /// Of all files, as they were listed or, once they were copied, as they were then.
    pub(super) bytes: u64,
}

impl Listing {
    pub(super) fn add(&mut self, entry: Entry, max_bytes: u64) -> Result<(), CopyFault> {
        if self.entries.len() >= MOST_ENTRIES {
            let text = format!("there are more than {MOST_ENTRIES} files, folders and links");
            return Err(CopyFault::TooMuch(text.into()));
        }
        self.bytes = self.bytes.saturating_add(entry.size);
        if self.bytes > max_bytes {
            return Err(CopyFault::too_many_bytes(max_bytes));
        }
        self.entries.push(entry);
        Ok(())
    }

    pub(super) fn is_folder(&self) -> bool {
        self.entries
            .first()
            .is_some_and(|entry| entry.kind == Kind::Folder)
    }

    pub(super) fn of_kind(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.kind == kind)
    }

    /// It is not known where the links lead to.
    pub(super) fn skip_links(&mut self) {
        let all = self.entries.len();
        self.entries.retain(|entry| entry.kind != Kind::Link);
        self.skipped += (all - self.entries.len()) as u64;
    }

    /// So many bytes of a file were copied.
    pub(super) fn copied_file(&mut self, index: usize, bytes: u64, grown: bool) {
        if let Some(entry) = self.entries.get_mut(index) {
            let others = self.bytes.saturating_sub(entry.size);
            self.bytes = others.saturating_add(bytes);
            (entry.size, entry.grown) = (bytes, grown);
        }
    }

    pub(super) fn copied(&self, atomic: bool, synced: bool) -> Copied {
        Copied {
            files: self.of_kind(Kind::File).count() as u64,
            folders: self.of_kind(Kind::Folder).count() as u64,
            links: self.of_kind(Kind::Link).count() as u64,
            bytes: self.bytes,
            skipped: self.skipped,
            grown: self.entries.iter().filter(|entry| entry.grown).count() as u64,
            resumed: self.entries.iter().map(|entry| entry.there).sum(),
            atomic,
            synced,
        }
    }
}

/// Reads what [`LIST`](crate::guest::scripts::LIST) prints of a file or a tree.
pub(super) fn parse(printed: &[u8], max_bytes: u64) -> Result<Listing, (String, CopyFault)> {
    let broken = || {
        (
            String::new(),
            CopyFault::Refused("the guest's list cannot be read"),
        )
    };
    let mut listing = Listing::default();
    let mut folders = HashSet::new();
    for record in records(printed) {
        let Record {
            mode,
            size,
            modified,
            uid: user,
            gid: group,
            name,
        } = record.ok_or_else(broken)?;
        let shown = || String::from_utf8_lossy(name).into_owned();
        let path = match name {
            b"." if listing.entries.is_empty() => "",
            _ if listing.entries.is_empty() => return Err(broken()),
            _ => name
                .strip_prefix(b"./")
                .ok_or("it does not lie in the folder")
                .and_then(|path| names::check(path, cfg!(windows)))
                .map_err(|why| (shown(), CopyFault::UnsafeName(why)))?,
        };
        if !path.is_empty() && !folders.contains(parent(path)) {
            let why = "what it lies in was not listed as a folder";
            return Err((shown(), CopyFault::UnsafeName(why)));
        }
        let kind = kind(mode);
        if path.is_empty() && matches!(kind, None | Some(Kind::Link)) {
            let fault = CopyFault::Refused("it is neither a file nor a folder");
            return Err((String::new(), fault));
        }
        let Some(kind) = kind.filter(|kind| cfg!(unix) || *kind != Kind::Link) else {
            listing.skipped += 1;
            continue;
        };
        if kind == Kind::Folder {
            folders.insert(path);
        }
        let size = if kind == Kind::File { size } else { 0 };
        let mode = mode & 0o777;
        let entry = Entry {
            path: path.to_owned(),
            kind,
            meta: Some(Meta {
                mode,
                modified,
                owner: Some(Owner { user, group }),
            }),
            ..Entry::file(size)
        };
        let added = listing.add(entry, max_bytes);
        added.map_err(|fault| (shown(), fault))?;
    }
    if listing.entries.is_empty() {
        return Err(broken());
    }
    Ok(listing)
}

/// The path of the folder in which something lies.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// By the mode's type, which is the same in every system.
fn kind(mode: u32) -> Option<Kind> {
    match mode & 0xF000 {
        0x8000 => Some(Kind::File),
        0x4000 => Some(Kind::Folder),
        0xA000 => Some(Kind::Link),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_and_newlines_stay_whole() {
        let printed =
            b"//41ed 4096 17 0 0 .\n//41ed 4 9 0 0 ./a b\n\n\n//81a4 3 -1 0 0 ./a b\n\n/c\n//81a4 0 9 0 0 ./d\n//a1ff 1 1 0 0 ./l\n";
        let listing = parse(printed, 100).unwrap();
        let paths: Vec<_> = listing.entries.iter().map(|entry| &*entry.path).collect();
        // Two names end in newlines; each record is whole.
        assert_eq!(paths, ["", "a b\n\n", "a b\n\n/c", "d", "l"]);
        assert_eq!((listing.skipped, listing.bytes), (0, 3));
        assert_eq!(listing.entries[4].kind, Kind::Link);
        let modified = listing.entries[2].meta.unwrap().modified;
        assert_eq!((listing.entries[2].size, modified), (3, -1));
    }

    #[test]
    fn bits_beyond_the_permissions_are_dropped() {
        let listing = parse(b"//8fff 1 1 0 0 .\n", 100).unwrap();
        assert_eq!(listing.entries[0].meta.unwrap().mode, 0o777);
    }

    #[test]
    fn a_hostile_list_is_an_error() {
        let root = "//41ed 0 0 0 0 .\n";
        let bad = [
            "//81a4 1 1 0 0 ./../x\n",
            "//81a4 1 1 0 0 /etc/passwd\n",
            "//81a4 1 1 0 0 ./a/../../x\n",
            "//81a4 1 1 0 0 .\n",
            "//81a4 1 1 0 0 ./\n",
            "//81a4 1 1 0 0 \n",
            "//81a4 1 1 0 0 ./a//b\n",
            "//81a4 -1 1 0 0 ./a\n",
            "//81a4 99999999999999999999 1 0 0 ./a\n",
            "//81a4 101 1 0 0 ./a\n",
            "//zz 1 1 0 0 ./a\n",
            "//81a4 1 1 0 0 ./a",
            "//81a4 1\n",
            "//\n",
        ];
        for bad in bad {
            assert!(
                parse(format!("{root}{bad}").as_bytes(), 100).is_err(),
                "{bad:?}"
            );
        }
        for whole in [
            "",
            "\n",
            "x",
            "//",
            "//11ed 0 0 0 0 .\n",
            "//81a4 1 1 0 0 ./a\n",
        ] {
            assert!(parse(whole.as_bytes(), 100).is_err(), "{whole:?}");
        }
        let sum = format!("{root}//81a4 60 1 0 0 ./a\n//81a4 60 1 0 0 ./b\n");
        assert!(parse(sum.as_bytes(), 100).is_err());
    }

    /// Whatever a list is turned into, it is an error or holds nothing that leads elsewhere.
    #[test]
    fn a_list_that_is_mutated_at_random_never_leads_elsewhere() {
        let list = b"//41ed 4096 17 0 0 .\n//41ed 0 9 0 0 ./a\n\n\n//81a4 3 -1 0 0 ./a\n\n/c\n//41ed 0 9 0 0 ./d\n//81a4 1 1 0 0 ./d/e\n";
        let pieces: [&[u8]; 12] = [
            b"//", b"/", b"..", b".", b"\n", b"\n//", b" ", b"\0", b"\xff", b"./", b"-9", b"a1ff",
        ];
        let mut state = 1_u64;
        let mut random = move |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut read = 0;
        for _ in 0..100_000 {
            let mut printed = list.to_vec();
            for _ in 0..=random(3) {
                let at = random(printed.len());
                let end = (at + random(4)).min(printed.len());
                printed.splice(at..end, pieces[random(pieces.len())].iter().copied());
            }
            let Ok(listing) = parse(&printed, 10) else {
                continue;
            };
            read += 1;
            assert!(listing.bytes <= 10);
            let root = &listing.entries[0].path;
            assert!(root.is_empty());
            for entry in &listing.entries[1..] {
                let parts = || entry.path.split('/');
                assert!(
                    parts().all(|part| !matches!(part, "" | "." | "..")),
                    "{entry:?}"
                );
                assert!(!entry.path.contains('\0'), "{entry:?}");
                let folders = listing.of_kind(Kind::Folder);
                let mut folders = folders.map(|folder| &*folder.path);
                let lies_in_one = folders.any(|folder| folder == parent(&entry.path));
                assert!(lies_in_one, "{entry:?}");
            }
        }
        assert!(read > 1000, "only {read} could be read");
    }

    #[test]
    fn there_is_an_end_to_the_number_of_entries() {
        let many = "//41ed 0 0 0 0 .\n".to_owned() + &"//81a4 0 0 0 0 ./a\n".repeat(MOST_ENTRIES);
        let (_, fault) = parse(many.as_bytes(), 100).unwrap_err();
        assert!(matches!(fault, CopyFault::TooMuch(_)), "{fault}");
    }
}
