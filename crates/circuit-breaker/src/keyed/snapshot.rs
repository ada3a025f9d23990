use seawall_core::Name;

use crate::event::State;

/// What is known of all keys together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct KeyedSnapshot<S = KeysByState> {
    /// Which instance.
    pub name: Name,
    /// How many keys are known.
    pub len: usize,
    /// How many there may be.
    pub capacity: usize,
    /// How many of them are in which state.
    pub states: S,
    /// Keys that were forgotten to make room.
    pub evicted: u64,
    /// Calls that passed untracked, because there was no room for their key and no other could be forgotten.
    pub untracked: u64,
}

/// How many keys are in which state, as they were last seen: an open circuit whose interval is over stays so until somebody
/// asks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct KeysByState {
    /// Calls pass and are judged.
    pub closed: usize,
    /// Calls are refused until the open interval is over.
    pub open: usize,
    /// A few calls try the dependency; the others are refused.
    pub half_open: usize,
    /// By hand: calls pass and nothing is recorded.
    pub disabled: usize,
    /// By hand: every call is refused.
    pub forced_open: usize,
    /// By hand: calls pass and are judged, and nothing opens.
    pub metrics_only: usize,
}

impl KeysByState {
    pub(super) fn of(states: impl Iterator<Item = State>) -> Self {
        let mut counts = Self::default();
        for state in states {
            *counts.count_of(state) += 1;
        }
        counts
    }

    const fn count_of(&mut self, state: State) -> &mut usize {
        match state {
            State::Closed => &mut self.closed,
            State::Open => &mut self.open,
            State::HalfOpen => &mut self.half_open,
            State::Disabled => &mut self.disabled,
            State::ForcedOpen => &mut self.forced_open,
            State::MetricsOnly => &mut self.metrics_only,
        }
    }

    /// How many keys are in `state`.
    pub const fn get(mut self, state: State) -> usize {
        *self.count_of(state)
    }
}

/// How many keys' throttles refuse calls, as they were last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct KeysByRefusal {
    /// All calls pass.
    pub passing: usize,
    /// A share of the calls is refused.
    pub refusing: usize,
}

impl KeysByRefusal {
    pub(super) fn of(refusing: impl Iterator<Item = bool>) -> Self {
        let mut counts = Self::default();
        for refuses in refusing {
            *if refuses { &mut counts.refusing } else { &mut counts.passing } += 1;
        }
        counts
    }
}
