use std::fmt;
use std::time::Duration;

use seawall_core::Name;
use seawall_core::time::Timestamp;

/// Throttling began or ended.
///
/// It begins when the probability first rises above 0, and ends when it has been 0 for a whole window: a dependency that is
/// just at the limit makes one episode, not a thousand. It is noticed when somebody asks, or takes a snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Event {
    /// Which throttle.
    pub name: Name,
    /// When it was noticed.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub at: Timestamp,
    /// Which of the two.
    pub change: Change,
    /// How many episodes there were, this one included.
    pub episode: u64,
    /// The window's requests at that moment.
    pub requests: u64,
    /// Those of them that were accepted.
    pub accepts: u64,
    /// With which probability calls are refused now.
    pub probability: f64,
    /// How many calls the episode refused: 0 when it begins.
    pub refused: u64,
    /// How long it was until the probability was 0 for good, in seconds: none when it begins.
    #[cfg_attr(feature = "serde", serde(rename = "lasted_seconds", with = "seawall_core::observe::seconds"))]
    pub lasted: Duration,
}

/// What happened to the throttling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Change {
    /// From now on some calls are refused.
    Began,
    /// No call is refused any more.
    Ended,
}

impl Event {
    /// Logs it: target `seawall::adaptive_throttle`, at WARN when throttling begins and at INFO when it ends.
    pub(crate) fn trace(&self, key: Option<&dyn fmt::Debug>) {
        let Self { name, episode, requests, accepts, probability, refused, lasted, .. } = self;
        macro_rules! log {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "seawall::adaptive_throttle",
                    name = name.as_str(),
                    key = key.map(tracing::field::debug),
                    episode,
                    requests,
                    accepts,
                    probability,
                    refused,
                    lasted_seconds = lasted.as_secs_f64(),
                    $message
                )
            };
        }
        match self.change {
            Change::Began => log!(warn, "throttling began"),
            Change::Ended => log!(info, "throttling ended"),
        }
    }
}
