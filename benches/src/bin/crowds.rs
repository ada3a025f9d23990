//! `crowds [KEYS]`: what many keys and many waiters do to a rate limiter, ours and governor's. Prints figures, judges nothing.
//!
//! - **keys**: so many keys (ten million if it is not said) call once each. How long the middle call takes and the one in a
//!   thousand, each with the two readings of the clock around it, and what memory is taken in the end.
//! - **waiters**: a thousand tasks wait on one key for which a cell comes every millisecond. How often they are polled.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter};
use seawall_rate_limit::{Algorithm, Config, Keyed, KeyedRateLimiter, Quota, RateLimiter};
use tokio::task::JoinSet;

const USAGE: &str = "usage: crowds [KEYS]

  KEYS  how many keys call once each; 10000000 if it is not said";

/// A user's calls in an hour.
const LIMIT: u32 = 100;
const HOUR: Duration = Duration::from_hours(1);
const WAITERS: u64 = 1_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let keys = match &args[..] {
        [] => Ok(10_000_000),
        [keys] => keys.parse::<u64>(),
        _ => "too many".parse(),
    };
    let Ok(keys) = keys else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    keyed(keys);
    waiting();
    ExitCode::SUCCESS
}

fn keyed(keys: u64) {
    println!("{keys} keys call once each");
    println!(
        "{:<28}{:>10}{:>10}{:>8}{:>12}{:>14}{:>14}",
        "", "median ns", "p99.9 ns", "ratio", "longest us", "memory MB", "bytes a key"
    );
    for capacity in [65_536, 1_048_576] {
        let before = resident();
        let each = Config::new(Quota::per_hour(LIMIT)).algorithm(Algorithm::Gcra).name("users");
        let limiter =
            KeyedRateLimiter::<u64>::new(Keyed::new(each).capacity(capacity)).expect("the settings are valid");
        let times = churn(keys, |key| limiter.check(&key).is_ok());
        let snapshot = limiter.snapshot();
        let name = format!("ours, capacity {capacity}");
        line(&name, &times, resident().saturating_sub(before), snapshot.memory as f64 / snapshot.capacity as f64);
    }
    let before = resident();
    let quota = governor::Quota::with_period(HOUR / LIMIT).expect("longer than nothing");
    let limiter = DefaultKeyedRateLimiter::dashmap(quota.allow_burst(NonZeroU32::new(LIMIT).expect("not zero")));
    let times = churn(keys, |key| limiter.check_key(&key).is_ok());
    let taken = resident().saturating_sub(before);
    line("governor", &times, taken, taken as f64 / limiter.len() as f64);
}

fn line(name: &str, times: &Times, taken: u64, a_key: f64) {
    let (median, late) = (times.quantile(0.5), times.quantile(0.999));
    println!(
        "{name:<28}{median:>10}{late:>10}{:>8.1}{:>12}{:>14.1}{a_key:>14.1}",
        late as f64 / median as f64,
        times.longest() / 1_000,
        taken as f64 / 1e6,
    );
}

/// Times each of so many calls.
fn churn(keys: u64, check: impl Fn(u64) -> bool) -> Times {
    let clock = quanta::Clock::new();
    let mut times = Times::default();
    for key in 0..keys {
        let began = clock.raw();
        std::hint::black_box(check(key));
        times.add(clock.delta_as_nanos(began, clock.raw()));
    }
    times
}

/// How often a call took how many nanoseconds, to three per cent.
#[derive(Default)]
struct Times {
    counts: BTreeMap<u64, u64>,
    /// Short times, which are most.
    short: Vec<u64>,
}

impl Times {
    const SHORT: u64 = 4_096;

    fn add(&mut self, nanos: u64) {
        if self.short.is_empty() {
            self.short = vec![0; usize::try_from(Self::SHORT).expect("small")];
        }
        if let Some(count) = usize::try_from(nanos).ok().and_then(|place| self.short.get_mut(place)) {
            *count += 1;
        } else {
            let dropped = nanos.ilog2().saturating_sub(5);
            *self.counts.entry(nanos >> dropped << dropped).or_default() += 1;
        }
    }

    fn each(&self) -> impl Iterator<Item = (u64, u64)> {
        let short = (0..).zip(self.short.iter().copied());
        short.chain(self.counts.iter().map(|(nanos, count)| (*nanos, *count)))
    }

    fn quantile(&self, part: f64) -> u64 {
        let all: u64 = self.each().map(|(_, count)| count).sum();
        let mut left = all as f64 * part;
        for (nanos, count) in self.each() {
            left -= count as f64;
            if left <= 0.0 {
                return nanos;
            }
        }
        0
    }

    fn longest(&self) -> u64 {
        self.each().filter(|(_, count)| *count > 0).last().map_or(0, |(nanos, _)| nanos)
    }
}

/// The process's resident memory in bytes; 0 where there is no `/proc`.
fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.as_deref().and_then(|text| text.split_whitespace().nth(1)).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4_096
}

fn waiting() {
    println!("\n{WAITERS} tasks wait for a cell each, one every millisecond");
    let quota = Quota::per_second(1_000).burst(1);
    let limiter = RateLimiter::new(Config::new(quota).algorithm(Algorithm::Gcra)).expect("the settings are valid");
    told(
        "ours",
        polls(|| {
            let limiter = limiter.clone();
            async move {
                limiter.acquire(1).await.expect("a cell comes");
            }
        }),
    );
    let quota = governor::Quota::with_period(Duration::from_millis(1)).expect("longer than nothing");
    let limiter = Arc::new(DefaultDirectRateLimiter::direct(quota));
    told(
        "governor",
        polls(|| {
            let limiter = limiter.clone();
            async move { limiter.until_ready().await }
        }),
    );
}

fn told(name: &str, polls: u64) {
    println!("{name:<28}{polls:>10} polls, {:.1} of each", polls as f64 / WAITERS as f64);
}

/// How often so many tasks are polled until all have ended.
fn polls<F: Future<Output = ()> + Send + 'static>(task: impl Fn() -> F) -> u64 {
    let polls = Arc::new(AtomicU64::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..WAITERS {
            tasks.spawn(Counted { future: Box::pin(task()), polls: polls.clone() });
        }
        while let Some(ended) = pin!(tasks.join_next()).await {
            ended.expect("no task panics");
        }
    });
    polls.load(Ordering::Relaxed)
}

/// A future that counts how often it is polled.
struct Counted<F> {
    future: Pin<Box<F>>,
    polls: Arc<AtomicU64>,
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.future.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_times() {
        let mut times = Times::default();
        (1..=1_000).for_each(|nanos| times.add(nanos));
        times.add(1_000_000);
        assert_eq!(times.quantile(0.5), 501);
        assert_eq!(times.quantile(0.999), 1_000);
        assert!((970_000..=1_000_000).contains(&times.longest()), "{}", times.longest());
    }

    #[test]
    fn polls_are_counted() {
        assert_eq!(polls(|| async {}), WAITERS);
    }
}
