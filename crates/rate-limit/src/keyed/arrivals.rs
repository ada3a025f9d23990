use std::ops::AddAssign;

/// What has come and gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrivals {
    /// Keys that were given a slot.
    pub(crate) arrived: u64,
    /// Keys that were evicted while they owed something.
    pub(crate) evicted_live: u64,
    /// Cells that newcomers owed from the start, for the sake of those that were evicted; rounded up for each.
    pub(crate) inherited: u64,
}

impl AddAssign for Arrivals {
    fn add_assign(&mut self, other: Self) {
        self.arrived += other.arrived;
        self.evicted_live += other.evicted_live;
        self.inherited = self.inherited.saturating_add(other.inherited);
    }
}
