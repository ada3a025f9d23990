//! Random configurations, as plain data that both the model and the breaker are made from.

use std::time::Duration;

use proptest::prelude::*;
use seawall_circuit_breaker::{Abandoned, Cause, Config, Event, HalfOpen, OpenInterval, Recovery, Undecided, Window};
use seawall_core::observe::Observer;

use crate::facts::{Figures, Nanos};

/// So many parts of so many: compared in whole numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share(pub(crate) u64, pub(crate) u64);

impl Share {
    pub(crate) const fn is_reached(self, part: u64, whole: u64) -> bool {
        whole > 0 && part * self.1 >= self.0 * whole
    }

    /// Of `whole`, rounded up.
    pub(crate) const fn of(self, whole: u64) -> u64 {
        (self.0 * whole).div_ceil(self.1)
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    pub(crate) fn value(self) -> f64 {
        self.0 as f64 / self.1 as f64
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) window: Window,
    pub(crate) failure_rate: Option<Share>,
    pub(crate) slow: Option<(Duration, Share)>,
    pub(crate) consecutive_failures: Option<u32>,
    pub(crate) failures_in_period: Option<(u32, Duration)>,
    pub(crate) failures_in_window: Option<u32>,
    pub(crate) durations: bool,
    pub(crate) abandoned: Abandoned,
    pub(crate) abandoned_share: Share,
    pub(crate) open: OpenInterval,
    pub(crate) open_by: bool,
    pub(crate) half_open: HalfOpen,
    pub(crate) recovery: Option<Stages>,
}

/// The stages of a recovery.
#[derive(Clone, Debug)]
pub(crate) struct Stages {
    pub(crate) shares: Vec<Share>,
    pub(crate) each: Duration,
    pub(crate) calls: u32,
}

/// What a new configuration takes over from the old one.
#[expect(clippy::struct_excessive_bools, reason = "each is a part of a configuration")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// All but the minimum.
    window: bool,
    rules: bool,
    open: bool,
    /// How the probes and the stages decide.
    trial: bool,
}

impl Plan {
    pub(crate) fn config(&self, observer: impl Observer<Event> + 'static) -> Config {
        let mut config = Config::empty()
            .window(self.window)
            .durations(self.durations)
            .abandoned(match self.abandoned {
                Abandoned::Rate(_) => Abandoned::Rate(self.abandoned_share.value()),
                other => other,
            })
            .open(self.open)
            .half_open(self.half_open)
            .observer(observer);
        if let Some(rate) = self.failure_rate {
            config = config.failure_rate(rate.value());
        }
        if let Some((after, rate)) = self.slow {
            config = config.slow_calls(after, rate.value());
        }
        if let Some(failures) = self.consecutive_failures {
            config = config.consecutive_failures(failures);
        }
        if let Some((failures, period)) = self.failures_in_period {
            config = config.failures_in_period(failures, period);
        }
        if let Some(failures) = self.failures_in_window {
            config = config.failures_in_window(failures);
        }
        if let Some(Stages { shares, each, calls }) = &self.recovery {
            let shares: Vec<f64> = shares.iter().map(|share| share.value()).collect();
            config = config.recovery(Recovery::new(shares).each(*each).calls(*calls));
        }
        if self.open_by {
            config = config.open_by(|trip| by_hand(trip.cause, trip.figures.failed, trip.opened_before, trip.hint));
        }
        config
    }

    /// The same with those parts of `old` that are to be kept.
    pub(crate) fn keeping(mut self, old: &Self, kept: Kept) -> Self {
        let (Window::Count { minimum_calls: minimum, .. } | Window::Time { minimum_calls: minimum, .. }) = self.window
        else {
            return self;
        };
        if kept.window {
            self.window = match old.window {
                Window::Count { size, .. } => old.window.minimum_calls(minimum.min(size)),
                window => window.minimum_calls(minimum),
            };
        }
        if kept.rules {
            let rules = old.clone();
            self = Self {
                window: self.window,
                open: self.open,
                open_by: self.open_by,
                half_open: self.half_open,
                recovery: self.recovery,
                ..rules
            };
        }
        if kept.open {
            (self.open, self.open_by) = (old.open, old.open_by);
        }
        if kept.trial {
            (self.half_open, self.recovery) = (old.half_open, old.recovery.clone());
        }
        self.possible()
    }

    /// No more failures are asked of the window than it holds calls.
    fn possible(mut self) -> Self {
        if let Window::Count { size, .. } = self.window {
            self.failures_in_window = self.failures_in_window.map(|failures| failures.min(size));
        }
        self
    }

    pub(crate) const fn is_rated(&self) -> bool {
        self.failure_rate.is_some() || self.slow.is_some()
    }

    /// Whether a rule needs the window.
    pub(crate) const fn is_windowed(&self) -> bool {
        self.is_rated() || self.failures_in_window.is_some()
    }

    /// Whether there is a window at all.
    pub(crate) const fn has_window(&self) -> bool {
        self.is_windowed() || self.durations
    }

    pub(crate) fn minimum_calls(&self) -> u64 {
        match self.window {
            Window::Count { minimum_calls, .. } | Window::Time { minimum_calls, .. } => minimum_calls.into(),
            _ => unreachable!("there are two kinds of windows"),
        }
    }

    /// How many calls the window holds.
    pub(crate) fn size(&self) -> u64 {
        if let Window::Count { size, .. } = self.window { size.into() } else { u64::MAX }
    }

    /// How long a bucket of the time window is.
    pub(crate) fn bucket(&self) -> Option<Nanos> {
        match self.window {
            Window::Time { length, buckets, .. } => Some(nanos(length) / u64::from(buckets)),
            _ => None,
        }
    }

    pub(crate) fn has_window_of(&self, other: &Self) -> bool {
        self.window.minimum_calls(1) == other.window.minimum_calls(1)
    }

