//! What a call is there for, and so who waits less where there is not enough for all.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use seawall_bulkhead::{Claim, Priority};
use seawall_core::Deadline;
use std::convert::Infallible;

/// What a call is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To place an order, or to do what an urgent one needs: before everything else, and where a line is full others leave it.
    Ordering,
    /// To do what an order needs that has just been placed: before what waits since longer, which nobody waits for.
    Serving,
    /// To show what is asked for, or to do what an accepted order still needs.
    Showing,
    /// To do what nobody misses for a while.
    Extra,
}

impl Purpose {
    /// What it claims of a bulkhead for somebody who waits until `deadline`.
    pub(crate) fn claim(self, deadline: Option<Deadline>) -> Claim {
        let priority = match self {
            Self::Ordering => Priority::Critical,
            Self::Serving => Priority::High,
            Self::Showing => Priority::Normal,
            Self::Extra => Priority::Low,
        };
        Claim::new().priority(priority).until(deadline.map(Deadline::time))
    }

    /// The same for a task in the background.
    pub(crate) fn unhurried(self) -> Claim {
        self.claim(None)
    }
}

/// Until when the request's caller waits, where anybody said so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits(pub(crate) Option<Deadline>);

impl<S: Sync> FromRequestParts<S> for Waits {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get().copied()))
    }
}
