//! One side of a contest.

use std::error::Error;
use std::fmt;
use std::iter::Sum;
use std::ops::AddAssign;

/// What one thread runs: a loop over the given number of calls that tells what became of them.
///
/// The whole loop is behind one dynamic call, so the call under test is compiled into it.
pub type Lane = Box<dyn FnMut(u64) -> Tally>;

/// Ours, a peer, or what the machine charges anyway; built once, outside of the timed region.
pub struct Subject {
    lane: Box<dyn Fn(usize) -> Lane + Send + Sync>,
    audit: Box<Audit>,
}

type Audit = dyn Fn(&Tally) -> Result<(), Mismatch> + Send + Sync;

impl Subject {
    /// A subject whose `lane` prepares the loop of the thread with the given index. What `lane` itself does is not timed.
    pub fn new(lane: impl Fn(usize) -> Lane + Send + Sync + 'static) -> Self {
        Self { lane: Box::new(lane), audit: Box::new(|_| Ok(())) }
    }

    /// Adds a check of the subject's own books against everything that was driven, done once after the last round.
    pub fn audited(mut self, audit: impl Fn(&Tally) -> Result<(), Mismatch> + Send + Sync + 'static) -> Self {
        self.audit = Box::new(audit);
        self
    }

    /// The loop of one thread.
    pub fn lane(&self, thread: usize) -> Lane {
        (self.lane)(thread)
    }

    /// Compares the subject's books with what was driven.
    pub fn audit(&self, driven: &Tally) -> Result<(), Mismatch> {
        (self.audit)(driven)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").finish_non_exhaustive()
    }
}

/// What became of the calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that were let through to the operation.
    pub admitted: u64,
    /// Calls that were turned away.
    pub refused: u64,
}

impl Tally {
    /// All calls that were driven.
    pub fn calls(&self) -> u64 {
        self.admitted + self.refused
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.admitted += other.admitted;
        self.refused += other.refused;
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |mut total, tally| {
            total += tally;
            total
        })
    }
}

/// Books that do not agree with what was driven: the figures of such a run mean nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    what: String,
    expected: String,
    found: String,
}

impl Mismatch {
    /// `Ok` if the two are equal.
    pub fn check<T: PartialEq + fmt::Debug + Copy>(what: impl Into<String>, expected: T, found: T) -> Result<(), Self> {
        if expected == found {
            return Ok(());
        }
        Err(Self { what: what.into(), expected: format!("{expected:?}"), found: format!("{found:?}") })
    }

    /// Says whose books they are.
    pub fn of(mut self, owner: &str) -> Self {
        self.what = format!("{owner}: {}", self.what);
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, found } = self;
        write!(f, "{what}: expected {expected}, found {found}")
    }
}

impl Error for Mismatch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let total: Tally = [(3, 1), (0, 2)].map(|(admitted, refused)| Tally { admitted, refused }).into_iter().sum();
        assert_eq!((total.admitted, total.refused, total.calls()), (3, 3, 6));
    }

    #[test]
    fn a_mismatch_names_owner_and_both_values() {
        assert_eq!(Mismatch::check("admitted", 5, 5), Ok(()));
        let mismatch = Mismatch::check("admitted", 5, 4).unwrap_err().of("ours");
        assert_eq!(mismatch.to_string(), "ours: admitted: expected 5, found 4");
    }
}
