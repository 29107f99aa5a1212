//! The order of an object's members on the wire: by hash, as the agent's dictionary holds them.

/// Where a name is kept among the dictionary's 512 buckets.
pub(super) fn bucket(name: &[u8]) -> u32 {
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    let start = 0x238F_13AF_u32.wrapping_mul(length);
    let shifts = (0..).map(|index| index * 5 % 24);
    let sum = name.iter().zip(shifts).fold(start, |sum, (&byte, shift)| {
        sum.wrapping_add(u32::from(byte) << shift)
    });
    sum.wrapping_mul(1_103_515_243).wrapping_add(12345) % 512
}

#[cfg(test)]
mod tests {
    use super::bucket;

    #[test]
    fn a_reply_puts_return_before_id_and_id_before_error() {
        assert!(bucket(b"return") < bucket(b"id"));
        assert!(bucket(b"id") < bucket(b"error"));
    }
}
