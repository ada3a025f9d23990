//! What is compared with what.

use super::subject::{Mismatch, Subject, Tally};

/// A path of a pattern: ours, its rivals and what the contract demands.
#[derive(Debug)]
pub struct Contest {
    /// The pattern: the name of its crate's folder.
    pub pattern: &'static str,
    /// The path, in words.
    pub path: &'static str,
    /// The numbers of threads to measure with.
    pub threads: &'static [usize],
    /// Whether other threads than the caller's do the work, so that what the caller's does says nothing.
    pub runs_elsewhere: bool,
    /// What must become of every call.
    pub expected: Expected,
    /// Our side.
    pub ours: Contender,
    /// The other sides; with none, the path is only counted and timed by itself.
    pub rivals: Vec<Rival>,
}

impl Contest {
    /// A contest over one and two threads without rivals.
    pub fn new(pattern: &'static str, path: &'static str, expected: Expected, ours: fn() -> Subject) -> Self {
        Self {
            pattern,
            path,
            threads: &[1, 2],
            runs_elsewhere: false,
            expected,
            ours: Contender { name: "ours", build: ours },
            rivals: Vec::new(),
        }
    }

    /// Measures with one thread only: for paths on which concurrent calls would change what a call does.
    pub fn single_threaded(mut self) -> Self {
        self.threads = &[1];
        self
    }

    /// Measures with one thread that waits for a runtime's, which do the work: the path says how many they are.
    pub fn on_runtime(mut self) -> Self {
        self.runs_elsewhere = true;
        self.single_threaded()
    }

    /// Adds a rival for orientation.
    pub fn against(self, name: &'static str, build: fn() -> Subject) -> Self {
        self.with_rival(name, build, [None; 2])
    }

    /// Adds a rival; ours may take at most `one` times its time with one thread and `two` times with two.
    pub fn at_most(self, one: f64, two: f64, name: &'static str, build: fn() -> Subject) -> Self {
        self.with_rival(name, build, [Some(one), Some(two)])
    }

    fn with_rival(mut self, name: &'static str, build: fn() -> Subject, targets: [Option<f64>; 2]) -> Self {
        self.rivals.push(Rival { contender: Contender { name, build }, targets });
        self
    }
}

/// A name and how to build its subject anew.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// As the report names it.
    pub name: &'static str,
    /// Builds the subject.
    pub build: fn() -> Subject,
}

/// A contender and how we must compare with it.
#[derive(Debug, Clone, Copy)]
pub struct Rival {
    /// The other side.
    pub contender: Contender,
    targets: [Option<f64>; 2],
}

impl Rival {
    /// The greatest ratio ours / rival that meets the contract; `None` where the contract has none.
    pub fn target(&self, threads: usize) -> Option<f64> {
        threads.checked_sub(1).and_then(|index| self.targets.get(index).copied()).flatten()
    }
}

/// What must become of every call of a path, whoever is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Every call reaches the operation.
    AllAdmitted,
    /// No call reaches the operation.
    AllRefused,
}

impl Expected {
    /// Checks that `calls` calls were driven and that each ended as expected.
    pub fn check(self, calls: u64, driven: &Tally) -> Result<(), Mismatch> {
        let (admitted, refused) = match self {
            Self::AllAdmitted => (calls, 0),
            Self::AllRefused => (0, calls),
        };
        Mismatch::check("admitted calls", admitted, driven.admitted)?;
        Mismatch::check("refused calls", refused, driven.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle() -> Subject {
        Subject::new(|_| Box::new(|calls| Tally { admitted: calls, refused: 0 }))
    }

    #[test]
    fn targets_belong_to_their_number_of_threads() {
        let contest = Contest::new("pattern", "path", Expected::AllAdmitted, idle)
            .at_most(0.75, 0.08, "strict", idle)
            .against("free", idle);
        let [strict, free] = contest.rivals[..] else { panic!("two rivals were added") };
        assert_eq!(strict.target(1), Some(0.75));
        assert_eq!(strict.target(2), Some(0.08));
        assert_eq!(strict.target(0), None);
        assert_eq!(strict.target(3), None);
        assert_eq!(free.target(1), None);
    }

    #[test]
    fn a_single_wrong_ending_is_found() {
        let clean = Tally { admitted: 10, refused: 0 };
        let leaky = Tally { admitted: 1, refused: 9 };
        assert_eq!(Expected::AllAdmitted.check(10, &clean), Ok(()));
        assert!(Expected::AllAdmitted.check(11, &clean).is_err());
        assert!(Expected::AllRefused.check(10, &leaky).is_err());
    }
}
