use std::time::Duration;

use seawall_worker_pool::{Config, FullPolicy, GrowthPolicy};
use serde::Deserialize;

/// As good as for ever.
pub(super) const LONG: Duration = Duration::from_secs(366 * 86_400);
/// A queue that no vector fills.
const ENDLESS: usize = 1 << 24;
/// More workers than any vector has jobs.
const MOST: usize = 1 << 20;

/// A pool as the quoted systems configure it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    max_workers: Option<Count>,
    min_workers: Option<usize>,
    core: Option<usize>,
    max: Option<usize>,
    queue_capacity: Option<usize>,
    max_blocked_submitters: Option<usize>,
    on_full: Option<Full>,
    policy: Option<Policy>,
    idle_expiry_s: Option<f64>,
    keep_alive: Option<f64>,
    purge: Option<bool>,
    pub(super) shutdown: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Count {
    Of(usize),
    Word(Unbounded),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unbounded {
    Unbounded,
}

/// What becomes of a submission that finds no room.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Full {
    Block,
    Reject,
}

/// The rejection policies of the JDK.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Policy {
    Abort,
    Discard,
    DiscardOldest,
    CallerRuns,
}

impl Rules {
    /// The least number of workers.
    pub(super) fn least(&self) -> usize {
        self.min_workers.or(self.core).unwrap_or(0)
    }

    /// The most workers.
    pub(super) fn most(&self) -> usize {
        match (&self.max_workers, self.max) {
            (Some(Count::Of(most)), _) => *most,
            (None, Some(most)) => most,
            (Some(Count::Word(Unbounded::Unbounded)), _) => MOST,
            (None, None) => 10,
        }
    }

    /// Whether nobody is told of a refusal.
    pub(super) const fn is_silent(&self) -> bool {
        matches!(self.policy, Some(Policy::Discard | Policy::DiscardOldest))
    }

    /// How long a worker stays without work.
    pub(super) fn keep_alive(&self) -> Result<Duration, String> {
        if self.purge == Some(false) {
            return Ok(LONG);
        }
        seconds(self.idle_expiry_s.or(self.keep_alive).unwrap_or(60.0))
    }

    /// A queue of which nothing is said has no end. Where nothing is said of a full one, the JDK refuses and the others wait.
    pub(super) fn config(&self) -> Result<Config, String> {
        let full = match (self.policy, self.on_full) {
            (Some(Policy::Abort | Policy::Discard), _) | (None, Some(Full::Reject)) => FullPolicy::Reject,
            (Some(Policy::DiscardOldest), _) => FullPolicy::DropOldest,
            (Some(Policy::CallerRuns), _) => FullPolicy::CallerRuns,
            (None, None) if self.core.is_some() => FullPolicy::Reject,
            (None, Some(Full::Block) | None) => FullPolicy::Wait,
        };
        let growth = if self.core.is_some() { GrowthPolicy::WhenFull } else { GrowthPolicy::QueueDepth };
        let config = Config::new(self.least()..=self.most())
            .queue(self.queue_capacity.unwrap_or(ENDLESS))
            .full(full)
            .max_wait(LONG)
            .keep_alive(self.keep_alive()?)
            .growth(growth);
        Ok(match self.max_blocked_submitters {
            Some(most) => config.submitters(most),
            None => config,
        })
    }
}

/// A time in seconds, which need not be whole.
pub(super) fn seconds(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{seconds} s: {error}"))
}
