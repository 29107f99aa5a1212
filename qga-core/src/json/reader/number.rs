//! Numbers.

use std::str::FromStr;

use serde::de::{Error as _, Expected, Unexpected, Visitor};
use serde_json::{Error, Result};

use super::Reader;
use crate::json::number::{Whole, whole};

#[derive(Clone, Copy)]
pub(super) enum Number<'de> {
    Natural(u64),
    Negative(i64),
    /// With a fraction or an exponent, longer than 64 bits, or `-0`.
    Other(&'de str),
}

impl<'de> Reader<'de> {
    pub(super) fn number(&mut self) -> Result<Number<'de>> {
        self.peek();
        let start = self.at;
        let is_negative = self.take(b"-");
        let digits = self.at;
        let mut magnitude = Some(0_u64);
        while let Some(digit) = self.digit() {
            magnitude = magnitude.and_then(|it| it.checked_mul(10)?.checked_add(digit.into()));
        }
        let is_integer = match (self.at - digits, self.json.get(digits)) {
            (0, _) | (2.., Some(b'0')) => return Err(self.broken()),
            _ => !self.fraction()?,
        };
        match magnitude.filter(|_| is_integer) {
            Some(number) if !is_negative => return Ok(Number::Natural(number)),
            Some(number @ 1..) => {
                if let Some(number) = 0_i64.checked_sub_unsigned(number) {
                    return Ok(Number::Negative(number));
                }
            }
            _ => {}
        }
        self.piece(start..self.at).map(Number::Other)
    }

    /// Reads an integer for who asks for one.
    #[inline]
    pub(super) fn visit_integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.is_number().then(|| self.number()) {
            None => Err(self.unexpected(&visitor)),
            Some(Err(error)) => Err(error),
            Some(Ok(Number::Natural(number))) => visitor.visit_u64(number),
            Some(Ok(Number::Negative(number))) => visitor.visit_i64(number),
            Some(Ok(Number::Other(number))) => match whole(number) {
                Some(number) => number.visit(visitor),
                None => Err(unexpected_number(number, &visitor)),
            },
        }
    }

    /// The same for who asks for one of 128 bits.
    pub(super) fn visit_wide<V: Visitor<'de>>(
        &mut self,
        visitor: V,
        is_signed: bool,
    ) -> Result<V::Value> {
        if !self.is_number() {
            return Err(self.unexpected(&visitor));
        }
        let number = match self.number()? {
            Number::Natural(number) => Whole::Natural(number.into()),
            Number::Negative(number) => Whole::Negative(number.into()),
            Number::Other(number) => {
                whole(number).ok_or_else(|| unexpected_number(number, &visitor))?
            }
        };
        match number {
            Whole::Negative(number) => visitor.visit_i128(number),
            Whole::Natural(number) => match i128::try_from(number) {
                Ok(number) if is_signed => visitor.visit_i128(number),
                _ => visitor.visit_u128(number),
            },
        }
    }

    /// Reads a number for who asks for anything.
    pub(super) fn visit_number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.number()? {
            Number::Natural(number) => visitor.visit_u64(number),
            Number::Negative(number) => visitor.visit_i64(number),
            Number::Other(number) => match whole(number).filter(|_| self.respells) {
                Some(Whole::Natural(number)) if number <= u64::MAX.into() => {
                    Whole::Natural(number).visit(visitor)
                }
                Some(Whole::Negative(number)) if number >= i64::MIN.into() => {
                    Whole::Negative(number).visit(visitor)
                }
                _ => visitor.visit_f64(float(number)?),
            },
        }
    }

    /// Reads a number for who asks for a float of some width.
    pub(super) fn visit_float<V: Visitor<'de>>(
        &mut self,
        visitor: V,
        visit: fn(V, &str) -> Result<V::Value>,
    ) -> Result<V::Value> {
        if !self.is_number() {
            return Err(self.unexpected(&visitor));
        }
        match self.number()? {
            Number::Natural(number) => visitor.visit_u64(number),
            Number::Negative(number) => visitor.visit_i64(number),
            Number::Other(number) => visit(visitor, number),
        }
    }

    fn is_number(&mut self) -> bool {
        matches!(self.peek(), Some(b'-' | b'0'..=b'9'))
    }

    /// Reads a fraction and an exponent, and tells whether there is one or the other.
    fn fraction(&mut self) -> Result<bool> {
        let after = self.at;
        if self.take(b".") {
            self.digits()?;
        }
        if self.take(b"eE") {
            self.take(b"+-");
            self.digits()?;
        }
        Ok(self.at > after)
    }

    /// Reads a digit or more.
    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while self.digit().is_some() {}
        if self.at == start {
            return Err(self.broken());
        }
        Ok(())
    }

    #[inline]
    fn digit(&mut self) -> Option<u8> {
        let digit = self.json.get(self.at)?.wrapping_sub(b'0');
        (digit < 10).then(|| {
            self.at += 1;
            digit
        })
    }

    /// Takes one of these bytes, if one is there.
    #[inline]
    fn take(&mut self, bytes: &[u8]) -> bool {
        let is_there = self.json.get(self.at).is_some_and(|it| bytes.contains(it));
        self.at += usize::from(is_there);
        is_there
    }
}

/// A float that is written with more bytes than these is nobody's, and the parser does not read all of its exponent.
const LONGEST_FLOAT: usize = 4096;

/// The float that is next to a number.
pub(super) fn float<F: FromStr + Copy + Into<f64>>(number: &str) -> Result<F> {
    let number = Some(number).filter(|it| it.len() <= LONGEST_FLOAT);
    let float = number.and_then(|it| it.parse().ok());
    let float = float.filter(|it: &F| (*it).into().is_finite());
    float.ok_or_else(|| Error::custom("number out of range"))
}

/// Says that a number is not of the kind that is expected.
#[cold]
pub(super) fn unexpected_number(number: &str, expected: &dyn Expected) -> Error {
    let is_integer = !number.contains(['.', 'e', 'E']);
    let kind = if is_integer {
        "integer"
    } else {
        "floating point"
    };
    Error::invalid_type(Unexpected::Other(&format!("{kind} `{number}`")), expected)
}
