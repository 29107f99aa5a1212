//! Whole numbers in JSON, however they are spelt: `1000`, `1000.0` and `1e3` are one number.

use serde::de::{Error, Visitor};

/// A whole number of up to 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Natural(u128),
    Negative(i128),
}

/// The whole number that a JSON value is, exactly; `None` if it is something else, or longer than
/// 128 bits.
pub(crate) fn whole(json: &str) -> Option<Whole> {
    let (is_negative, unsigned) = match json.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, json),
    };
    let magnitude = magnitude(unsigned)?;
    Some(if is_negative && magnitude > 0 {
        Whole::Negative(0_i128.checked_sub_unsigned(magnitude)?)
    } else {
        Whole::Natural(magnitude)
    })
}

/// The same, if it is one of those that ids are.
pub(crate) fn natural(json: &str) -> Option<u64> {
    // A sign is no digit, and nothing but digits can be parsed.
    if json.starts_with(|c: char| c.is_ascii_digit())
        && let Ok(number) = json.parse()
    {
        return Some(number);
    }
    match whole(json)? {
        Whole::Natural(number) => u64::try_from(number).ok(),
        Whole::Negative(_) => None,
    }
}

impl Whole {
    pub(crate) fn visit<'de, V: Visitor<'de>, E: Error>(self, visitor: V) -> Result<V::Value, E> {
        match self {
            Self::Natural(number) => match u64::try_from(number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_u128(number),
            },
            Self::Negative(number) => match i64::try_from(number) {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => visitor.visit_i128(number),
            },
        }
    }
}

/// Digits that may have a fraction and an exponent. An exponent may be as large as it likes: nothing
/// is written out.
fn magnitude(text: &str) -> Option<u128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, self::exponent(exponent)?),
        None => (text, 0),
    };
    let (before, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || before.bytes().chain(fraction.bytes());
    if before.is_empty() || !digits().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count = before.len() + fraction.len();
    let zeros = digits().rev().take_while(|digit| *digit == b'0').count();
    if zeros == count {
        return Some(0);
    }
    let scale = exponent
        .saturating_sub(i64::try_from(fraction.len()).ok()?)
        .saturating_add(i64::try_from(zeros).ok()?);
    let power = 10_u128.checked_pow(u32::try_from(scale).ok()?)?;
    digits()
        .take(count - zeros)
        .try_fold(0_u128, |number, digit| {
            number
                .checked_mul(10)?
                .checked_add(u128::from(digit - b'0'))
        })?
        .checked_mul(power)
}

fn exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.chars().try_fold(0_i64, |number, digit| {
        let digit = i64::from(digit.to_digit(10)?);
        Some(number.saturating_mul(10).saturating_add(digit))
    })?;
    Some(if is_negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::Whole::{Natural, Negative};
    use super::*;

    #[test]
    fn a_whole_number_is_one_however_it_is_spelt() {
        for text in [
            "1000",
            "1000.0",
            "1e3",
            "1E+3",
            "0.1e4",
            "10000e-1",
            "1000.00e0",
        ] {
            assert_eq!(whole(text), Some(Natural(1000)), "{text}");
        }
        for text in ["0", "-0", "0.0", "-0.0", "0e99", "-0E-99", "0.00e400"] {
            assert_eq!(whole(text), Some(Natural(0)), "{text}");
        }
        assert_eq!(whole("-12.5e1"), Some(Negative(-125)));
        assert_eq!(
            whole("1.780007654321e+18"),
            Some(Natural(1_780_007_654_321_000_000))
        );
    }

    #[test]
    fn no_digit_is_lost() {
        for text in [
            "9007199254740993.0",
            "9.007199254740993e15",
            "90071992547409930e-1",
        ] {
            assert_eq!(whole(text), Some(Natural(9_007_199_254_740_993)), "{text}");
        }
        assert_eq!(
            whole("1.8446744073709551615e19"),
            Some(Natural(u64::MAX.into()))
        );
        assert_eq!(
            whole("-9.223372036854775808e18"),
            Some(Negative(i64::MIN.into()))
        );
        let longest = format!("{}.0", u128::MAX);
        assert_eq!(whole(&longest), Some(Natural(u128::MAX)));
    }

    #[test]
    fn what_is_not_whole_or_too_long_is_none() {
        for text in [
            "1000.5",
            "1e-1",
            "5e-324",
            "1e39",
            "1e400",
            "-1e400",
            "1e-400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0.1",
            "",
            "-",
            "e3",
            "1e",
            "1e+",
            "\"1\"",
            "null",
            "[1]",
            "{}",
            "true",
            "1x",
            "+1",
            ".5",
        ] {
            assert_eq!(whole(text), None, "{text}");
        }
        assert_eq!(
            whole(&format!("{}.0", i128::MIN)),
            Some(Negative(i128::MIN))
        );
        assert_eq!(
            whole("-1.7e38"),
            Some(Negative(
                -170_000_000_000_000_000_000_000_000_000_000_000_000
            ))
        );
        assert_eq!(whole("-1.8e38"), None);
    }

    #[test]
    fn very_long_spellings_are_read() {
        let zeros = "0".repeat(1_000_000);
        assert_eq!(whole(&format!("1{zeros}e-1000000")), Some(Natural(1)));
        assert_eq!(whole(&format!("0.{zeros}7e1000001")), Some(Natural(7)));
        assert_eq!(whole(&format!("7.{zeros}")), Some(Natural(7)));
        assert_eq!(whole(&format!("7.{zeros}1")), None);
        assert_eq!(whole(&"9".repeat(1_000_000)), None);
    }
}
