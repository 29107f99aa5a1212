//! What [`LIST`](super::scripts::LIST) prints, one record for each thing that it found.

/// What is known of something in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// With the type.
    pub(super) mode: u32,
    /// In bytes.
    pub(super) size: u64,
    /// In seconds since 1970.
    pub(super) modified: i64,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// `.` or a path that begins with `./`.
    pub(super) name: &'a [u8],
}

/// Each record; `None` in place of what is none. A path never holds two slashes, so a newline and two
/// slashes part the records whatever the names are.
pub(super) fn records(printed: &[u8]) -> impl Iterator<Item = Option<Record<'_>>> {
    let mut left = Some(printed).filter(|printed| !printed.is_empty());
    std::iter::from_fn(move || {
        let rest = left?;
        let record = rest.windows(3).position(|bytes| bytes == b"\n//");
        let (record, after) = match record {
            Some(end) => (rest.get(..end), rest.get(end + 1..)),
            None => (rest.strip_suffix(b"\n"), None),
        };
        left = after;
        Some(record.and_then(read))
    })
}

fn read(record: &[u8]) -> Option<Record<'_>> {
    let mut fields = record.strip_prefix(b"//")?.splitn(6, |byte| *byte == b' ');
    let mut text = || std::str::from_utf8(fields.next()?).ok();
    Some(Record {
        mode: u32::from_str_radix(text()?, 16).ok()?,
        size: text()?.parse().ok()?,
        modified: text()?.parse().ok()?,
        uid: text()?.parse().ok()?,
        gid: text()?.parse().ok()?,
        name: fields.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_no_record_and_anything_else_is_one_or_none() {
        assert_eq!(records(b"").count(), 0);
        for broken in [
            "\n",
            "x",
            "//",
            "//\n",
            "//1 1 1 1 1\n",
            "//1 1 1 1 1 x",
            "/1 1 1 1 1 x\n",
        ] {
            let found: Vec<_> = records(broken.as_bytes()).collect();
            assert_eq!(found, [None], "{broken:?}");
        }
        let names = |printed: &str| -> Vec<Option<String>> {
            let name = |record: Record<'_>| String::from_utf8_lossy(record.name).into_owned();
            let found = records(printed.as_bytes());
            found.map(|record| record.map(name)).collect()
        };
        let two = names("//81a4 3 -1 0 5 ./a \n\n//zz 1 1 0 0 b\n//1 1 1 1 1 \n");
        assert_eq!(two, [Some("./a \n".into()), None, Some(String::new())]);
    }
}
