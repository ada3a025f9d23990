use seawall_circuit_breaker::State;
use seawall_core::Outcome;
use serde::Deserialize;

/// What a step does. One vocabulary for all profiles.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Op {
    /// Time moves.
    Advance {
        ms: u64,
        #[serde(default)]
        ns: u64,
    },
    /// As long as the quoted system takes to notice what happened.
    Settle {
        ms: u64,
    },
    SetTime {
        t_ms: u64,
    },

    /// Asks for a permit and keeps it.
    TryAcquire {},
    Attempt {},
    /// Gives the newest permit back unused.
    Release {},
    /// The outcome of the call that holds the newest permit, or of one that never asked.
    Record {
        outcome: Ended,
        duration_ms: Option<u64>,
        slow: Option<bool>,
        t_ms: Option<u64>,
    },
    Result {
        outcome: Option<Ended>,
        #[serde(rename = "kind_")]
        kind: Option<Ended>,
        t_s: Option<u64>,
        duration_s: Option<u64>,
    },
    Success {},
    Failure {},
    /// So many calls succeed; they fail if the number is negative.
    Add {
        n: i64,
    },
    /// A whole call, which takes this long.
    Call {
        outcome: Ended,
        #[serde(default)]
        ms: u64,
    },
    CallOkTaking {
        ms: u64,
    },
    /// A call that other steps happen during.
    Begin {
        who: String,
    },
    End {
        who: String,
        outcome: Ended,
    },
    /// Its caller went away.
    Cancel {
        who: String,
    },

    /// By hand.
    Transition {
        to: Target,
        for_ms: Option<u64>,
        until_ms: Option<u64>,
    },
    /// By hand, from any state.
    Force {
        to: Target,
    },
    Reset {
        t_ms: Option<u64>,
    },
    Revived {},
    Opened {
        t_s: u64,
    },
    Observe {
        t_s: Option<u64>,
    },

    /// Would these figures open the circuit?
    ShouldBreak {
        throughput: u64,
        minimum_throughput: u64,
        failure_ratio: f64,
        threshold: f64,
    },
    /// Would what was recorded open a circuit that is configured so?
    ShouldTrip {
        min_requests: u32,
        threshold: f64,
    },
    Ratio {},
    /// A refusal that no circuit made.
    NotPermitted {},
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    Success,
    #[serde(alias = "error", alias = "timeout")]
    Failure,
    #[serde(alias = "excluded", alias = "bad_request", alias = "interrupt", alias = "concurrency_reject")]
    Ignored,
    Panic,
}

impl Ended {
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Success => Outcome::Success,
            Self::Failure | Self::Panic => Outcome::Failure,
            Self::Ignored => Outcome::Ignored,
        }
    }
}

/// Where a hand puts the circuit.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Target {
    Closed,
    Open,
    HalfOpen,
    Disabled,
    #[serde(alias = "ISOLATED")]
    ForcedOpen,
    MetricsOnly,
}

/// A state's name in the vectors.
pub(crate) const fn name_of(state: State) -> &'static str {
    match state {
        State::Closed => "CLOSED",
        State::Open => "OPEN",
        State::HalfOpen => "HALF_OPEN",
        State::Disabled => "DISABLED",
        State::ForcedOpen => "FORCED_OPEN",
        State::MetricsOnly => "METRICS_ONLY",
        _ => "a state without a name here",
    }
}
