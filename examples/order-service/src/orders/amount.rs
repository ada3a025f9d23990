//! Money: exact, in hundredths, never a float.

use std::fmt;
use std::iter;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An amount of money, not negative. Reads and writes JSON numbers such as `4.50` without ever rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = f64, minimum = 0, multiple_of = 0.01, example = 4.50)]
pub(crate) struct Amount(i64);

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AmountError {
    /// Not a plain decimal number.
    NotANumber,
    /// Below zero.
    Negative,
    /// Finer than hundredths.
    TooFine,
    /// Beyond what is counted with.
    TooLarge,
}

impl Amount {
    /// From hundredths, as stored.
    pub(crate) fn from_hundredths(hundredths: i64) -> Option<Self> {
        (hundredths >= 0).then_some(Self(hundredths))
    }

    /// In hundredths, as stored.
    pub(crate) fn hundredths(self) -> i64 {
        self.0
    }

    /// The sum, unless it is too large to be counted with.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// So many times the amount, unless that is too large to be counted with.
    pub(crate) fn checked_mul(self, times: u32) -> Option<Self> {
        self.0.checked_mul(i64::from(times)).map(Self)
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(AmountError::NotANumber);
        }
        if negative {
            return Err(AmountError::Negative);
        }
        if fraction.len() > 2 {
            return Err(AmountError::TooFine);
        }
        let hundredths = whole.bytes().chain(fraction.bytes().chain(iter::repeat(b'0')).take(2));
        hundredths
            .map(|digit| i64::from(digit - b'0'))
            .try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(digit))
            .map(Self)
            .ok_or(AmountError::TooLarge)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "must be a number written with digits alone, such as 4.50",
            Self::Negative => "must not be negative",
            Self::TooFine => "must have at most two decimals",
            Self::TooLarge => "is too large to be counted with",
        })
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).expect("digits and a point are a JSON number").serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer)?.get().parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, hundredths) in
            [("4.50", 450), ("9", 900), ("0.1", 10), ("0.29", 29), ("0", 0), ("10000.01", 1_000_001)]
        {
            assert_eq!(text.parse(), Ok(Amount(hundredths)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        for (text, reason) in [
            ("4.505", AmountError::TooFine),
            ("4.500", AmountError::TooFine),
            ("-0.01", AmountError::Negative),
            ("-0", AmountError::Negative),
            ("1e2", AmountError::NotANumber),
            ("4.", AmountError::NotANumber),
            (".5", AmountError::NotANumber),
            ("\"4.50\"", AmountError::NotANumber),
            ("null", AmountError::NotANumber),
            ("", AmountError::NotANumber),
            ("-", AmountError::NotANumber),
            ("92233720368547758.08", AmountError::TooLarge),
            ("99999999999999999999999", AmountError::TooLarge),
        ] {
            assert_eq!(text.parse::<Amount>(), Err(reason), "{text}");
        }
    }

    #[test]
    fn arithmetic_never_wraps() {
        let largest = Amount(i64::MAX);
        assert_eq!("92233720368547758.07".parse(), Ok(largest));
        assert_eq!(largest.checked_add(Amount(1)), None);
        assert_eq!(largest.checked_mul(2), None);
        assert_eq!(Amount(450).checked_mul(2), Some(Amount(900)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(hundredths in 0..=i64::MAX) {
            let amount = Amount(hundredths);
            let json = serde_json::to_string(&amount).expect("a number");
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).expect("the same number"), amount);
        }
    }
}
