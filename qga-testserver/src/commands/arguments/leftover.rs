//! Which of several unexpected arguments the agent names: the first one in a hash table of `GLib`'s
//! that holds all arguments.

use crate::wire::json::Object;

/// The first argument in the table's order that is not known.
pub(super) fn first(given: &Object, known: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
    let mut table = Table::new(3);
    for (name, _) in given.in_wire_order() {
        table.put(name);
    }
    table.slots.into_iter().flatten().find(|name| !known(name))
}

/// Open addressing: from a slot given by the hash, in growing steps to the first free one.
struct Table<'a> {
    slots: Vec<Option<&'a [u8]>>,
    bits: usize,
    used: usize,
}

/// The largest primes below the powers of two from 2^3.
const PRIMES: [u32; 19] = [
    7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131_071, 262_139,
    524_287, 1_048_573, 2_097_143,
];

impl<'a> Table<'a> {
    fn new(bits: usize) -> Self {
        Self {
            slots: vec![None; 1 << bits],
            bits,
            used: 0,
        }
    }

    fn put(&mut self, name: &'a [u8]) {
        let modulus = PRIMES.get(self.bits - 3).copied().unwrap_or(u32::MAX);
        let mut slot = (hash(name).wrapping_mul(11) % modulus) as usize;
        let mut step = 0;
        while self.slots.get(slot).is_some_and(Option::is_some) {
            step += 1;
            slot = (slot + step) % self.slots.len();
        }
        if let Some(free) = self.slots.get_mut(slot) {
            *free = Some(name);
        }
        self.used += 1;
        if self.used + self.used / 16 >= self.slots.len() {
            self.grow();
        }
    }

    /// The table gets the power of two above a third more than it holds.
    fn grow(&mut self) {
        let wanted = self.used * 4 / 3;
        let bits = (usize::BITS - wanted.leading_zeros()).max(3) as usize;
        let mut larger = Table::new(bits.max(self.bits + 1));
        for name in self.slots.drain(..).flatten() {
            larger.put(name);
        }
        *self = larger;
    }
}

/// Bernstein's hash of a C string; 0 and 1 have another meaning in the table.
fn hash(name: &[u8]) -> u32 {
    let add = |hash: u32, byte: &u8| {
        let signed = i32::from(i8::from_ne_bytes([*byte]));
        hash.wrapping_mul(33).wrapping_add_signed(signed)
    };
    name.iter().fold(5381, add).max(2)
}

#[cfg(test)]
mod tests {
    use super::first;
    use crate::wire::json::{Object, Value};

    fn named(names: &[&str], known: &[&str]) -> String {
        let mut given = Object::default();
        for name in names {
            given.put(*name, Value::Null);
        }
        let known = |name: &[u8]| known.iter().any(|known| known.as_bytes() == name);
        String::from_utf8(first(&given, known).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn the_first_in_the_tables_order_is_named_as_a_real_agent_named_it() {
        assert_eq!(
            named(
                &["count", "id2", "handle", "a", "aaa", "baz"],
                &["handle", "count"]
            ),
            "baz"
        );
        assert_eq!(
            named(&["handle", "Handle", "c", "count"], &["handle"]),
            "count"
        );
        let many = [
            "Handle", "id2", "extra", "aaa", "no-such", "zzz", "path", "foo", "z",
        ];
        assert_eq!(named(&many, &[]), "path");
    }

    #[test]
    fn a_great_many_arguments_are_no_trouble() {
        let names: Vec<_> = (0..20_000).map(|number| format!("n{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert!(named(&names, &["n0"]).starts_with('n'));
    }
}
