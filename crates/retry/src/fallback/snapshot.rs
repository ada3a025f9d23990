use seawall_core::Name;

/// All that is known of a [`Fallback`](crate::Fallback) at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FallbackSnapshot {
    /// Whose calls these are.
    pub name: Name,
    /// Whether failed calls are answered at all.
    pub enabled: bool,
    /// What was counted since it was made.
    pub total: FallbackTotal,
}

/// Calls, by whose answer it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FallbackTotal {
    /// Calls that gave an answer of their own.
    pub good: u64,
    /// Calls that another answer was given for.
    pub fell_back: u64,
    /// Calls that another answer was wanted for, and there was none.
    pub failed: u64,
    /// Calls whose error was not the fallback's to take, or that failed while it was not in use.
    pub passed_on: u64,
    /// Calls that were dropped by others, or panicked, while they or the fallback were out.
    pub abandoned: u64,
}
