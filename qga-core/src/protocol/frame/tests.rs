use super::*;

const LIMIT: usize = 64;

#[derive(Debug, PartialEq)]
enum Out {
    Line(Vec<u8>),
    Delimited(Vec<u8>),
    TooLong,
}

fn decode(pieces: &[&[u8]]) -> Vec<Out> {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    for piece in pieces {
        feed(&mut decoder, piece, &mut seen);
    }
    seen
}

fn feed(decoder: &mut Decoder, mut piece: &[u8], seen: &mut Vec<Out>) {
    loop {
        match decoder.advance(LIMIT) {
            Progress::Frame => seen.push(out(decoder.frame())),
            Progress::TooLong => seen.push(Out::TooLong),
            Progress::Incomplete if piece.is_empty() => return,
            Progress::Incomplete => {
                let spare = decoder.spare();
                let count = spare.len().min(piece.len());
                spare[..count].copy_from_slice(&piece[..count]);
                decoder.filled(count);
                piece = &piece[count..];
            }
        }
    }
}

fn out(frame: Frame<'_>) -> Out {
    if frame.delimited {
        delimited(frame.bytes)
    } else {
        line(frame.bytes)
    }
}

fn line(bytes: &[u8]) -> Out {
    Out::Line(bytes.to_vec())
}

fn delimited(bytes: &[u8]) -> Out {
    Out::Delimited(bytes.to_vec())
}

#[test]
fn lines_in_one_read_come_out_one_by_one() {
    assert_eq!(decode(&[b"a\nbb\n\nccc"]), [line(b"a"), line(b"bb")]);
}

#[test]
fn what_has_begun_at_the_end_of_a_full_buffer_comes_out_whole() {
    let lines = (0..10_000).map(|number| format!("line number {number}"));
    let lines: Vec<_> = lines.map(String::into_bytes).collect();
    let stream = [lines.join(&b'\n'), b"\n".to_vec()].concat();
    let wanted: Vec<_> = lines.iter().map(|bytes| line(bytes)).collect();
    assert_eq!(decode(&[&stream]), wanted);
}

#[test]
fn a_line_that_has_begun_is_as_long_as_what_has_come_of_it() {
    let mut decoder = Decoder::default();
    feed(&mut decoder, b"first\nsec", &mut Vec::new());
    assert_eq!((decoder.position(), decoder.unfinished()), (6, 3));
    feed(&mut decoder, b"ond", &mut Vec::new());
    assert_eq!((decoder.position(), decoder.unfinished()), (6, 6));
}

#[test]
fn a_sentinel_drops_what_came_before_it_on_its_line() {
    assert_eq!(
        decode(&[b"torn\xFFold\xFFnew\nnext\n"]),
        [delimited(b"new"), line(b"next")]
    );
}

#[test]
fn a_line_as_long_as_the_limit_passes_and_one_byte_more_does_not() {
    let fits = [&[b'x'; LIMIT][..], b"\n"].concat();
    let long = [&[b'x'; LIMIT + 1][..], b"\n"].concat();
    assert_eq!(decode(&[&fits]), [line(&[b'x'; LIMIT])]);
    assert_eq!(decode(&[&long, b"next\n"]), [Out::TooLong, line(b"next")]);
}

#[test]
fn a_line_is_too_long_before_its_newline_arrives() {
    assert_eq!(decode(&[&[b'x'; LIMIT + 1]]), [Out::TooLong]);
}

#[test]
fn a_sentinel_ends_a_line_that_is_too_long() {
    let long = vec![b'x'; 3 * LIMIT];
    assert_eq!(
        decode(&[&long, b"\xFFnew\n"]),
        [Out::TooLong, delimited(b"new")]
    );
}

#[test]
fn how_the_bytes_are_split_makes_no_difference() {
    let mut stream = b"a\n\n\xFF\xFFbb\nccc\xFF{\"return\": 1}\n".to_vec();
    stream.extend([b'x'; LIMIT + 9]);
    stream.extend(b"\xFFd\ne\n");
    stream.extend([b'y'; 5 * LIMIT]);
    stream.extend(b"\nf\n");
    let whole = decode(&[&stream]);
    assert_eq!(whole.len(), 8);
    for size in 1..stream.len() {
        let pieces: Vec<&[u8]> = stream.chunks(size).collect();
        assert_eq!(decode(&pieces), whole, "in pieces of {size}");
    }
    for at in 0..stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(decode(&[head, tail]), whole, "split at {at}");
    }
}

/// `SplitMix64`.
fn below(random: &mut u64, end: usize) -> usize {
    *random = random.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *random;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
}

/// Short and over-long runs between newlines and sentinels, and bytes of every value.
fn any_bytes(random: &mut u64) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..below(random, 12) {
        match below(random, 5) {
            0 => stream.push(b'\n'),
            1 => stream.push(0xFF),
            2 => stream.resize(stream.len() + LIMIT - 1 + below(random, 4), b'x'),
            3 => stream.resize(stream.len() + below(random, 4 * LIMIT), b'y'),
            _ => {
                for _ in 0..below(random, 20) {
                    stream.push(u8::try_from(below(random, 256)).unwrap());
                }
            }
        }
    }
    stream
}

