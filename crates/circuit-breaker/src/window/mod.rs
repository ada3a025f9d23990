//! The calls over which rates are taken.
//!
//! Successes arrive in bulk, as the difference of a counter; everything else one by one. That is all a window needs to be
//! exact, because a success between two other events moves the window and nothing more.

mod count;
mod durations;
mod time;

use seawall_core::time::Timestamp;

pub(crate) use count::CountWindow;
pub(crate) use durations::TookWindow;
pub(crate) use time::{Counts, TimeWindow};

use crate::config;
use crate::figures::Figures;

/// What one call adds to a window, if it was not a plain success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
    pub(crate) abandoned: bool,
}

#[derive(Debug)]
pub(crate) enum RateWindow {
    Count(CountWindow),
    Time(TimeWindow),
}

impl RateWindow {
    pub(crate) fn new(window: config::Window, now: Timestamp) -> Self {
        match window {
            config::Window::Count { size, .. } => Self::Count(CountWindow::new(size)),
            config::Window::Time { length, buckets, .. } => Self::Time(TimeWindow::new(length, buckets, now)),
        }
    }

    /// `n` calls succeeded and were not slow.
    pub(crate) fn succeed(&mut self, n: u64) {
        match self {
            Self::Count(window) => window.succeed(n),
            Self::Time(window) => window.succeed(n),
        }
    }

    pub(crate) fn mark(&mut self, mark: Mark) {
        match self {
            Self::Count(window) => window.mark(mark),
            Self::Time(window) => window.mark(mark),
        }
    }

    /// Lets go of what is too old.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        if let Self::Time(window) = self {
            window.advance(now);
        }
    }

    /// When the newest bucket ends: a success after that must not be counted before [`advance`](Self::advance).
    pub(crate) fn bucket_end(&self) -> Timestamp {
        match self {
            Self::Count(_) => Timestamp::NEVER,
            Self::Time(window) => window.bucket_end(),
        }
    }

    /// A moment in the newest bucket.
    pub(crate) fn newest(&self) -> Timestamp {
        Timestamp::from_nanos(self.bucket_end().as_nanos() - 1)
    }

    pub(crate) fn figures(&self) -> Figures {
        match self {
            Self::Count(window) => window.figures(),
            Self::Time(window) => window.figures(),
        }
    }

    pub(crate) fn clear(&mut self, now: Timestamp) {
        match self {
            Self::Count(window) => window.clear(),
            Self::Time(window) => window.clear(now),
        }
    }

    /// Adds as many calls of each kind as keep the rates, as if they were of now.
    pub(crate) fn fill_with(&mut self, figures: &Figures) {
        match self {
            Self::Count(window) => window.fill_with(figures),
            Self::Time(window) => window.add(figures),
        }
    }

    /// The same calls under another configuration: between counts the newest that fit, otherwise as many of each kind as
    /// keep the rates, as if they were of now.
    pub(crate) fn resized(&self, window: config::Window, now: Timestamp) -> Self {
        let mut new = Self::new(window, now);
        match (self, &mut new) {
            (Self::Count(old), Self::Count(new)) => old.replay_into(new),
            (old, new) => new.fill_with(&old.figures()),
        }
        new
    }
}
