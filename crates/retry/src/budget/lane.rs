use seawall_core::stripe::{Striped, Tally};

/// What each thread counts for itself.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Original calls that began.
    pub(super) calls: Tally,
    /// Those of them that ended.
    pub(super) ended: Tally,
    pub(super) spent: Tally,
    pub(super) denied: Tally,
    /// Extra attempts that ended.
    pub(super) extra_ended: Tally,
    /// Extra attempts that were never begun.
    pub(super) given_back: Tally,
}

/// What all threads have counted of it.
pub(super) fn sum(lanes: &Striped<Lane>, part: impl Fn(&Lane) -> &Tally) -> u64 {
    lanes.iter().map(|lane| part(lane).get()).sum()
}
