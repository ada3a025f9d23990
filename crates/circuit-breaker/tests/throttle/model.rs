//! What the window holds, worked out from a list of everything that ever happened.

use std::time::Duration;

/// Every event with its time, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct History {
    bucket: u64,
    buckets: u64,
    asked: Vec<u64>,
    refused: Vec<u64>,
    withdrawn: Vec<(u64, u64)>,
    /// The earliest and the latest time at which the throttle may say that it was.
    accepted: Vec<(u64, u64)>,
}

impl History {
    pub(crate) fn new(window: Duration, buckets: u32) -> Self {
        let window = u64::try_from(window.as_nanos()).expect("short");
        let buckets = u64::from(buckets);
        Self {
            bucket: window / buckets,
            buckets,
            asked: Vec::new(),
            refused: Vec::new(),
            withdrawn: Vec::new(),
            accepted: Vec::new(),
        }
    }

    pub(crate) fn ask(&mut self, now: u64, refused: bool) {
        self.asked.push(now);
        if refused {
            self.refused.push(now);
        }
    }

    pub(crate) fn accept(&mut self, looked: u64, now: u64) {
        self.accepted.push((looked, now));
    }

    pub(crate) fn withdraw(&mut self, looked: u64, now: u64) {
        self.withdrawn.push((looked, now));
    }

    fn is_in(&self, at: u64, now: u64) -> bool {
        at / self.bucket + self.buckets > now / self.bucket
    }

    fn count(&self, times: impl Iterator<Item = u64>, now: u64) -> u64 {
        times.filter(|at| self.is_in(*at, now)).count() as u64
    }

    /// The fewest and the most requests that the window may hold.
    pub(crate) fn requests(&self, now: u64) -> (u64, u64) {
        let asked = self.count(self.asked.iter().copied(), now);
        let early = self.count(self.withdrawn.iter().map(|(early, _)| *early), now);
        let late = self.count(self.withdrawn.iter().map(|(_, late)| *late), now);
        (asked.saturating_sub(late), asked.saturating_sub(early))
    }

    pub(crate) fn refused(&self, now: u64) -> u64 {
        self.count(self.refused.iter().copied(), now)
    }

    /// The fewest and the most accepted calls that the window may hold.
    pub(crate) fn accepts(&self, now: u64) -> (u64, u64) {
        let early = self.count(self.accepted.iter().map(|(early, _)| *early), now);
        let late = self.count(self.accepted.iter().map(|(_, late)| *late), now);
        (early, late)
    }
}
