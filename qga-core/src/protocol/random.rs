//! Random numbers from a seed that comes in from outside, so that the same seed gives the same run.

/// A generator of numbers (splitmix64) that only those can guess who know its seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// A number above zero that every JSON reader keeps exactly: it has 53 bits at most.
    pub(crate) fn token(&mut self) -> u64 {
        (self.bits() >> 11).max(1)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let mut random = Random::from_seed(1_234_567);
        let known = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        for bits in known {
            assert_eq!(random.bits(), bits);
        }
        assert_eq!(random.token(), 4_593_380_528_125_082_431 >> 11);
    }
}
