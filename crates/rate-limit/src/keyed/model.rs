//! What an unbounded map of exact states would have decided.

use std::collections::HashMap;

use proptest::prelude::*;
use seawall_core::time::Timestamp;

use crate::limit::{Limit, Refused, Taken, Want};

/// The exact state of every key, of what has passed.
pub(super) struct Model<L: Limit> {
    keys: HashMap<u8, L::State>,
    pub(super) falsely_refused: usize,
    pub(super) passed: usize,
}

/// One step of a schedule.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Nanoseconds since the step before.
    pub(super) after: u64,
    pub(super) key: u8,
    pub(super) act: Act,
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Take {
        cells: u32,
        max_wait: u64,
    },
    /// Gives back what was taken so many passes ago, if it was not yet.
    GiveBack {
        ago: usize,
    },
}

impl<L: Limit> Model<L> {
    pub(super) fn new() -> Self {
        Self { keys: HashMap::new(), falsely_refused: 0, passed: 0 }
    }

    /// The exact state of a key.
    pub(super) fn state(&mut self, key: u8) -> &mut L::State {
        self.keys.entry(key).or_default()
    }

    /// Compares a decision with the exact one; what has passed counts. Gives the exact receipt.
    pub(super) fn decided(
        &mut self,
        limit: &L,
        key: u8,
        want: Want,
        result: Result<Taken, Refused>,
    ) -> Result<Option<Taken>, TestCaseError> {
        let mut exact = self.state(key).clone();
        let expected = limit.take(&mut exact, want);
        match (result, expected) {
            (Ok(taken), Ok(expected)) => {
                prop_assert!(taken.act_at >= expected.act_at, "{taken:?} comes before {expected:?}");
                prop_assert_eq!(taken.cells, expected.cells);
                *self.state(key) = exact;
                self.passed += 1;
                // Given back it is as what it was used as: not before the turn that was told.
                Ok(Some(Taken { act_at: taken.act_at, ..expected }))
            }
            (Ok(taken), Err(refused)) => {
                Err(TestCaseError::fail(format!("key {key} was let through: {taken:?}, exactly {refused:?}")))
            }
            (Err(refused), Ok(_)) => {
                prop_assert!(matches!(refused, Refused::Later { .. }), "never, although it is possible now");
                self.falsely_refused += 1;
                Ok(None)
            }
            (Err(Refused::Later { retry_after }), Err(Refused::Later { retry_after: expected })) => {
                prop_assert!(retry_after >= expected, "told to come back too early: {retry_after} < {expected}");
                Ok(None)
            }
            (Err(refused), Err(expected)) => {
                prop_assert_eq!(refused, expected);
                Ok(None)
            }
        }
    }
}

/// Schedules of keys below `keys`.
pub(super) fn schedules(keys: u8) -> impl Strategy<Value = Vec<Step>> {
    let cells = prop_oneof![8 => Just(1_u32), 2 => 2_u32..=4, 1 => Just(0), 1 => Just(9)];
    let max_wait = prop_oneof![4 => Just(0_u64), 1 => 0_u64..400];
    let act = prop_oneof![
        6 => (cells, max_wait).prop_map(|(cells, max_wait)| Act::Take { cells, max_wait }),
        1 => (0_usize..6).prop_map(|ago| Act::GiveBack { ago }),
    ];
    let after = prop_oneof![5 => Just(0_u64), 3 => 0_u64..40, 1 => 0_u64..400];
    let step = (after, 0..keys, act).prop_map(|(after, key, act)| Step { after, key, act });
    prop::collection::vec(step, 1..200)
}

/// When schedules begin: not at the clock's zero, where nothing can lie in the past.
pub(super) const START: Timestamp = Timestamp::from_nanos(10_000);
