//! What a half-open circuit does: it lets a few calls try the dependency, and then, where that is configured, growing shares of
//! them.

mod probes;
mod stage;

use std::time::Duration;

use seawall_core::time::Timestamp;

pub(crate) use probes::Probes;
pub(crate) use stage::Stage;

use crate::figures::Figures;
use crate::settings::Settings;
use crate::state::Call;

pub(crate) enum Trial {
    /// So many calls, reserved.
    Probes(Probes),
    /// A share of them.
    Stage(Stage),
}

/// What a trial has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Undecided,
    Works,
    Fails,
}

impl Trial {
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        match self {
            Self::Probes(probes) => probes.take(now),
            Self::Stage(stage) => stage.take(now),
        }
    }

    /// A call that was made without asking takes part. Tells whether there was room.
    pub(crate) fn join(&mut self, now: Timestamp) -> bool {
        match self {
            Self::Probes(probes) => probes.take(now),
            Self::Stage(stage) => stage.join(now),
        }
    }

    pub(crate) fn settle(&mut self, call: Call, now: Timestamp, settings: &Settings) -> Verdict {
        match self {
            Self::Probes(probes) => probes.settle(call, settings),
            Self::Stage(stage) => stage.settle(call, now, settings),
        }
    }

    /// Takes over new settings; who is out stays out.
    pub(crate) fn resize(&mut self, now: Timestamp, settings: &Settings) -> Verdict {
        match self {
            Self::Probes(probes) => probes.resize(settings),
            Self::Stage(stage) => stage.resize(now, settings),
        }
    }

    pub(crate) const fn figures(&self) -> Figures {
        match self {
            Self::Probes(probes) => probes.figures(),
            Self::Stage(stage) => stage.figures(),
        }
    }

    /// How many calls it is to judge at least.
    pub(crate) const fn size(&self) -> u64 {
        match self {
            Self::Probes(probes) => probes.permits(),
            Self::Stage(stage) => stage.calls(),
        }
    }

    /// When the circuit stops waiting for calls that hang.
    pub(crate) fn give_up(&self) -> Timestamp {
        match self {
            Self::Probes(probes) => probes.give_up(),
            Self::Stage(stage) => stage.give_up(),
        }
    }

    /// The clock has stepped back: what was waited for goes on from there.
    pub(crate) fn follow_back(&mut self, by: Duration) {
        match self {
            Self::Probes(probes) => probes.follow_back(by),
            Self::Stage(stage) => stage.follow_back(by),
        }
    }
}
