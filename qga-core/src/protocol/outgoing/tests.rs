use super::*;

#[test]
fn a_buffer_is_handed_over_only_if_nothing_is_left_in_it() {
    let mut outgoing = Outgoing::new();
    let mut line = Vec::with_capacity(100);
    line.extend_from_slice(b"ping\n");
    outgoing.push(line);
    assert_eq!(outgoing.reclaim(), None);
    outgoing.advance(3);
    assert_eq!(outgoing.reclaim(), None);
    outgoing.advance(2);
    outgoing.flushed();
    let buffer = outgoing.reclaim().unwrap();
    assert!(buffer.is_empty() && buffer.capacity() >= 100);
}

#[test]
fn what_is_taken_at_once_counts_as_written() {
    let mut outgoing = Outgoing::new();
    outgoing.push(b"one\n".to_vec());
    assert_eq!(outgoing.take(), b"one\n");
    assert_eq!((outgoing.position(), outgoing.end()), (4, 4));
    assert_eq!(outgoing.push(b"two\n".to_vec()), 4);
    assert_eq!(outgoing.take(), b"two\n");
    assert_eq!(outgoing.position(), 8);
}

#[test]
fn debug_shows_nothing_of_what_is_written() {
    let mut outgoing = Outgoing::new();
    outgoing.push(b"secret\n".to_vec());
    assert_eq!(format!("{outgoing:?}"), "Outgoing { .. }");
}