/// The same by a few lines that read one byte after the other.
fn plainly(stream: &[u8]) -> Vec<Out> {
    let mut seen = Vec::new();
    let (mut line, mut is_delimited, mut dropped) = (Vec::new(), false, false);
    for byte in stream {
        match byte {
            0xFF => (line, is_delimited, dropped) = (Vec::new(), true, false),
            b'\n' => {
                match std::mem::take(&mut line) {
                    line if dropped || line.is_empty() => {}
                    line if is_delimited => seen.push(Out::Delimited(line)),
                    line => seen.push(Out::Line(line)),
                }
                (is_delimited, dropped) = (false, false);
            }
            _ if dropped => {}
            byte => line.push(*byte),
        }
        if line.len() > LIMIT {
            seen.push(Out::TooLong);
            (line, dropped) = (Vec::new(), true);
        }
    }
    seen
}

#[test]
fn any_split_of_any_bytes_gives_the_same_lines() {
    for seed in 0..3000 {
        let mut random = seed;
        let stream = any_bytes(&mut random);
        let expected = plainly(&stream);
        let mut rest = &stream[..];
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let most = 1 + below(&mut random, rest.len());
            let (piece, left) = rest.split_at(1 + below(&mut random, most));
            pieces.push(piece);
            rest = left;
        }
        assert_eq!(decode(&pieces), expected, "seed {seed}");
        assert_eq!(decode(&[&stream]), expected, "seed {seed}");
    }
}

#[test]
fn an_endless_line_takes_no_more_memory_than_the_limit_and_one_read() {
    let mut decoder = Decoder::default();
    let mut too_long = 0;
    for _ in 0..2_000 {
        let count = decoder.spare().len();
        decoder.filled(count);
        too_long += usize::from(decoder.advance(100_000) == Progress::TooLong);
        assert!(decoder.buffer.capacity() <= 100_000 + INITIAL);
    }
    assert_eq!(too_long, 1);
}

#[test]
fn a_buffer_is_given_back_only_when_nothing_unread_is_in_it() {
    let mut decoder = Decoder::default();
    assert!(decoder.reclaim().is_none(), "it has none");
    decoder.lend(|| Vec::with_capacity(100));
    decoder.spare()[..5].copy_from_slice(b"a\nbb\n");
    decoder.filled(5);
    assert_eq!(decoder.advance(LIMIT), Progress::Frame);
    assert!(decoder.reclaim().is_none(), "a line is unread");
    assert_eq!(decoder.advance(LIMIT), Progress::Frame);
    assert_eq!(decoder.reclaim().map(|buffer| buffer.capacity()), Some(100));
    assert_eq!(decoder.frame().bytes, b"");
    assert!(decoder.is_drained());
}

#[test]
fn a_torn_line_stays_when_its_buffer_is_asked_for() {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    feed(&mut decoder, b"torn", &mut seen);
    assert!(decoder.reclaim().is_none());
    feed(&mut decoder, b" line\n", &mut seen);
    assert_eq!(seen, [line(b"torn line")]);
}

#[test]
fn the_position_counts_what_was_handed_out_or_dropped() {
    let mut decoder = Decoder::default();
    feed(&mut decoder, b"a\n\xFFbc\nunfinished", &mut Vec::new());
    assert_eq!(decoder.position(), 6);
    feed(&mut decoder, &[b'x'; 100], &mut Vec::new());
    assert_eq!(decoder.position(), 116, "too long, so dropped");
    decoder.reclaim();
    assert_eq!(decoder.position(), 116);
}

#[test]
fn debug_shows_no_bytes() {
    let mut decoder = Decoder::default();
    feed(&mut decoder, b"secret", &mut Vec::new());
    assert_eq!(format!("{decoder:?}"), "Decoder { .. }");
}

#[test]
fn what_was_handed_out_makes_room_before_the_buffer_grows() {
    let mut decoder = Decoder::default();
    for _ in 0..1000 {
        let spare = decoder.spare();
        let count = spare.len().min(60);
        spare[..count].fill(b'y');
        // What comes behind it is the beginning of the next line.
        spare[count / 2] = b'\n';
        decoder.filled(count);
        while decoder.advance(LIMIT) != Progress::Incomplete {}
    }
    decoder.spare()[0] = b'\n';
    decoder.filled(1);
    while decoder.advance(LIMIT) != Progress::Incomplete {}
    let capacity = decoder.reclaim().unwrap().capacity();
    assert!(capacity <= 16 * 1024, "{capacity}");
}

#[test]
fn debug_shows_nothing_of_what_was_read() {
    let mut decoder = Decoder::default();
    decoder.spare()[..7].copy_from_slice(b"secret\n");
    decoder.filled(7);
    assert_eq!(decoder.advance(100), Progress::Frame);
    let shown = format!("{decoder:?} {:?}", decoder.frame());
    assert!(
        shown.starts_with("Decoder { .. } Frame { bytes: "),
        "{shown}"
    );
    assert!(!shown.contains("secret"), "{shown}");
}
