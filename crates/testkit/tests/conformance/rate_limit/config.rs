//! The configurations of vectors, by their algorithms. A field that is not known is an error.

use std::time::Duration;

use seawall_rate_limit::limit::{Alignment, WarmUpThreshold};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::ask::duration;
use super::case::Case;
use super::limits::{Bucket, Shape, Spec, Turns};
use super::rules::Rules;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gcra {
    emission_interval_ms: f64,
    burst: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBucket {
    capacity: u32,
    refill_tokens: u32,
    refill_period_ms: f64,
    refill: Refill,
    initial: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Refill {
    Greedy,
    Interval,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Windowed {
    id: Option<String>,
    limit: u32,
    window_ms: f64,
    #[serde(default)]
    alignment: Aligned,
    #[serde(default)]
    epoch_offset_ms: f64,
    #[serde(default)]
    counts_rejected: bool,
    #[serde(default)]
    drain_over_limit: bool,
    max_delay_ms: Option<f64>,
    rule: Option<String>,
    /// What is given back beyond what was taken is the peer's matter.
    #[serde(rename = "refund")]
    _refund: Option<String>,
    /// Of a peer's floating point; here it is exact.
    #[serde(rename = "epsilon")]
    _epsilon: Option<f64>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Aligned {
    Epoch,
    /// The clock's zero is when the limiter began.
    LimiterStart,
    #[default]
    FirstHit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    limit: u32,
    window_ms: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pacer {
    interval_ms: Option<f64>,
    /// In a second.
    rate: Option<f64>,
    #[serde(default)]
    slack: u32,
    max_wait_ms: Option<f64>,
    #[serde(rename = "source_interval")]
    _source_interval: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Queue {
    interval_ms: f64,
    capacity: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bursty {
    permits_per_second: f64,
    max_burst_seconds: f64,
    pay_later: Always,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WarmingUp {
    permits_per_second: f64,
    warmup_ms: f64,
    cold_factor: f64,
    starts: Cold,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cold {
    Cold,
}

/// What is so in every limiter of this kind.
#[derive(Deserialize)]
#[serde(try_from = "bool")]
struct Always;

impl TryFrom<bool> for Always {
    type Error = &'static str;

    fn try_from(is: bool) -> Result<Self, Self::Error> {
        if is { Ok(Self) } else { Err("this kind always is so") }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByThreshold {
    count: u32,
    warmup_s: u32,
    cold_factor: u32,
    /// The numbers in between, for people.
    #[serde(rename = "derived")]
    _derived: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TwoPools {
    primary: Windowed,
    burst: Windowed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Multi {
    limits: Vec<Value>,
}

fn read<T: DeserializeOwned>(config: &Value) -> Result<T, String> {
    serde_json::from_value(config.clone()).map_err(|error| format!("{error} in {config}"))
}

impl Rules {
    pub(super) fn read(case: &Case) -> Result<Self, String> {
        let config = &case.config;
        Ok(match case.algorithm.as_str() {
            "gcra" | "gcra_store_gc" => {
                let gcra: Gcra = read(config)?;
                let period = duration(gcra.emission_interval_ms);
                let bucket = Bucket { capacity: gcra.burst, refill: 1, period, in_steps: false };
                Self::One(Spec::new(Shape::Bucket(bucket)))
            }
            "token_bucket"
            | "token_bucket_aggregate"
            | "token_bucket_clock_rewind"
            | "token_bucket_reserve"
            | "token_bucket_wait" => Self::One(read::<TokenBucket>(config)?.spec()),
            "fixed_window"
            | "fixed_window_drain"
            | "fixed_window_hot_reload"
            | "fixed_window_reserve"
            | "fixed_window_uncapped_refund" => {
                let window: Windowed = read(config)?;
                window.follows("remaining += new_limit - old_limit, floor 0")?;
                if window.counts_rejected {
                    let alignment = window.alignment();
                    Self::CountingWindow { limit: window.limit, window: duration(window.window_ms), alignment }
                } else {
                    let mut spec = window.spec();
                    spec.tells_promised = case.algorithm == "fixed_window_reserve";
                    Self::One(spec)
                }
            }
            "sliding_window_counter" => {
                let counter: Windowed = read(config)?;
                counter.follows("prev*(1-f)+cur < limit")?;
                if counter.alignment == Aligned::FirstHit {
                    return Err("windows of two counters begin at whole periods of the clock".into());
                }
                let Windowed { limit, window_ms, counts_rejected, .. } = counter;
                let window = duration(window_ms);
                if counts_rejected {
                    Self::CountingCounter { limit, window }
                } else {
                    Self::One(Spec::new(Shape::WindowCounter { limit, window }))
                }
            }
            "sliding_window_log" => {
                let log: Log = read(config)?;
                Self::One(Spec::new(Shape::SlidingLog { limit: log.limit, window: duration(log.window_ms) }))
            }
            "pacer" | "pacer_aggregate" => Self::One(read::<Pacer>(config)?.spec()?),
            "leaky_bucket_queue" => {
                let queue: Queue = read(config)?;
                let interval = duration(queue.interval_ms);
                let mut spec = Spec::new(Shape::Pacer { turns: Turns::Every(interval), slack: 0 });
                // The last place of the queue has its turn so late.
                spec.check_wait = interval * queue.capacity.saturating_sub(1);
                spec.reserve_wait = spec.check_wait;
                Self::One(spec)
            }
            "smooth_bursty" => {
                let Bursty { permits_per_second: per_second, max_burst_seconds: seconds, pay_later: Always } =
                    read(config)?;
                Self::One(Spec::new(Shape::Bursty { per_second, seconds }))
            }
            "smooth_warming_up" => {
                let WarmingUp { permits_per_second: per_second, warmup_ms, cold_factor, starts: Cold::Cold } =
                    read(config)?;
                Self::One(Spec::new(Shape::WarmingUp { per_second, over: duration(warmup_ms), cold_factor }))
            }
            "sentinel_warmup" => {
                let ByThreshold { count, warmup_s, cold_factor, .. } = read(config)?;
                Self::Threshold(WarmUpThreshold::new(count, warmup_s, cold_factor).map_err(|e| e.to_string())?)
            }
            "bursty_two_pools" => {
                let TwoPools { primary, burst } = read(config)?;
                Self::Pools([primary.spec(), burst.spec()])
            }
            "token_bucket_multi" => {
                let limits = read::<Multi>(config)?.limits;
                let specs = limits.iter().map(|limit| Ok(read::<TokenBucket>(limit)?.spec()));
                Self::Several(named(specs)?)
            }
            "multi_independent" => {
                let limits = read::<Multi>(config)?.limits;
                Self::Several(named(limits.iter().map(|limit| Ok(read::<Windowed>(limit)?.spec())))?)
            }
            other => return Err(format!("no algorithm is called {other}")),
        })
    }
}

/// Several limits have names.
fn named(specs: impl Iterator<Item = Result<Spec, String>>) -> Result<Vec<Spec>, String> {
    let named = specs.enumerate().map(|(place, spec)| {
        let mut spec = spec?;
        if spec.name == "limit" {
            spec.name = format!("limit-{place}");
        }
        Ok(spec)
    });
    named.collect()
}

impl TokenBucket {
    fn spec(&self) -> Spec {
        let shape = Shape::Bucket(Bucket {
            capacity: self.capacity,
            refill: self.refill_tokens,
            period: duration(self.refill_period_ms),
            in_steps: self.refill == Refill::Interval,
        });
        let lacking = self.initial.map_or(0, |initial| self.capacity.saturating_sub(initial));
        Spec { lacking, ..Spec::new(shape) }
    }
}

impl Windowed {
    fn alignment(&self) -> Alignment {
        match self.alignment {
            Aligned::Epoch | Aligned::LimiterStart => Alignment::Clock { offset: duration(self.epoch_offset_ms) },
            Aligned::FirstHit => Alignment::FirstCell,
        }
    }

    fn spec(&self) -> Spec {
        let (limit, window, alignment) = (self.limit, duration(self.window_ms), self.alignment());
        let spec = Spec::new(Shape::FixedWindow { limit, window, alignment });
        Spec {
            name: self.id.clone().unwrap_or(spec.name),
            reserve_wait: self.max_delay_ms.map_or(spec.reserve_wait, duration),
            drains: self.drain_over_limit,
            ..spec
        }
    }

    /// The one rule that there is here, if the vector says it.
    fn follows(&self, rule: &str) -> Result<(), String> {
        match &self.rule {
            Some(other) if other != rule => Err(format!("the rule {other}, and here it is: {rule}")),
            _ => Ok(()),
        }
    }
}

impl Pacer {
    fn spec(&self) -> Result<Spec, String> {
        let (turns, lacking) = match (self.interval_ms, self.rate) {
            (Some(interval), _) => (Turns::Every(duration(interval)), 0),
            // There is not even a first turn.
            (None, Some(0.0)) => (Turns::Never, 1),
            (None, Some(rate)) => (Turns::Every(Duration::from_secs_f64(rate.recip())), 0),
            (None, None) => return Err("neither an interval nor a rate".into()),
        };
        let spec = Spec::new(Shape::Pacer { turns, slack: self.slack });
        let check_wait = self.max_wait_ms.map_or(spec.check_wait, duration);
        let reserve_wait = self.max_wait_ms.map_or(spec.reserve_wait, duration);
        Ok(Spec { lacking, check_wait, reserve_wait, ..spec })
    }
}
