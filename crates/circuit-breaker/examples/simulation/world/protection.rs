use std::sync::Mutex;
use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Config, Event, HalfOpen, OpenInterval, Recovery, Window};
use seawall_core::time::Clock;
use seawall_core::{Backoff, Jitter};

use super::random::Draws;

const SECOND: Duration = Duration::from_secs(1);

/// How clients protect themselves and the dependency: a configuration, and those of its values from which it can be
/// computed what it may lead to.
#[derive(Clone, Debug)]
pub(crate) struct Protection {
    pub(crate) name: String,
    config: Config,
    pub(crate) window: Window,
    pub(crate) open: OpenInterval,
    pub(crate) half_open: HalfOpen,
    pub(crate) recovery: Option<Recovery>,
    /// Whether the breakers draw their jitter themselves, so that no seed repeats it.
    own_jitter: bool,
}

impl Protection {
    /// `rules` with these values; what opens the circuit is as `rules` say.
    pub(crate) fn new(name: &str, rules: Config, window: Window, open: OpenInterval, half_open: HalfOpen) -> Self {
        let config = rules.window(window).open(open).half_open(half_open);
        Self { name: name.to_owned(), config, window, open, half_open, recovery: None, own_jitter: false }
    }

    pub(crate) fn recovery(mut self, recovery: Recovery) -> Self {
        self.config = self.config.recovery(recovery.clone());
        self.recovery = Some(recovery);
        self
    }

    /// Lets the breakers draw their jitter.
    pub(crate) fn own_jitter(mut self) -> Self {
        self.own_jitter = true;
        self
    }

    /// Those that are compared: two as they come, one that looks at durations, and one that returns step by step.
    pub(crate) fn all() -> [Self; 4] {
        [Self::default_config(), Self::classic(), Self::slow_calls(), Self::progressive()]
    }

    pub(crate) fn default_config() -> Self {
        let window = Window::time(30 * SECOND);
        let half_open = HalfOpen::probes(3).successes(2);
        Self::new("default", Config::default(), window, OpenInterval::fixed(30 * SECOND), half_open)
    }

    pub(crate) fn classic() -> Self {
        let window = Window::time(30 * SECOND);
        let half_open = HalfOpen::probes(3);
        Self::new("classic", Config::classic(), window, OpenInterval::fixed(60 * SECOND), half_open)
    }

    pub(crate) fn slow_calls() -> Self {
        let rules = Config::default().slow_calls(SECOND / 2, 0.5);
        let half_open = HalfOpen::probes(5).by_rates();
        Self::new("slow calls", rules, Window::time(10 * SECOND), OpenInterval::fixed(20 * SECOND), half_open)
    }

    pub(crate) fn progressive() -> Self {
        let open = OpenInterval::exponential(10 * SECOND, 2.0, 40 * SECOND).jitter(Jitter::Equal);
        let rules = Config::default().slow_calls(SECOND / 2, 0.5);
        Self::new("progressive", rules, Window::time(10 * SECOND), open.stable_after(60 * SECOND), HalfOpen::default())
            .recovery(Recovery::new([0.05, 0.1, 0.2, 0.4, 0.7]).each(10 * SECOND).calls(4))
    }

    /// Whether it is this configuration.
    pub(crate) fn is(&self, config: &Config) -> bool {
        format!("{:?}", self.config) == format!("{config:?}")
    }

    /// How many calls a rate needs.
    pub(crate) fn minimum_calls(&self) -> u32 {
        match self.window {
            Window::Time { minimum_calls, .. } | Window::Count { minimum_calls, .. } => minimum_calls,
            _ => unreachable!("another kind of window"),
        }
    }

    /// The shortest time for which the circuit may open when it has opened so often before.
    pub(crate) fn shortest_open(&self, opened_before: u32) -> Duration {
        self.backoff().delay(opened_before, 0)
    }

    /// The longest time for which the circuit may open.
    pub(crate) fn longest_open(&self) -> Duration {
        self.backoff().delay(u32::MAX, u64::MAX)
    }

    fn backoff(&self) -> Backoff {
        let OpenInterval { first, multiplier, max, jitter, .. } = self.open;
        Backoff::exponential(first, multiplier, max).expect("a valid interval").jitter(jitter)
    }

    /// One client's breaker.
    pub(super) fn breaker(
        &self,
        draws: Draws,
        clock: &Clock,
        tell: impl Fn(&Event) + Send + Sync + 'static,
    ) -> CircuitBreaker {
        let mut config = self.config.clone().observer(tell);
        if self.open.jitter != Jitter::None && !self.own_jitter {
            // What the breaker would do by itself, but with draws that the seed repeats.
            let (backoff, draws) = (self.backoff(), Mutex::new(draws));
            config = config.open_by(move |trip| {
                backoff.delay(trip.opened_before, draws.lock().expect("no draw panics").next_u64())
            });
        }
        CircuitBreaker::with_clock(config, clock.clone()).expect("a valid configuration")
    }
}
