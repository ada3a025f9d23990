use std::error::Error;
use std::fmt;
use std::time::Duration;

use seawall_core::{Name, Rejection};

use crate::meter::Standing;
use crate::quota::Quota;
use crate::throttled::Throttled;

/// One or more limits of a [`LayeredRateLimiter`](crate::LayeredRateLimiter) did not let the call through; nothing was taken of
/// any.
#[derive(Clone, Debug)]
pub struct Violation<const N: usize> {
    standings: [Option<Standing>; N],
    /// That of the longest wait.
    rejection: Rejection,
}

impl<const N: usize> Violation<N> {
    pub(super) fn new(standings: [Option<Standing>; N]) -> Self {
        let longest = refusals(&standings).max_by_key(|throttled| throttled.retry_after().unwrap_or(Duration::MAX));
        let rejection = longest.copied().expect("some limit refuses").into();
        Self { standings, rejection }
    }

    /// The limits that refuse, in the order of the rules.
    pub fn violated(&self) -> impl Iterator<Item = &Throttled> {
        refusals(&self.standings)
    }

    /// After how long the same call would pass all limits, if nothing else is taken meanwhile. `None` if it never does, because it
    /// wants more cells than one of them ever has.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.rejection.retry_after()
    }

    /// The limits that concern the call and would let it pass: their names, their quotas and how much is left of each.
    pub fn others(&self) -> impl Iterator<Item = (Name, Quota, u32)> {
        self.standings.iter().filter_map(|standing| match standing {
            Some(Standing::Passes { name, figures, limits }) => Some((*name, limits.quota(), figures.remaining())),
            _ => None,
        })
    }

    #[cfg(feature = "http")]
    pub(crate) fn standings(&self) -> impl Iterator<Item = Option<&Standing>> {
        self.standings.iter().map(Option::as_ref)
    }
}

fn refusals(standings: &[Option<Standing>]) -> impl Iterator<Item = &Throttled> {
    standings.iter().filter_map(|standing| match standing {
        Some(Standing::Refuses(throttled)) => Some(throttled),
        _ => None,
    })
}

impl<const N: usize> From<Violation<N>> for Rejection {
    fn from(violation: Violation<N>) -> Self {
        violation.rejection
    }
}

impl<const N: usize> fmt::Display for Violation<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, throttled) in self.violated().enumerate() {
            write!(f, "{}{throttled}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl<const N: usize> Error for Violation<N> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}
