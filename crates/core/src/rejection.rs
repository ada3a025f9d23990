use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::Name;

/// What refused and why: one static per reason of a pattern.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pattern: &'static str,
    reason: &'static str,
    over_quota: bool,
}

impl Kind {
    /// The kind of refusals that `pattern` gives for `reason`: both in `snake_case`, as in metrics.
    pub const fn new(pattern: &'static str, reason: &'static str) -> Self {
        Self { pattern, reason, over_quota: false }
    }

    /// The same for refusals whose cause is the caller, which asked for more than its share. Over HTTP such a refusal is
    /// 429, every other one 503.
    #[must_use]
    pub const fn over_quota(mut self) -> Self {
        self.over_quota = true;
        self
    }
}

/// A call that was not let through, in the form that all patterns share.
///
/// It is `Copy` and at most 56 bytes: refusing must be cheap exactly when everything is refused. Each pattern's own
/// refusal converts into it and says more.
///
/// ```
/// use seawall_core::{Kind, Name, Rejection};
/// use std::time::Duration;
///
/// static SHUT: Kind = Kind::new("gate", "shut");
/// let rejection = Rejection::new(&SHUT, Name::from_static("payment")).after(Duration::from_secs(3));
/// assert_eq!(rejection.to_string(), "gate `payment` refused the call: shut, retry after 3s");
///
/// let error: Box<dyn std::error::Error + Send + Sync> = rejection.into();
/// assert_eq!(Rejection::find(&*error), Some(&rejection));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    kind: &'static Kind,
    name: Name,
    /// In nanoseconds, because making a duration of them costs a division; unknown if it is all ones.
    retry_after: u64,
}

impl Rejection {
    const UNKNOWN: u64 = u64::MAX;

    /// A refusal by the instance `name`.
    #[inline]
    pub const fn new(kind: &'static Kind, name: Name) -> Self {
        Self { kind, name, retry_after: Self::UNKNOWN }
    }

    /// The same, with the time after which asking again makes sense.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    pub const fn after(self, retry_after: Duration) -> Self {
        let nanos = retry_after.as_nanos();
        // Five centuries are as good as for ever, but not unknown.
        self.after_nanos(if nanos < Self::UNKNOWN as u128 { nanos as u64 } else { Self::UNKNOWN - 1 })
    }

    /// The same in nanoseconds; all ones if nobody knows the time.
    #[inline]
    #[must_use]
    pub const fn after_nanos(mut self, retry_after: u64) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Which pattern refused, in `snake_case`.
    pub const fn pattern(&self) -> &'static str {
        self.kind.pattern
    }

    /// Why it refused, in `snake_case`.
    pub const fn reason(&self) -> &'static str {
        self.kind.reason
    }

    /// Whether the caller asked for more than its share. Otherwise what was asked for cannot be had now, whoever asks.
    pub const fn is_over_quota(&self) -> bool {
        self.kind.over_quota
    }

    /// Which instance of the pattern refused.
    pub const fn name(&self) -> Name {
        self.name
    }

    /// After what time asking again makes sense, where the pattern can know.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.retry_after {
            Self::UNKNOWN => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// The rejection that caused `error`: the error itself or the first one among its sources.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("pattern", &self.kind.pattern)
            .field("reason", &self.kind.reason)
            .field("name", &self.name)
            .field("retry_after", &self.retry_after())
            .finish()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` refused the call: {}", self.kind.pattern, self.name, self.kind.reason)?;
        match self.retry_after() {
            Some(after) => write!(f, ", retry after {after:?}"),
            None => Ok(()),
        }
    }
}

impl Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_is_small_enough_to_copy() {
        assert!(size_of::<Rejection>() <= 56, "{}", size_of::<Rejection>());
    }
}
