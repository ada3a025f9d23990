//! What a vector is played on.

use std::collections::BTreeMap;
use std::time::Duration;

use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::Quota;
use seawall_rate_limit::limit::{Alignment, FixedWindow, WarmUpThreshold, WindowCounter};

use super::ask::{Subject, duration, nanos};
use super::case::{Case, Op};
use super::counting::Counting;
use super::door::{Limiter, Of};
use super::limits::{Shape, Spec};
use super::one::One;
use super::several::{Pools, Several};
use super::threshold::Threshold;

/// What a vector's configuration is here.
pub(super) enum Rules {
    One(Spec),
    /// A limiter that counts what it refuses.
    CountingWindow {
        limit: u32,
        window: Duration,
        alignment: Alignment,
    },
    CountingCounter {
        limit: u32,
        window: Duration,
    },
    /// The second is asked when the first refuses.
    Pools([Spec; 2]),
    /// All of them, or none.
    Several(Vec<Spec>),
    Threshold(WarmUpThreshold),
}

/// The limiters of all keys, on one clock.
pub(super) struct Limiters {
    pub(super) time: ManualTime,
    keys: Vec<String>,
    /// Of each key; or of all keys together.
    of_keys: Vec<Vec<Limiter>>,
}

/// Key by key.
pub(super) type Subjects<'a> = BTreeMap<&'a str, Box<dyn Subject + 'a>>;

impl Rules {
    /// The limiters of every key, as they are when the vector begins.
    pub(super) fn limiters(&self, of: Of, case: &Case) -> Result<Limiters, String> {
        let (clock, time) = Clock::manual();
        let specs: &[Spec] = match self {
            Self::One(spec) => std::slice::from_ref(spec),
            Self::Pools(specs) => specs,
            Self::Several(specs) => specs,
            Self::CountingWindow { .. } | Self::CountingCounter { .. } | Self::Threshold(_) => &[],
        };
        let keys = case.keys();
        let sets = if of == Of::OneKeyOfMany { 1 } else { keys.len() };
        let set = |_| specs.iter().map(|spec| Limiter::new(of, spec, &clock)).collect();
        let of_keys = (0..sets).map(set).collect::<Result<_, String>>()?;
        Ok(Limiters { time, keys, of_keys })
    }

    pub(super) fn subjects<'a>(&'a self, limiters: &'a Limiters) -> Result<Subjects<'a>, String> {
        let sets = limiters.of_keys.iter().cycle();
        limiters.keys.iter().zip(sets).map(|(key, set)| Ok((key.as_str(), self.subject(key, set)?))).collect()
    }

    fn subject<'a>(&'a self, key: &'a str, limiters: &'a [Limiter]) -> Result<Box<dyn Subject + 'a>, String> {
        let told = |error: seawall_core::ConfigError| error.to_string();
        Ok(match (self, limiters) {
            (Self::One(spec), [limiter]) => Box::new(One::new(spec, limiter.door(key))?),
            (Self::Pools([primary, burst]), [first, second]) => {
                Box::new(Pools::new(One::new(primary, first.door(key))?, One::new(burst, second.door(key))?))
            }
            (Self::Several(specs), limiters) => {
                let single: Vec<_> = limiters.iter().filter_map(Limiter::single).collect();
                Box::new(Several::new(specs, &single)?)
            }
            (Self::CountingWindow { limit, window, alignment }, _) => {
                Box::new(Counting::new(FixedWindow::new(Quota::new(*limit, *window), *alignment).map_err(told)?))
            }
            (Self::CountingCounter { limit, window }, _) => {
                Box::new(Counting::new(WindowCounter::new(Quota::new(*limit, *window)).map_err(told)?))
            }
            (Self::Threshold(threshold), _) => Box::new(Threshold::new(*threshold)),
            (Self::One(_) | Self::Pools(_), _) => return Err("not as many limiters as limits".into()),
        })
    }

    /// What the vector is played on, one after the other. One key of many remembers less of turns than a limiter by itself, which
    /// gives more of them back.
    pub(super) fn played_on(&self, case: &Case) -> &'static [Of] {
        match self {
            Self::One(_) if case.steps.iter().all(|step| step.does.op != Op::Cancel) => &[Of::Itself, Of::OneKeyOfMany],
            _ => &[Of::Itself],
        }
    }

    /// When, in the vector's time, the clock begins.
    ///
    /// At zero. But if the first step only looks and finds what a bucket that is not full has `initially`, at a time at which a bucket that began
    /// at zero would be full again, the bucket began with that step.
    pub(super) fn origin(&self, case: &Case) -> i64 {
        match (self, case.first_look()) {
            (Self::One(Spec { shape: Shape::Bucket(bucket), lacking, .. }), Some((at_ms, left)))
                if *lacking > 0 && left == u64::from(bucket.capacity - lacking) =>
            {
                let refilled = f64::from(bucket.refill) * duration(at_ms).as_secs_f64() / bucket.period.as_secs_f64();
                if refilled >= f64::from(*lacking) { nanos(at_ms) } else { 0 }
            }
            _ => 0,
        }
    }
}
