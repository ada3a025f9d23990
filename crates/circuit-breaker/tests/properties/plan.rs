//! Random configurations, as plain data that both the model and the breaker are made from.

use std::time::Duration;

use proptest::prelude::*;
use seawall_circuit_breaker::{Abandoned, Cause, Config, Event, HalfOpen, OpenInterval, Undecided, Window};
use seawall_core::observe::Observer;

use crate::facts::{Figures, Nanos};
use crate::model::nanos;

/// So many parts of so many: compared in whole numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share(u64, u64);

impl Share {
    pub(crate) const fn is_reached(self, part: u64, whole: u64) -> bool {
        whole > 0 && part * self.1 >= self.0 * whole
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn value(self) -> f64 {
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
    pub(crate) abandoned: Abandoned,
    pub(crate) abandoned_share: Share,
    pub(crate) open: OpenInterval,
    pub(crate) open_by: bool,
    pub(crate) half_open: HalfOpen,
}

/// What a new configuration takes over from the old one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// All but the minimum.
    window: bool,
    rules: bool,
    open: bool,
}

impl Plan {
    pub(crate) fn config(&self, observer: impl Observer<Event> + 'static) -> Config {
        let mut config = Config::empty()
            .window(self.window)
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
                ..rules
            };
        }
        if kept.open {
            (self.open, self.open_by) = (old.open, old.open_by);
        }
        self
    }

    pub(crate) const fn is_rated(&self) -> bool {
        self.failure_rate.is_some() || self.slow.is_some()
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

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let rules = (
        prop::option::of(share()),
        prop::option::weighted(0.4, ((1_u32..=8).prop_map(|n| n * MS), share())),
        prop::option::weighted(0.3, 1_u32..=6),
        prop::option::weighted(0.3, (1_u32..=5, (1_u32..=40).prop_map(|n| n * MS))),
    );
    let abandoned = prop_oneof![
        1 => Just(Abandoned::Ignore),
        1 => Just(Abandoned::Failure),
        3 => Just(Abandoned::Rate(1.0)),
    ];
    (rules, window(), (abandoned, share()), open(), prop::bool::weighted(0.2), half_open()).prop_map(
        |(
            (failure_rate, slow, consecutive_failures, period),
            window,
            (abandoned, abandoned_share),
            open,
            open_by,
            half_open,
        )| {
            let none = slow.is_none() && consecutive_failures.is_none() && period.is_none();
            Plan {
                window,
                failure_rate: failure_rate.or(none.then_some(Share(1, 2))),
                slow,
                consecutive_failures,
                failures_in_period: period,
                abandoned,
                abandoned_share,
                open,
                open_by,
                half_open,
            }
        },
    )
}

pub(crate) fn kept() -> impl Strategy<Value = Kept> {
    any::<(bool, bool, bool)>().prop_map(|(window, rules, open)| Kept { window, rules, open })
}
