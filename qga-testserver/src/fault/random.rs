//! Random numbers that a seed repeats.

use std::hash::{BuildHasher, RandomState};

/// Numbers that look random and are decided by a seed.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // The generator stands still at zero.
        Self(seed ^ 0x9E37_79B9_7F4A_7C15 | 1)
    }

    /// A seed that nobody has chosen.
    pub(super) fn any_seed() -> u64 {
        RandomState::new().hash_one(0) >> 32
    }

    /// The next number, from 0 to just below 1.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(super) fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_decides_and_the_numbers_spread() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            (0..1000).map(|_| random.fraction()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        let small = numbers(7).iter().filter(|number| **number < 0.25).count();
        assert!((200..300).contains(&small), "{small}");
    }
}
