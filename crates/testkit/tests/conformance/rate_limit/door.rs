//! A limit of this project: a limiter by itself, or one key of a limiter of many.

use std::time::Duration;

use seawall_core::time::{Clock, Timestamp};
use seawall_rate_limit::{
    Grant, Keyed, KeyedRateLimiter, KeyedReservation, RateLimiter, Reservation, SipHash, Throttled,
};

use super::limits::Spec;

/// Whose state a limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Itself,
    OneKeyOfMany,
}

pub(super) enum Limiter {
    Single(RateLimiter),
    Keyed(KeyedRateLimiter<str>),
}

#[derive(Clone, Copy)]
pub(super) enum Door<'a> {
    Single(&'a RateLimiter),
    Key(&'a KeyedRateLimiter<str>, &'a str),
}

pub(super) enum Turn<'a> {
    Single(Reservation<'a>),
    Key(KeyedReservation<'a, str, SipHash>),
}

impl Limiter {
    pub(super) fn new(of: Of, spec: &Spec, clock: &Clock) -> Result<Self, String> {
        match of {
            Of::Itself => RateLimiter::with_clock(spec.config(), clock.clone()).map(Self::Single),
            Of::OneKeyOfMany => KeyedRateLimiter::with_clock(Keyed::new(spec.config()), clock.clone()).map(Self::Keyed),
        }
        .map_err(|error| error.to_string())
    }

    pub(super) const fn door<'a>(&'a self, key: &'a str) -> Door<'a> {
        match self {
            Self::Single(limiter) => Door::Single(limiter),
            Self::Keyed(limiter) => Door::Key(limiter, key),
        }
    }

    pub(super) const fn single(&self) -> Option<&RateLimiter> {
        match self {
            Self::Single(limiter) => Some(limiter),
            Self::Keyed(_) => None,
        }
    }
}

impl<'a> Door<'a> {
    pub(super) fn check_n(self, cells: u32) -> Result<Grant, Throttled> {
        match self {
            Self::Single(limiter) => limiter.check_n(cells),
            Self::Key(limiter, key) => limiter.check_n(key, cells),
        }
    }

    pub(super) fn take_up_to(self, cells: u32) -> Grant {
        match self {
            Self::Single(limiter) => limiter.take_up_to(cells),
            Self::Key(limiter, key) => limiter.take_up_to(key, cells),
        }
    }

    pub(super) fn peek(self) -> Grant {
        match self {
            Self::Single(limiter) => limiter.peek(),
            Self::Key(limiter, key) => limiter.peek(key),
        }
    }

    pub(super) fn reserve(self, cells: u32, max_wait: Duration) -> Result<Turn<'a>, Throttled> {
        match self {
            Self::Single(limiter) => limiter.reserve(cells, max_wait).map(Turn::Single),
            Self::Key(limiter, key) => limiter.reserve(key, cells, max_wait).map(Turn::Key),
        }
    }

    pub(super) fn refund(self, grant: Grant) {
        match self {
            Self::Single(limiter) => limiter.refund(grant),
            Self::Key(limiter, _) => limiter.refund(grant),
        }
    }

    pub(super) fn reset(self) {
        match self {
            Self::Single(limiter) => limiter.reset(),
            Self::Key(limiter, key) => limiter.reset(key),
        }
    }

    pub(super) fn reconfigure(self, spec: &Spec) -> Result<(), String> {
        match self {
            Self::Single(limiter) => limiter.reconfigure(spec.config()),
            Self::Key(limiter, _) => limiter.reconfigure(Keyed::new(spec.config())),
        }
        .map_err(|error| error.to_string())
    }
}

impl Turn<'_> {
    pub(super) fn act_at(&self) -> Timestamp {
        match self {
            Self::Single(turn) => turn.act_at(),
            Self::Key(turn) => turn.act_at(),
        }
    }

    pub(super) fn wait(&self) -> Duration {
        match self {
            Self::Single(turn) => turn.wait(),
            Self::Key(turn) => turn.wait(),
        }
    }

    pub(super) fn keep(self) -> Grant {
        match self {
            Self::Single(turn) => turn.keep(),
            Self::Key(turn) => turn.keep(),
        }
    }
}
