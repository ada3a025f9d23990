use std::time::Duration;

use super::{Noise, Shape};

/// A service, those who call it, and what befalls it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) service: Shape,
    /// How long callers wait for an answer. What comes later is worth nothing; the service works on it all the same.
    pub(crate) patience: Duration,
    /// One after the other.
    pub(crate) phases: Vec<Phase>,
}

/// A stretch of time in which nothing changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) lasts: Duration,
    /// Calls that come, as a multiple of what the service can answer at first.
    pub(crate) load: f64,
    /// Parts of what it could do at first that the service can do.
    pub(crate) capacity: f64,
    /// How many times as long the calls take that come now, even without load.
    pub(crate) slowness: f64,
}

impl Phase {
    pub(crate) const fn new(name: &'static str, lasts: Duration, load: f64) -> Self {
        Self { name, lasts, load, capacity: 1.0, slowness: 1.0 }
    }

    pub(crate) const fn capacity(mut self, capacity: f64) -> Self {
        self.capacity = capacity;
        self
    }

    pub(crate) const fn slowness(mut self, slowness: f64) -> Self {
        self.slowness = slowness;
        self
    }
}

impl Scenario {
    /// Fifty at once, fifty milliseconds each: a thousand calls a second.
    pub(crate) fn new(phases: impl Into<Vec<Phase>>) -> Self {
        let base = Duration::from_millis(50);
        let service = Shape { knee: 50, drag: 0.1, base, noise: Noise::LogNormal(0.25), room: 5_000 };
        Self { service, patience: base * 10, phases: phases.into() }
    }

    /// Little load, then so many times as much as the service can answer.
    pub(crate) fn overload(load: f64, lasts: Duration) -> Self {
        Self::new([Phase::new("idle", Self::WARM_UP, 0.5), Phase::new("overload", lasts, load)])
    }

    /// How long [`overload`](Self::overload) has little load.
    pub(crate) const WARM_UP: Duration = Duration::from_secs(5);

    /// What the picture shows: more and more load, a service that can do half for a while, and a burst after little load.
    pub(crate) fn story() -> Self {
        let second = Duration::from_secs(1);
        Self::new([
            Phase::new("0.5×", 5 * second, 0.5),
            Phase::new("1×", 5 * second, 1.0),
            Phase::new("2×", 10 * second, 2.0),
            Phase::new("5×", 20 * second, 5.0),
            Phase::new("half capacity", 15 * second, 5.0).capacity(0.5),
            Phase::new("5× again", 15 * second, 5.0),
            Phase::new("0.3×", 10 * second, 0.3),
            Phase::new("burst", 2 * second, 5.0),
            Phase::new("0.5×", 8 * second, 0.5),
        ])
    }

    pub(crate) fn length(&self) -> Duration {
        self.phases.iter().map(|phase| phase.lasts).sum()
    }

    /// The phases, and when each begins.
    pub(crate) fn timetable(&self) -> impl Iterator<Item = (Duration, &Phase)> {
        self.phases.iter().scan(Duration::ZERO, |begin, phase| {
            let begins = *begin;
            *begin += phase.lasts;
            Some((begins, phase))
        })
    }
}
