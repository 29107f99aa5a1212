//! Archives of small files, as every `tar` reads and writes them.

use std::collections::HashMap;

const BLOCK: usize = 512;
/// The end of an archive.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// What a field of twelve bytes holds in octal.
const LARGEST: u64 = 0o777_7777_7777;
/// An extended header that is longer, in bytes, says more than we want to know.
const LONGEST_EXTENSION: usize = 64 * 1024;

/// What a file takes in an archive, in bytes, if its name needs no header of its own.
pub(super) fn room(size: u64) -> u64 {
    let block = BLOCK as u64;
    size.div_ceil(block).saturating_add(1).saturating_mul(block)
}

/// Whether a header holds this time.
pub(super) fn holds_time(modified: i64) -> bool {
    u64::try_from(modified).is_ok_and(|modified| modified <= LARGEST)
}

/// Whether a header holds this path.
pub(super) fn holds_path(path: &str) -> bool {
    split(path).is_some()
}

/// Adds a file with permissions, and a time in seconds since 1970. A path or a time that a header does not hold is left
/// out.
pub(super) fn append(archive: &mut Vec<u8>, path: &str, mode: u32, modified: i64, bytes: &[u8]) {
    let Some((prefix, name)) = split(path) else {
        return;
    };
    let modified = u64::try_from(modified).unwrap_or_default();
    let mut header = Vec::with_capacity(BLOCK);
    field(&mut header, name.as_bytes(), 100);
    octal(&mut header, mode.into(), 8);
    octal(&mut header, 0, 8);
    octal(&mut header, 0, 8);
    octal(&mut header, bytes.len() as u64, 12);
    octal(&mut header, modified.min(LARGEST), 12);
    field(&mut header, b"        ", 8);
    field(&mut header, b"0", 101);
    field(&mut header, b"ustar\x0000", 88);
    field(&mut header, prefix.as_bytes(), 167);
    let sum = format!("{:06o}\0 ", sum(&header));
    header.splice(148..156, sum.bytes());
    archive.extend(header);
    archive.extend(bytes);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
}

/// A regular file of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub(super) path: Vec<u8>,
    pub(super) bytes: &'a [u8],
}

/// The regular files of an archive, up to its end or to what cannot be read.
pub(super) struct Members<'a> {
    left: &'a [u8],
    /// What was in the files before, to which a link may refer.
    seen: HashMap<Vec<u8>, &'a [u8]>,
}

impl<'a> Members<'a> {
    pub(super) fn of(archive: &'a [u8]) -> Self {
        Self {
            left: archive,
            seen: HashMap::new(),
        }
    }

    /// The next header and what follows it.
    fn next_entry(&mut self) -> Option<(Header<'a>, &'a [u8])> {
        let (header, rest) = self.left.split_at_checked(BLOCK)?;
        let header = Header(header);
        let size = header.checked_size()?;
        let (bytes, rest) = rest.split_at_checked(size)?;
        let padding = size.next_multiple_of(BLOCK) - size;
        self.left = rest.get(padding..).unwrap_or_default();
        Some((header, bytes))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let (mut long_path, mut long_target) = (None, None);
        loop {
            let (header, mut bytes) = self.next_entry()?;
            let kind = header.kind()?;
            match kind {
                b'L' => long_path = Some(text(bytes)?.to_vec()),
                b'K' => long_target = Some(text(bytes)?),
                b'x' => read_extended(bytes, &mut long_path)?,
                b'0' | 0 | b'1' => {
                    if kind == b'1' {
                        let target = long_target.or_else(|| header.target())?;
                        bytes = self.seen.get(target).copied().unwrap_or_default();
                    }
                    let path = long_path.or_else(|| header.path())?;
                    self.seen.insert(path.clone(), bytes);
                    return Some(Member { path, bytes });
                }
                b'g' => {}
                _ => (long_path, long_target) = (None, None),
            }
        }
    }
}

struct Header<'a>(&'a [u8]);

impl<'a> Header<'a> {
    /// The length of what follows, if the header is one.
    fn checked_size(&self) -> Option<usize> {
        let claimed = number(self.0.get(148..156)?)?;
        let size = number(self.0.get(124..136)?)?;
        let is_header = claimed == u64::from(sum(self.0));
        usize::try_from(size)
            .ok()
            .filter(|size| is_header && *size <= usize::MAX - BLOCK)
    }

    fn kind(&self) -> Option<u8> {
        self.0.get(156).copied()
    }

    /// The file that is the same by another name, for a link.
    fn target(&self) -> Option<&'a [u8]> {
        text(self.0.get(157..257)?)
    }

    fn path(&self) -> Option<Vec<u8>> {
        let name = text(self.0.get(..100)?)?;
        let prefix = text(self.0.get(345..500)?)?;
        // GNU has other things there.
        let has_prefix = self.0.get(257..263) == Some(b"ustar\0") && !prefix.is_empty();
        Some(if has_prefix {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        })
    }
}

/// Reads the path of an extended header, if it has one. `None` if it says more, such as that what follows is only a part
/// of a file.
fn read_extended(mut records: &[u8], path: &mut Option<Vec<u8>>) -> Option<()> {
    if records.len() > LONGEST_EXTENSION {
        return None;
    }
    while !records.is_empty() {
        let blank = records.iter().position(|byte| *byte == b' ')?;
        let length = std::str::from_utf8(records.get(..blank)?).ok()?;
        let (record, rest) = records.split_at_checked(length.parse().ok()?)?;
        let record = record.get(blank + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        match record.split_at_checked(equals)? {
            (b"path", value) => *path = Some(value.get(1..)?.to_vec()),
            (b"size", _) => return None,
            (key, _) if key.starts_with(b"GNU.sparse") => return None,
            _ => {}
        }
        records = rest;
    }
    Some(())
}

/// The two fields that hold a path, the first of which may be empty.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= 100 {
        return Some(("", path));
    }
    let first = path.len() - 101;
    let slashes = path.match_indices('/').map(|(at, _)| at);
    let at = slashes.into_iter().find(|at| *at >= first)?;
    let (prefix, name) = (path.get(..at)?, path.get(at + 1..)?);
    (prefix.len() <= 155 && !prefix.is_empty() && !name.is_empty()).then_some((prefix, name))
}

/// Up to the first NUL.
fn text(field: &[u8]) -> Option<&[u8]> {
    field.split(|byte| *byte == 0).next()
}

fn number(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text(field)?).ok()?;
    u64::from_str_radix(text.trim_matches(' '), 8).ok()
}

/// The sum of all bytes, those of the sum itself taken for blanks.
fn sum(header: &[u8]) -> u32 {
    let byte = |(at, byte): (usize, &u8)| match at {
        148..156 => u32::from(b' '),
        _ => u32::from(*byte),
    };
    header.iter().enumerate().map(byte).sum()
}

fn field(header: &mut Vec<u8>, value: &[u8], width: usize) {
    let end = header.len() + width;
    header.extend(value);
    header.resize(end, 0);
}

fn octal(header: &mut Vec<u8>, value: u64, width: usize) {
    let digits = format!("{value:0digits$o}", digits = width - 1);
    field(header, digits.as_bytes(), width);
}

#[cfg(test)]
mod tests;
