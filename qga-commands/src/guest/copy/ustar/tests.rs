use super::*;

const TIME: i64 = 1_700_000_000;

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (path, bytes) in files {
        assert!(holds_path(path), "{path}");
        append(&mut archive, path, 0o640, TIME, bytes);
    }
    archive.extend(END);
    archive
}

/// A header of a kind with what follows it; the sum is right.
fn entry(kind: u8, name: &str, target: &str, bytes: &[u8]) -> Vec<u8> {
    let mut entry = Vec::new();
    append(&mut entry, name, 0o640, TIME, bytes);
    entry[156] = kind;
    entry[157..157 + target.len()].copy_from_slice(target.as_bytes());
    seal(&mut entry);
    entry
}

/// Makes the sum right.
fn seal(entry: &mut [u8]) {
    let sum = format!("{:06o}\0 ", sum(&entry[..BLOCK]));
    entry[148..156].copy_from_slice(sum.as_bytes());
}

fn read(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let text = |path| String::from_utf8(path).unwrap();
    let members = Members::of(archive);
    members
        .map(|member| (text(member.path), member.bytes.to_vec()))
        .collect()
}

fn owned(files: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    let files = files.iter();
    files
        .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
        .collect()
}

#[test]
fn what_was_written_is_read_whatever_its_name_and_length() {
    let folder = "f".repeat(155);
    let [whole, longest] = [100, 256].map(|length| match length {
        100 => "n".repeat(100),
        _ => format!("{folder}/{}", "n".repeat(100)),
    });
    let block = [7; BLOCK];
    let files: [(&str, &[u8]); 7] = [
        ("a", b"x"),
        ("empty", b""),
        ("-rf", &block),
        ("new\nline/ \u{fc}", &block[1..]),
        (&whole, &[8; 513]),
        (&longest, b"deep"),
        ("last", b"y"),
    ];
    let archive = archive(&files);
    assert!(read(&archive) == owned(&files));
    let rooms = files.iter().map(|(_, bytes)| room(bytes.len() as u64));
    assert_eq!(rooms.sum::<u64>() + 1024, archive.len() as u64);
    // A file that was cut off does not count, nor what follows it.
    for end in 0..=archive.len() - END.len() - BLOCK {
        assert!(read(&archive[..end]).len() < files.len(), "{end}");
    }
}

#[test]
fn a_path_or_a_time_that_no_header_holds_is_known() {
    let long = "n".repeat(101);
    for path in [
        &long,
        &format!("folder/{long}"),
        &format!("{}/{}", "f".repeat(156), "n".repeat(100)),
        &format!("{}/n", "f".repeat(256)),
    ] {
        assert!(!holds_path(path), "{path}");
    }
    assert!(holds_time(0) && holds_time(0o777_7777_7777));
    assert!(!holds_time(-1) && !holds_time(0o1000_0000_0000));
    assert_eq!(
        (room(0), room(1), room(512), room(513)),
        (512, 1024, 1024, 1536)
    );
    assert!(room(u64::MAX) > u64::MAX - 1024);
}

#[test]
fn long_paths_are_read_in_both_forms() {
    let long = "folder/".repeat(50) + "file";
    let gnu = [
        entry(b'L', "././@LongLink", "", format!("{long}\0").as_bytes()),
        entry(b'0', &long[..100], "", b"gnu"),
        entry(b'0', "short", "", b"2"),
    ];
    let wanted: [(&str, &[u8]); 2] = [(&long, b"gnu"), ("short", b"2")];
    assert!(read(&gnu.concat()) == owned(&wanted));
    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let length = rest.len() + 3;
        format!("{length}{rest}")
    };
    let records = record("path", &long) + "20 atime=17000000.5\n";
    let pax = [
        entry(b'g', "global", "", b"13 comment=x\n"),
        entry(b'x', "PaxHeaders/file", "", records.as_bytes()),
        entry(b'0', &long[..100], "", b"pax"),
        entry(b'0', "short", "", b"2"),
    ];
    let wanted: [(&str, &[u8]); 2] = [(&long, b"pax"), ("short", b"2")];
    assert!(read(&pax.concat()) == owned(&wanted));
}

