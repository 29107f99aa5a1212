use super::Value;

/// An integer token as an i64, else as a u64 if positive, else as a double.
pub(super) fn integer(token: &[u8]) -> Value {
    let text = String::from_utf8_lossy(token);
    let signed = text.parse().map(Value::Int);
    let number = signed.or_else(|_| text.parse().map(Value::UInt));
    number.unwrap_or_else(|_| float(token))
}

/// A number token as a double; one that is too large becomes infinite.
pub(super) fn float(token: &[u8]) -> Value {
    Value::Double(
        String::from_utf8_lossy(token)
            .parse()
            .unwrap_or(f64::INFINITY),
    )
}

/// A double with 17 significant digits, as C's `%.17g` spells it.
pub(super) fn spell(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:.16e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match usize::try_from(16 - exponent) {
        Ok(decimals) if exponent >= -4 => without_zeros(&format!("{number:.decimals$}")).to_owned(),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs())
        }
    }
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{integer, spell};
    use crate::wire::json::Value;

    #[test]
    fn doubles_are_spelled_with_17_digits_and_no_needless_dot() {
        let cases = [
            (0.744_140_625, "0.744140625"),
            (0.1, "0.10000000000000001"),
            (1_700_000_100.0, "1700000100"),
            (1e20, "1e+20"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (-9_223_372_036_854_775_809.0, "-9.2233720368547758e+18"),
            (0.0001, "0.0001"),
            (0.000_01, "1.0000000000000001e-05"),
            (5e-324, "4.9406564584124654e-324"),
            (0.0, "0"),
            (-0.0, "-0"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (number, text) in cases {
            assert_eq!(spell(number), text);
        }
    }

    #[test]
    fn an_integer_takes_the_first_type_that_holds_it() {
        assert_eq!(integer(b"-0"), Value::Int(0));
        assert_eq!(integer(b"-9223372036854775808"), Value::Int(i64::MIN));
        assert_eq!(integer(b"9223372036854775808"), Value::UInt(1 << 63));
        assert_eq!(integer(b"100000000000000000000"), Value::Double(1e20));
    }
}
