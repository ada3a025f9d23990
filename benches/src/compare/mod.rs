//! The contests, one file per pattern: what is measured, against whom, and what the contract demands.

mod bulkhead;
mod circuit_breaker;
mod rate_limit;
mod retry;
mod service;
mod worker_pool;

use crate::harness::{Contest, Subject};

/// Every contest, in the order of the report.
pub fn contests() -> Vec<Contest> {
    [
        circuit_breaker::contests(),
        rate_limit::contests(),
        retry::contests(),
        bulkhead::contests(),
        worker_pool::contests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Our side of every contest by itself, if it runs on the caller's thread.
pub fn hot_paths() -> Vec<HotPath> {
    contests()
        .into_iter()
        .filter(|contest| !contest.runs_elsewhere)
        .map(|contest| HotPath { pattern: contest.pattern, path: contest.path, build: contest.ours.build })
        .collect()
}

/// A path of ours that is called often enough to be counted in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct HotPath {
    /// The pattern: the name of its crate's folder.
    pub pattern: &'static str,
    /// The path, in words.
    pub path: &'static str,
    /// Builds what is called.
    pub build: fn() -> Subject,
}

impl HotPath {
    /// Pattern and path.
    pub fn name(&self) -> String {
        format!("{}/{}", self.pattern, self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn paths_have_names_of_their_own() {
        let names: Vec<String> = hot_paths().iter().map(HotPath::name).collect();
        let distinct: HashSet<&String> = names.iter().collect();
        assert_eq!(names.len(), distinct.len(), "{names:?}");
    }

    #[test]
    fn patterns_are_folders_of_crates() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
        for contest in contests() {
            assert!(crates.join(contest.pattern).is_dir(), "no crate is called `{}`", contest.pattern);
        }
    }

    #[test]
    fn every_side_of_every_contest_does_what_its_path_says() {
        for contest in contests() {
            let rivals = contest.rivals.iter().map(|rival| rival.contender);
            for contender in std::iter::once(contest.ours).chain(rivals) {
                let subject = (contender.build)();
                let driven = subject.lane(0)(1_000);
                let checked = contest.expected.check(1_000, &driven).and_then(|()| subject.audit(&driven));
                assert_eq!(checked, Ok(()), "{}, {}", contest.path, contender.name);
            }
        }
    }
}