#[test]
fn a_file_that_has_two_names_is_read_by_both_and_a_link_is_none() {
    let long = "n".repeat(150);
    let entries = [
        entry(b'5', "folder/", "", b""),
        entry(b'0', "./a", "", b"twice"),
        entry(b'1', "./b", "./a", b""),
        entry(b'2', "./link", "./a", b""),
        entry(b'6', "./pipe", "", b""),
        entry(b'1', "./c", "elsewhere", b""),
        entry(b'L', "././@LongLink", "", long.as_bytes()),
        entry(b'0', "cut", "", b"long"),
        entry(b'K', "././@LongLink", "", long.as_bytes()),
        entry(b'1', "d", "cut", b""),
    ];
    let wanted: [(&str, &[u8]); 5] = [
        ("./a", b"twice"),
        ("./b", b"twice"),
        ("./c", b""),
        (&long, b"long"),
        ("d", b"long"),
    ];
    assert!(read(&entries.concat()) == owned(&wanted));
}

#[test]
fn what_says_more_than_a_file_ends_the_reading() {
    let mut large = entry(b'0', "large", "", b"x");
    large[124..136].copy_from_slice(b"100000000000");
    seal(&mut large);
    let mut binary = entry(b'0', "binary", "", b"x");
    binary[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    seal(&mut binary);
    let mut long = entry(b'L', "././@LongLink", "", b"x");
    long[124..136].copy_from_slice(b"77777777777\0");
    seal(&mut long);
    let mut broken = entry(b'0', "broken", "", b"x");
    broken[0] ^= 1;
    for odd in [
        large,
        binary,
        long,
        broken,
        entry(b'x', "pax", "", b"20 GNU.sparse.map=x\n"),
        entry(b'x', "pax", "", b"10 size=9\n"),
        entry(b'x', "pax", "", b"99999999999999999999999 path=x\n"),
        entry(b'x', "pax", "", b"0 path=x\n"),
        entry(b'x', "pax", "", b"-1 path=x\n"),
        entry(b'x', "pax", "", b"8 path=x"),
        entry(b'x', "pax", "", b"2 "),
        entry(b'x', "pax", "", &vec![b'x'; 100_000]),
        vec![0; BLOCK],
        vec![b'7'; BLOCK],
    ] {
        let archive = [
            entry(b'0', "before", "", b"1"),
            odd.clone(),
            entry(b'0', "after", "", b"2"),
        ];
        let before: [(&str, &[u8]); 1] = [("before", b"1")];
        assert!(read(&archive.concat()) == owned(&before), "{odd:?}");
    }
}

/// Whatever an archive is turned into, no file has more than what was sent.
#[test]
fn an_archive_that_is_mutated_at_random_holds_no_more_than_its_bytes() {
    let whole = [
        entry(b'x', "pax", "", b"11 path=ab\n12 mtime=17\n"),
        entry(b'0', "a", "", &[b'1'; 600]),
        entry(b'L', "././@LongLink", "", b"long"),
        entry(b'0', "b", "", b"2"),
        entry(b'1', "c", "a", b""),
    ]
    .concat();
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut found = 0;
    for _ in 0..5_000 {
        let mut archive = whole.clone();
        for _ in 0..=random(3) {
            let at = random(archive.len());
            archive[at] = b"\x0017 =\nxLK\xff"[random(10)];
        }
        for header in 0..archive.len() / BLOCK {
            // Otherwise hardly any would be read.
            if random(8) > 0 {
                seal(&mut archive[header * BLOCK..]);
            }
        }
        for member in Members::of(&archive) {
            found += 1;
            assert!(member.bytes.len() <= archive.len());
        }
    }
    assert!(found > 1_000, "only {found} could be read");
}
