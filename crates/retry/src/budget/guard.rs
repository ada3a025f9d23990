use std::fmt;

use super::handle::Budget;

/// An original call, from [`Budget::begin`] until this is dropped.
#[must_use = "a call that is dropped at once pays, and counts as ended"]
pub struct Began<'a> {
    budget: &'a Budget,
}

impl<'a> Began<'a> {
    pub(super) const fn new(budget: &'a Budget) -> Self {
        Self { budget }
    }

    /// Leave for an extra attempt, if the budget has it: the same as [`Budget::spend`].
    pub fn spend(&self) -> Option<Extra<'a>> {
        self.budget.spend()
    }
}

impl Drop for Began<'_> {
    #[inline]
    fn drop(&mut self) {
        self.budget.leave();
    }
}

impl fmt::Debug for Began<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Began").field("budget", &self.budget.name()).finish()
    }
}

/// Leave for one extra attempt, which ends when this is dropped.
#[must_use = "an extra attempt that is dropped at once is paid for"]
pub struct Extra<'a> {
    budget: &'a Budget,
    started: bool,
}

impl<'a> Extra<'a> {
    pub(super) const fn new(budget: &'a Budget) -> Self {
        Self { budget, started: true }
    }

    /// It was not made after all: gives back what was paid.
    ///
    /// Of several extra attempts that are out, the budget does not know which one this is, and takes it for the one that was paid
    /// for first. So what is given back is never more than what it took.
    pub fn cancel(mut self) {
        self.started = false;
    }
}

impl Drop for Extra<'_> {
    fn drop(&mut self) {
        self.budget.give_back(self.started);
    }
}

impl fmt::Debug for Extra<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extra").field("budget", &self.budget.name()).finish()
    }
}
