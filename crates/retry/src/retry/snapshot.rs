use seawall_core::Name;

/// All that is known of a [`Retry`](crate::Retry) at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Whose calls these are.
    pub name: Name,
    /// How often a call is made at most.
    pub max_attempts: u32,
    /// What was counted since it was made.
    pub total: Total,
}

/// Calls, by why they ended, and attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Total {
    /// Calls whose first attempt was good.
    pub first_good: u64,
    /// Calls of which a later attempt was good.
    pub later_good: u64,
    /// Calls whose result no other attempt would have changed.
    pub not_retryable: u64,
    /// Calls that had all their attempts.
    pub exhausted: u64,
    /// Calls that were given up because the budget had nothing left.
    pub out_of_budget: u64,
    /// Calls that were given up because their deadline passed, or would have before the next attempt.
    pub deadline: u64,
    /// Calls that were given up because the dependency asked for a longer wait than they keep to.
    pub hint: u64,
    /// Calls that were dropped before their end.
    pub abandoned: u64,
    /// Attempts that were made after a first one.
    pub retries: u64,
}