    pub(crate) fn abandoned_share(&self) -> Option<Share> {
        matches!(self.abandoned, Abandoned::Rate(_)).then_some(self.abandoned_share)
    }

    /// How long the circuit stays open.
    pub(crate) fn interval(&self, cause: Cause, figures: Figures, before: u32, hint: Option<Duration>) -> Duration {
        if self.open_by {
            return by_hand(cause, figures[1], before, hint);
        }
        if let Some(hint) = hint.filter(|hint| self.open.honour_hint && !hint.is_zero()) {
            return hint.min(self.open.max);
        }
        let mut interval = self.open.first;
        for _ in 0..before {
            interval = interval.mul_f64(self.open.multiplier).min(self.open.max);
        }
        interval
    }
}

/// A user's function that makes something of everything it is told.
fn by_hand(cause: Cause, failed: u64, opened_before: u32, hint: Option<Duration>) -> Duration {
    let millis = 1 + cause.as_str().len() as u64 + 3 * failed + 7 * u64::from(opened_before.min(100));
    hint.unwrap_or_default() + Duration::from_millis(millis)
}

pub(crate) fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).expect("the test's durations are short")
}

const MS: Duration = Duration::from_millis(1);

fn share() -> impl Strategy<Value = Share> {
    prop::sample::select(vec![
        Share(1, 10),
        Share(1, 4),
        Share(1, 3),
        Share(1, 2),
        Share(3, 5),
        Share(2, 3),
        Share(9, 10),
        Share(1, 1),
    ])
}

fn window() -> impl Strategy<Value = Window> {
    let count = |sizes| {
        (sizes, 1_u32..=20).prop_map(|(size, minimum): (u32, u32)| Window::count(size).minimum_calls(minimum.min(size)))
    };
    let time = (1_u32..=5, 0_u32..=40, 1_u32..=8).prop_map(|(buckets, more, minimum)| {
        Window::time((buckets + more) * MS).buckets(buckets).minimum_calls(minimum)
    });
    prop_oneof![4 => count(1_u32..=12), 1 => count(60_u32..=140), 4 => time]
}

fn half_open() -> impl Strategy<Value = HalfOpen> {
    let successes = prop::option::weighted(0.6, 1_u32..=5);
    let max = prop::option::weighted(0.7, (1_u32..=40).prop_map(|n| n * MS));
    let after_max = prop_oneof![Just(Undecided::Open), Just(Undecided::Close)];
    (1_u32..=5, successes, max, after_max, prop::bool::weighted(0.2)).prop_map(
        |(probes, successes, max, after_max, wait_for_all)| {
            let mut half_open = HalfOpen::probes(probes).after_max(after_max);
            half_open.successes = successes.map(|successes: u32| successes.min(probes));
            half_open.max = max;
            half_open.wait_for_all = wait_for_all;
            half_open
        },
    )
}

fn open() -> impl Strategy<Value = OpenInterval> {
    (1_u32..=20, 1_u8..=3, 0_u32..=60, 0_u32..=30, any::<bool>()).prop_map(|(first, multiplier, more, stable, hint)| {
        let mut open = OpenInterval::exponential(first * MS, f64::from(multiplier), (first + more) * MS);
        open.stable_after = stable * MS;
        open.honour_hint = hint;
        open
    })
}

fn recovery() -> impl Strategy<Value = Stages> {
    let shares = [(1, 100), (1, 20), (1, 10), (1, 4), (3, 10), (1, 3), (1, 2), (2, 3), (9, 10)];
    let shares = shares.map(|(part, whole)| Share(part, whole)).to_vec();
    (prop::sample::subsequence(shares, 1..=4), (1_u32..=20).prop_map(|n| n * MS), 1_u32..=6)
        .prop_map(|(shares, each, calls)| Stages { shares, each, calls })
}

prop_compose! {
    fn rules()(
        failure_rate in prop::option::of(share()),
        slow in prop::option::weighted(0.4, ((1_u32..=8).prop_map(|n| n * MS), share())),
        consecutive_failures in prop::option::weighted(0.3, 1_u32..=6),
        failures_in_period in prop::option::weighted(0.3, (1_u32..=5, (1_u32..=40).prop_map(|n| n * MS))),
        failures_in_window in prop::option::weighted(0.3, 1_u32..=6),
        durations in prop::bool::weighted(0.4),
        abandoned in prop_oneof![
            1 => Just(Abandoned::Ignore),
            1 => Just(Abandoned::Failure),
            3 => Just(Abandoned::Rate(1.0)),
        ],
        abandoned_share in share(),
    ) -> Plan {
        let by_number = [consecutive_failures, failures_in_window, failures_in_period.map(|(failures, _)| failures)];
        let none = slow.is_none() && by_number == [None; 3];
        Plan {
            window: Window::count(1),
            failure_rate: failure_rate.or(none.then_some(Share(1, 2))),
            slow,
            consecutive_failures,
            failures_in_period,
            failures_in_window,
            durations,
            abandoned,
            abandoned_share,
            open: OpenInterval::default(),
            open_by: false,
            half_open: HalfOpen::default(),
            recovery: None,
        }
    }
}

prop_compose! {
    pub(crate) fn plan()(
        rules in rules(),
        window in window(),
        open in open(),
        open_by in prop::bool::weighted(0.2),
        half_open in half_open(),
        recovery in prop::option::weighted(0.6, recovery()),
    ) -> Plan {
        Plan { window, open, open_by, half_open, recovery, ..rules }.possible()
    }
}

pub(crate) fn kept() -> impl Strategy<Value = Kept> {
    any::<(bool, bool, bool, bool)>().prop_map(|(window, rules, open, trial)| Kept { window, rules, open, trial })
}
