//! A limit of this project that behaves as the one of a vector.

use std::time::Duration;

use seawall_rate_limit::limit::Alignment;
use seawall_rate_limit::{Algorithm, Carry, Config, Quota};

use super::case::Rate;

/// One limit.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) shape: Shape,
    /// How many cells are not there when it begins.
    pub(super) lacking: u32,
    /// How long a check may wait.
    pub(super) check_wait: Duration,
    /// How long a reservation may wait that does not say it.
    pub(super) reserve_wait: Duration,
    /// Who is refused takes what is left.
    pub(super) drains: bool,
    /// Whether what is left is told less what is promised.
    pub(super) tells_promised: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Bucket(Bucket),
    FixedWindow {
        limit: u32,
        window: Duration,
        alignment: Alignment,
    },
    WindowCounter {
        limit: u32,
        window: Duration,
    },
    SlidingLog {
        limit: u32,
        window: Duration,
    },
    Pacer {
        turns: Turns,
        slack: u32,
    },
    /// A pacer that keeps so many seconds of its turns.
    Bursty {
        per_second: f64,
        seconds: f64,
    },
    WarmingUp {
        per_second: f64,
        over: Duration,
        cold_factor: f64,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    pub(super) capacity: u32,
    pub(super) refill: u32,
    pub(super) period: Duration,
    /// Whether the refill comes at once at the end of a period.
    pub(super) in_steps: bool,
}

/// How often a turn comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turns {
    Every(Duration),
    Never,
}

impl Spec {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            name: "limit".into(),
            shape,
            lacking: 0,
            check_wait: Duration::ZERO,
            reserve_wait: Quota::LONGEST,
            drains: false,
            tells_promised: false,
        }
    }

    pub(super) fn config(&self) -> Config {
        let (quota, algorithm) = self.shape.parts();
        let carry = match self.shape {
            // The same number of cells is owed, at whatever rate they come back.
            Shape::Bucket(_) => Carry::Proportional,
            _ => Carry::AsIs,
        };
        Config::new(quota).algorithm(algorithm).name(&self.name).carry(carry)
    }

    pub(super) fn set_rate(&mut self, rate: Rate) -> Result<(), String> {
        let Rate { permits_per_second, refill_tokens, refill_period_ms, capacity } = rate;
        match &mut self.shape {
            Shape::Bucket(bucket) if permits_per_second.is_none() => {
                bucket.refill = refill_tokens.unwrap_or(bucket.refill);
                bucket.period = refill_period_ms.map_or(bucket.period, super::ask::duration);
                bucket.capacity = capacity.unwrap_or(bucket.capacity);
                Ok(())
            }
            Shape::Bursty { per_second, .. } | Shape::WarmingUp { per_second, .. }
                if refill_tokens.is_none() && refill_period_ms.is_none() && capacity.is_none() =>
            {
                *per_second = permits_per_second.ok_or("set_rate without a rate")?;
                Ok(())
            }
            shape => Err(format!("set_rate {rate:?} has no meaning for {shape:?}")),
        }
    }

    pub(super) fn set_limit(&mut self, new: u32) -> Result<(), String> {
        match &mut self.shape {
            Shape::FixedWindow { limit, .. } | Shape::WindowCounter { limit, .. } | Shape::SlidingLog { limit, .. } => {
                *limit = new;
            }
            Shape::Bucket(bucket) => (bucket.capacity, bucket.refill) = (new, new),
            shape => return Err(format!("set_limit has no meaning for {shape:?}")),
        }
        Ok(())
    }
}

impl Shape {
    fn parts(&self) -> (Quota, Algorithm) {
        match *self {
            Self::Bucket(bucket) => {
                let algorithm = if bucket.in_steps { Algorithm::TokenSteps } else { Algorithm::Gcra };
                (bucket.quota(), algorithm)
            }
            Self::FixedWindow { limit, window, alignment } => {
                (Quota::new(limit, window), Algorithm::FixedWindow { alignment })
            }
            Self::WindowCounter { limit, window } => (Quota::new(limit, window), Algorithm::WindowCounter),
            Self::SlidingLog { limit, window } => (Quota::new(limit, window), Algorithm::SlidingLog),
            Self::Pacer { turns: Turns::Every(interval), slack } => (each(1, interval), Algorithm::Pacer { slack }),
            Self::Pacer { turns: Turns::Never, slack } => (slowest(1), Algorithm::Pacer { slack }),
            Self::Bursty { per_second, seconds } => {
                (quota(per_second), Algorithm::Pacer { slack: whole(per_second * seconds) })
            }
            Self::WarmingUp { per_second, over, cold_factor } => {
                (quota(per_second), Algorithm::WarmUp { over, cold_factor })
            }
        }
    }
}

impl Bucket {
    fn quota(&self) -> Quota {
        let quota = if self.refill == 0 { slowest(self.capacity) } else { each(self.refill, self.period) };
        quota.burst(self.capacity)
    }
}

/// So many in every period, told of a period that a quota can have.
fn each(cells: u32, period: Duration) -> Quota {
    if period >= Quota::SHORTEST {
        Quota::new(cells, period)
    } else {
        Quota::new(cells.saturating_mul(1_000), period * 1_000)
    }
}

/// The quota nearest to one that never refills: a quota of nothing is not a valid one.
fn slowest(burst: u32) -> Quota {
    Quota::new(1, Quota::LONGEST / burst.max(1))
}

fn quota(per_second: f64) -> Quota {
    if per_second >= 1.0 && per_second.fract() == 0.0 {
        return Quota::per_second(whole(per_second));
    }
    let period = Duration::try_from_secs_f64(per_second.recip()).unwrap_or(Quota::LONGEST);
    Quota::new(1, period.min(Quota::LONGEST))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
fn whole(number: f64) -> u32 {
    number as u32
}
