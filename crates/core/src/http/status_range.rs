use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ::http::StatusCode;

use crate::ConfigError;

/// What can be a status: what [`StatusCode`] takes.
pub(super) const ALL: StatusRange = StatusRange { first: 100, last: 999 };

/// One status, or several that follow each other: of a number, a range, or a text such as `"429"`, `"500-504"` or `"5xx"`.
///
/// Numbers are checked where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    pub(super) first: u16,
    pub(super) last: u16,
}

impl StatusRange {
    pub(super) const VALID: &'static str =
        "a status from 100 to 999, a range such as \"500-504\", or a class such as \"5xx\"";

    pub(super) const fn len(self) -> usize {
        (self.last - self.first) as usize + 1
    }

    pub(super) fn check(self, field: &'static str) -> Result<(), ConfigError> {
        let within = |status| (ALL.first..=ALL.last).contains(&status);
        let valid = if !(within(self.first) && within(self.last)) {
            if self.first == self.last { "a status from 100 to 999" } else { "a range within 100 to 999" }
        } else if self.first > self.last {
            "a range that does not end before it begins"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(field, self, valid))
    }
}

impl From<u16> for StatusRange {
    fn from(status: u16) -> Self {
        Self { first: status, last: status }
    }
}

impl From<StatusCode> for StatusRange {
    fn from(status: StatusCode) -> Self {
        status.as_u16().into()
    }
}

impl From<RangeInclusive<u16>> for StatusRange {
    fn from(range: RangeInclusive<u16>) -> Self {
        let (first, last) = range.into_inner();
        Self { first, last }
    }
}

impl FromStr for StatusRange {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        let digit = |text: &str| number(text).filter(|digit| text.len() == 1 && *digit > 0);
        let range = if let Some((first, last)) = text.split_once('-') {
            number(first).zip(number(last)).map(|(first, last)| Self { first, last })
        } else if let Some(class) = text.strip_suffix("xx") {
            digit(class).map(|class| Self { first: class * 100, last: class * 100 + 99 })
        } else {
            number(text).map(Self::from)
        };
        range.ok_or_else(|| ConfigError::new("status", format!("{text:?}"), Self::VALID))
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = *self;
        match last {
            last if last == first => write!(f, "{first}"),
            last if first % 100 == 0 && last.checked_sub(first) == Some(99) => write!(f, "{}xx", first / 100),
            last => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_status_a_range_or_a_class() {
        for (text, range) in [("429", 429..=429), ("500-504", 500..=504), ("5xx", 500..=599), ("9xx", 900..=999)] {
            let parsed: StatusRange = text.parse().expect(text);
            assert_eq!(parsed, range.into(), "{text}");
            assert_eq!(parsed.to_string(), text);
        }
        for text in ["", "x", "xx", "0xx", "10xx", "5XX", "5x", "-", "5-", "-5", "+429", "4 29", "70000", "1-2-3"] {
            let error = text.parse::<StatusRange>().expect_err(text);
            assert_eq!((error.field(), error.value()), ("status", format!("{text:?}").as_str()));
        }
    }
}
