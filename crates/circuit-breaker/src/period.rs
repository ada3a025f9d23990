use std::collections::VecDeque;
use std::time::Duration;

use seawall_core::time::Timestamp;

/// When the last failures were: as many as it takes to open the circuit, to the nanosecond.
pub(crate) struct RecentFailures {
    at: VecDeque<Timestamp>,
    limit: usize,
    period: Duration,
}

impl RecentFailures {
    pub(crate) fn new(limit: usize, period: Duration) -> Self {
        Self { at: VecDeque::with_capacity(limit), limit, period }
    }

    pub(crate) fn push(&mut self, now: Timestamp) {
        if self.at.len() == self.limit {
            self.at.pop_front();
        }
        // After a step back of the clock, failures that seem to come are of now, and age from now on.
        for at in self.at.iter_mut().rev().take_while(|at| **at > now) {
            *at = now;
        }
        self.at.push_back(now);
    }

    /// Whether as many failures as the limit lie within the period before `now`; before the last of them, should the clock
    /// have stepped back.
    pub(crate) fn is_full(&self, now: Timestamp) -> bool {
        let (Some(oldest), Some(newest)) = (self.at.front(), self.at.back()) else { return false };
        self.at.len() == self.limit && now.max(*newest).saturating_duration_since(*oldest) < self.period
    }

    /// How many failures lie within the period before `now`.
    pub(crate) fn within(&self, now: Timestamp) -> u64 {
        self.at.iter().filter(|at| now.saturating_duration_since(**at) < self.period).count() as u64
    }

    /// Whether any failure lies within the period before `now`.
    pub(crate) fn holds_any(&self, now: Timestamp) -> bool {
        self.at.back().is_some_and(|newest| now.saturating_duration_since(*newest) < self.period)
    }

    pub(crate) fn clear(&mut self) {
        self.at.clear();
    }

    pub(crate) fn resized(&self, limit: usize, period: Duration) -> Self {
        let mut new = Self::new(limit, period);
        for at in &self.at {
            new.push(*at);
        }
        new
    }
}
