use std::collections::VecDeque;

use seawall_core::Priority;
use seawall_core::time::Timestamp;

use crate::event::DeadReason;
use crate::state::Terms;

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Failure {
    /// Which attempt; the first is 1.
    pub attempt: u32,
    /// When it ended.
    #[cfg_attr(feature = "serde", serde(rename = "at_nanos", serialize_with = "nanos"))]
    pub at: Timestamp,
    /// The text of its error.
    pub error: String,
}

impl Failure {
    /// How many of a job are remembered.
    pub(crate) const MOST: usize = 16;
}

/// A job that failed for the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its number in the pool.
    pub job: u64,
    /// Why it is not tried again.
    pub reason: DeadReason,
    /// Its priority.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub priority: Priority,
    /// How many attempts have failed.
    pub failures: u32,
    /// The last 16 of them, the earliest first.
    pub history: Vec<Failure>,
    /// Whether it can be run again: a future that was polled to its end cannot.
    pub is_repeatable: bool,
}

#[cfg(feature = "serde")]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn nanos<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(at.as_nanos())
}

/// Jobs that failed for the last time, the earliest first; bounded.
#[derive(Debug)]
pub(crate) struct DeadLetters<U> {
    letters: VecDeque<Buried<U>>,
    /// How many there have been: the number of the last.
    buried: u64,
}

/// One of them, with the job if it can be run again.
#[derive(Debug)]
pub(crate) struct Buried<U> {
    /// In which order they were buried.
    pub(crate) order: u64,
    pub(crate) letter: DeadLetter,
    pub(crate) job: Option<(U, Terms)>,
}

impl<U> Default for DeadLetters<U> {
    fn default() -> Self {
        Self { letters: VecDeque::new(), buried: 0 }
    }
}

impl<U> DeadLetters<U> {
    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }

    /// Keeps one more of at most `most`. Gives the one that had to go, to be dropped when the lock is released.
    pub(crate) fn bury(&mut self, mut buried: Buried<U>, most: usize) -> Option<Buried<U>> {
        self.buried += 1;
        buried.order = self.buried;
        self.letters.push_back(buried);
        self.shorten(most)
    }

    /// Gives one up, if there are more than `most`.
    pub(crate) fn shorten(&mut self, most: usize) -> Option<Buried<U>> {
        if self.letters.len() > most { self.letters.pop_front() } else { None }
    }

    pub(crate) fn letters(&self) -> impl Iterator<Item = &DeadLetter> {
        self.letters.iter().map(|buried| &buried.letter)
    }

    /// Takes the one with this number out, if it can be run again.
    pub(crate) fn raise(&mut self, job: u64) -> Option<Buried<U>> {
        let at = self.letters.iter().position(|buried| buried.letter.job == job && buried.job.is_some())?;
        self.letters.remove(at)
    }

    /// Puts one back where it was. Gives the one that has to go, as [`bury`](Self::bury) does.
    pub(crate) fn put_back(&mut self, buried: Buried<U>, most: usize) -> Option<Buried<U>> {
        let at = self.letters.partition_point(|other| other.order < buried.order);
        self.letters.insert(at, buried);
        self.shorten(most)
    }

    /// Forgets the one with this number.
    pub(crate) fn forget(&mut self, job: u64) -> Option<Buried<U>> {
        let at = self.letters.iter().position(|buried| buried.letter.job == job)?;
        self.letters.remove(at)
    }
}
