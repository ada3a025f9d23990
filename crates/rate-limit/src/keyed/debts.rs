use super::seed::Seed;

/// What all keys of a limiter had taken: to be given to its successor after a restart, or to another instance.
///
/// It names no key: only whoever has the same [`Seed`] can tell which key is meant. Make the successor with
/// [`Keyed::seed`](crate::Keyed::seed), then [`restore`](crate::KeyedLimiter::restore).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Debts {
    pub(super) seed: Seed,
    pub(super) sets: usize,
    pub(super) keys: Vec<Debt>,
    pub(super) evicted: Vec<Evicted>,
}

impl Debts {
    /// By which the keys were hashed.
    pub const fn seed(&self) -> Seed {
        self.seed
    }

    /// How many keys had taken something that counted.
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key had.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// What one key had taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub(super) struct Debt {
    pub(super) print: u64,
    /// For how long it counts, in nanoseconds.
    pub(super) owed: u64,
    /// How many cells, where the time does not say it.
    pub(super) cells: u32,
    /// For how many nanoseconds more it may count in a class that lets a key owe for longer than it was asked for.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) beyond: u64,
    /// For how many nanoseconds that was, if it may.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) asked: u64,
}

/// What those keys of a set had taken at most that had no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub(super) struct Evicted {
    pub(super) class: u8,
    pub(super) set: usize,
    pub(super) owed: u64,
    pub(super) cells: u32,
}

impl Evicted {
    /// The same for each set of a table of `sets` whose keys were in this one, of a table of `before`.
    pub(super) fn spread(self, before: usize, sets: usize) -> impl Iterator<Item = Self> {
        let first = self.set & (sets - 1);
        (first..sets).step_by(before.clamp(1, sets)).map(move |set| Self { set, ..self })
    }
}
