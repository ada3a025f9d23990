use std::time::Duration;

use super::{Place, Priority};
use crate::time::Timestamp;

/// What somebody asks of a [`WaitQueue`](super::WaitQueue).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Claim {
    permits: u32,
    priority: Priority,
    deadline: Option<Timestamp>,
    max_wait: Option<Duration>,
}

/// What [`WaitQueue::enter`](super::WaitQueue::enter) gives.
#[derive(Debug)]
pub enum Turn {
    /// The permits, at once.
    Now,
    /// A place in the line.
    Later(Place),
    /// Neither: too little is free and the line is full.
    Full,
    /// Neither: the turn would come after the deadline, in so long a time if that is known.
    TooLate(Option<Duration>),
    /// Neither: more is asked for than there is in all.
    Never,
}

impl Claim {
    /// One permit, at [`Priority::Normal`], without a deadline.
    pub const fn new() -> Self {
        Self { permits: 1, priority: Priority::Normal, deadline: None, max_wait: None }
    }

    /// So many permits, all at once.
    pub const fn permits(mut self, permits: u32) -> Self {
        self.permits = permits;
        self
    }

    /// Of this priority.
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Refused at once if its turn is expected later.
    pub const fn until(mut self, deadline: Option<Timestamp>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Without a deadline: refused at once if its turn is expected later than so long after it enters.
    pub const fn or_within(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// The same, with the earlier of its deadline and this one.
    pub fn earlier(self, deadline: Option<Timestamp>) -> Self {
        let earlier = match (self.deadline, deadline) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        self.until(earlier)
    }

    /// How many permits it asks for.
    pub const fn wanted(&self) -> u32 {
        self.permits
    }

    /// How much it matters.
    pub const fn get_priority(&self) -> Priority {
        self.priority
    }

    /// When it is too late.
    pub const fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// When it is too late if it enters at `now`.
    pub fn deadline_from(&self, now: Timestamp) -> Option<Timestamp> {
        self.deadline.or_else(|| self.max_wait.map(|wait| now + wait))
    }
}

impl Default for Claim {
    fn default() -> Self {
        Self::new()
    }
}
