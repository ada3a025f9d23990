//! How the breaker is configured to behave as one of the quoted systems, and how that system writes what it shows.

mod cep21;
mod failsafe;
mod finagle;
mod gobreaker;
mod hystrix;
mod linkerd;
mod polly;
mod resilience4j;
mod sentinel;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use seawall_circuit_breaker::{Config, Event, Window};
use serde_json::{Value, json};

use super::case::Case;
use super::foresee::{NEVER_SLOW, Recorded, would_open};

/// A vector's breaker before it runs.
pub(crate) struct Setup {
    config: Config,
    window: Window,
    pub(crate) start: Start,
    pub(crate) start_at: Duration,
    pub(crate) style: Style,
    /// How long a call takes that a vector just calls slow.
    pub(crate) slow_call: Duration,
    /// Bucket and number of buckets of the window over which gobreaker takes its counts.
    pub(crate) counted_over: Option<(Duration, u32)>,
    /// Whether it judges by rates over those.
    pub(crate) is_judged_by_rate: bool,
    /// For how long it keeps them where there is no such window.
    pub(crate) clears_every: Option<Duration>,
    events: Arc<Mutex<Vec<Event>>>,
    opened_before: Arc<Mutex<Vec<u32>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Closed,
    ForcedOpen,
    MetricsOnly,
}

/// How a system writes what it shows.
#[derive(Debug)]
pub(crate) struct Style {
    /// What the state is called in which a hand holds the circuit open.
    pub(crate) forced_open: &'static str,
    /// The value of a whole.
    whole: f64,
    /// The rate of nothing.
    none: Value,
    /// Whether there is no rate below the configured minimum of calls.
    pub(crate) has_minimum: bool,
    /// To how many places it rounds.
    places: Option<i32>,
}

impl Style {
    fn new(whole: f64, none: Value) -> Self {
        Self { forced_open: "FORCED_OPEN", whole, none, has_minimum: false, places: None }
    }

    pub(crate) fn rate(&self, rate: Option<f64>) -> Value {
        let Some(rate) = rate else { return self.none.clone() };
        let rate = rate * self.whole;
        json!(self.places.map_or(rate, |places| (rate * 10_f64.powi(places)).round() / 10_f64.powi(places)))
    }

    #[expect(clippy::cast_precision_loss, reason = "the counts of vectors are small")]
    pub(crate) fn rate_of(&self, part: u64, calls: u64) -> Value {
        self.rate((calls > 0).then(|| part as f64 / calls as f64))
    }
}

pub(crate) fn set_up(case: &Case) -> Result<Setup, String> {
    match (case.pattern.as_str(), case.profile.as_str()) {
        ("circuit-breaker", "cep21") => cep21::breaker(case),
        ("circuit-breaker", "failsafe-go") => failsafe::breaker(case),
        ("circuit-breaker", "gobreaker") => gobreaker::breaker(case),
        ("circuit-breaker", "hystrix") => hystrix::breaker(case),
        ("circuit-breaker", "linkerd") => linkerd::breaker(case),
        ("circuit-breaker", "polly") => polly::breaker(case),
        ("circuit-breaker", "resilience4j") => resilience4j::breaker(case),
        ("circuit-breaker", "sentinel") => sentinel::breaker(case),
        ("circuit-breaker-metrics", "resilience4j") => resilience4j::metrics(case),
        ("failure-accrual", "finagle") => finagle::accrual(case),
        ("sliding-window", "failsafe-go") => failsafe::window(case),
        ("sliding-window", "finagle-windowed-adder") => finagle::window(case),
        ("sliding-window", "polly") => polly::window(case),
        ("sliding-window", "resilience4j") => resilience4j::window(case),
        ("success-rate-window", "linkerd") => linkerd::window(case),
        (pattern, profile) => Err(format!("pattern {pattern} of {profile}")),
    }
}

impl Setup {
    fn breaker(config: Config, window: Window, style: Style) -> Self {
        Self {
            config,
            window,
            start: Start::Closed,
            start_at: Duration::ZERO,
            style,
            slow_call: NEVER_SLOW,
            counted_over: None,
            is_judged_by_rate: false,
            clears_every: None,
            events: Arc::default(),
            opened_before: Arc::default(),
        }
    }

    /// A window alone: it is that of a circuit which counts and never opens.
    fn window(window: Window, style: Style) -> Self {
        const SLOW: Duration = Duration::from_secs(3600);
        Self::timed_window(window, SLOW, style)
    }

    /// The same, for which calls are slow that take longer than this.
    fn timed_window(window: Window, slow_after: Duration, style: Style) -> Self {
        let window = window.minimum_calls(1);
        let config = Config::empty().window(window).failure_rate(1.0).slow_calls(slow_after, 1.0).durations(true);
        Self { start: Start::MetricsOnly, slow_call: 2 * slow_after, ..Self::breaker(config, window, style) }
    }

    /// The configuration, with an observer that keeps what it is told.
    pub(crate) fn watched_config(&mut self) -> Config {
        let events = self.events.clone();
        self.config.clone().observer(move |event: &Event| events.lock().push(*event))
    }

    /// How many events were told of which this holds.
    pub(crate) fn told(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().iter().filter(|event| which(event)).count()
    }

    pub(crate) fn transitions(&self) -> usize {
        self.told(|event| event.from != event.to)
    }

    /// What the function that decides the open interval was told each time.
    pub(crate) fn opened_before(&self) -> Vec<u32> {
        self.opened_before.lock().clone()
    }

    /// Whether a circuit of this configuration would open that took these calls without opening.
    pub(crate) fn would_open(&self, history: &[Recorded]) -> Result<bool, String> {
        would_open(history, self.config.clone(), self.window)
    }

    /// Whether a circuit over the same window would that asks for this share of successes.
    pub(crate) fn would_trip(&self, history: &[Recorded], minimum: u32, successes: f64) -> Result<bool, String> {
        let rules = Config::empty().window(self.window.minimum_calls(minimum.max(1))).slow_calls(NEVER_SLOW, 1.0);
        let rules = match failures_above(successes) {
            Some(rate) => rules.failure_rate(rate),
            None => rules,
        };
        would_open(history, rules, self.window)
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("config", &self.config).field("style", &self.style).finish_non_exhaustive()
    }
}

const fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The rate that "reached" must be for "exceeded `rate`" to be meant. The whole cannot be exceeded; who asks for it means it.
fn above(rate: f64) -> f64 {
    if rate >= 1.0 { 1.0 } else { rate.next_up() }
}

/// The rate of failures that is reached when the share of successes falls below `successes`; `None` if it never can.
fn failures_above(successes: f64) -> Option<f64> {
    // Shares are written in decimals: what is left of 0.8 is 0.2.
    let failures = ((1.0 - successes) * 1e12).round() / 1e12;
    (failures < 1.0).then(|| failures.next_up())
}
