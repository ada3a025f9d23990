use std::cmp::Ordering;
use std::collections::BinaryHeap;

use seawall_core::time::Timestamp;

/// What comes next: by time, and at the same time by age.
pub(super) struct Schedule<Step> {
    entries: BinaryHeap<Entry<Step>>,
    entered: u64,
}

struct Entry<Step> {
    at: Timestamp,
    age: u64,
    step: Step,
}

impl<Step> Schedule<Step> {
    pub(super) const fn new() -> Self {
        Self { entries: BinaryHeap::new(), entered: 0 }
    }

    pub(super) fn enter(&mut self, at: Timestamp, step: Step) {
        self.entered += 1;
        self.entries.push(Entry { at, age: self.entered, step });
    }

    /// What comes next, if that is before `end`.
    pub(super) fn next_before(&mut self, end: Timestamp) -> Option<(Timestamp, Step)> {
        if self.entries.peek()?.at >= end {
            return None;
        }
        self.entries.pop().map(|entry| (entry.at, entry.step))
    }
}

impl<Step> Ord for Entry<Step> {
    /// The heap gives the greatest first, which is to be the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.age).cmp(&(self.at, self.age))
    }
}

impl<Step> PartialOrd for Entry<Step> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<Step> PartialEq for Entry<Step> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<Step> Eq for Entry<Step> {}
