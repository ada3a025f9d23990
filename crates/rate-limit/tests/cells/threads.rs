//! Several threads on one limiter, while time passes: what they were granted and kept is what the algorithm promises.

use std::sync::{Barrier, Mutex};
use std::time::Duration;

use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::limit::Alignment;
use seawall_rate_limit::{Algorithm, Carry, Config, Grant, Quota, RateLimiter, Scaling};
use seawall_testkit::random::Random;

use crate::guarantee::{Passed, check, nanos};

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn algorithms() -> Vec<Algorithm> {
    vec![
        Algorithm::sliding_window(),
        Algorithm::SlidingWindow { buckets: 2 },
        Algorithm::Gcra,
        Algorithm::SlidingLog,
        Algorithm::WindowCounter,
        Algorithm::fixed_window(),
        Algorithm::FixedWindow { alignment: Alignment::FirstCell },
        Algorithm::TokenSteps,
        Algorithm::Pacer { slack: 3 },
        Algorithm::warm_up(SECOND),
    ]
}

/// One thread's part of a schedule.
struct Caller<'a> {
    limiter: &'a RateLimiter,
    time: &'a ManualTime,
    random: Random,
    one_cell: bool,
    passed: Vec<Passed>,
    kept: Vec<(Grant, u64, u64)>,
}

impl<'a> Caller<'a> {
    fn new(limiter: &'a RateLimiter, time: &'a ManualTime, seed: u64, one_cell: bool) -> Self {
        Self { limiter, time, random: Random::new(seed), one_cell, passed: Vec::new(), kept: Vec::new() }
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.random.below(bound as usize)).expect("small")
    }

    fn call(&mut self) {
        let cells = if self.one_cell { 1 } else { 1 + self.below(3) };
        let wait = Duration::from_millis(u64::from(self.below(250)));
        let before = self.time.now().as_nanos();
        let granted = match self.below(9) {
            0..=4 => self.limiter.check_n(cells).ok(),
            5 => Some(self.limiter.take_up_to(cells)),
            6 => self.limiter.reserve(cells, wait).ok().map(seawall_rate_limit::Reservation::keep),
            7 => {
                drop(self.limiter.reserve(cells, wait));
                None
            }
            _ => {
                if !self.kept.is_empty() {
                    let which = self.random.below(self.kept.len());
                    self.limiter.refund(self.kept.swap_remove(which).0);
                }
                let _ = (self.limiter.peek(), self.limiter.snapshot());
                None
            }
        };
        let after = self.time.now().as_nanos();
        if let Some(grant) = granted.filter(|grant| grant.cells() > 0) {
            self.kept.push((grant, before, after));
            if self.kept.len() > 5 {
                self.remember(0);
            }
        }
    }

    fn remember(&mut self, which: usize) {
        let (grant, before, after) = self.kept.swap_remove(which);
        let wait = u64::try_from(grant.wait().as_nanos()).expect("short");
        self.passed.push(Passed { from: before + wait, to: after + wait, cells: grant.cells() });
    }

    fn finish(mut self) -> Vec<Passed> {
        while !self.kept.is_empty() {
            self.remember(0);
        }
        self.passed
    }
}

/// Three threads call; the first of them moves time now and then. `meanwhile` is called there too.
fn run(
    limiter: &RateLimiter,
    time: &ManualTime,
    seed: u64,
    one_cell: bool,
    meanwhile: impl Fn(u32) + Sync,
) -> Vec<Passed> {
    let all = Mutex::new(Vec::new());
    let start = Barrier::new(3);
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (all, start, meanwhile) = (&all, &start, &meanwhile);
            scope.spawn(move || {
                let mut caller = Caller::new(limiter, time, seed * 3 + thread, one_cell);
                start.wait();
                for call in 0..250 {
                    if thread == 0 && caller.below(4) == 0 {
                        time.advance(Duration::from_micros(u64::from(caller.below(120_000))));
                        meanwhile(call);
                    }
                    caller.call();
                    if caller.below(16) == 0 {
                        std::thread::yield_now();
                    }
                }
                all.lock().expect("no thread panics").extend(caller.finish());
            });
        }
    });
    all.into_inner().expect("no thread panics")
}

pub(crate) fn is_pacing(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::Pacer { .. } | Algorithm::WarmUp { .. })
}

fn seeds() -> u64 {
    std::env::var("SEAWALL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(12)
}

#[test]
fn whatever_threads_take_wait_for_and_give_back_the_limit_holds() {
    for algorithm in algorithms() {
        let mut all = 0;
        for seed in 0..seeds() {
            let (clock, time) = Clock::manual();
            let quota = Quota::per_second(10);
            let limiter = RateLimiter::with_clock(Config::new(quota).algorithm(algorithm), clock).expect("valid");
            let passed = run(&limiter, &time, seed, is_pacing(algorithm), |_| ());
            check(algorithm, quota, &passed);
            all += passed.len();
        }
        assert!(all > 20, "{algorithm:?}: only {all} passed");
    }
}

#[test]
fn the_limit_holds_while_quotas_are_replaced() {
    for algorithm in algorithms().into_iter().filter(|algorithm| !is_pacing(*algorithm)) {
        for seed in 0..seeds() {
            let (clock, time) = Clock::manual();
            // One is never more than the other, so that what passed keeps to the larger one, whenever they changed.
            let (large, small) = match algorithm {
                Algorithm::Gcra | Algorithm::TokenSteps => {
                    (Quota::per_second(8).burst(12), Quota::per_second(8).burst(3))
                }
                _ => (Quota::per_second(12), Quota::per_second(5)),
            };
            let config = |quota| Config::new(quota).algorithm(algorithm).carry(Carry::AsIs);
            let limiter = RateLimiter::with_clock(config(large), clock).expect("valid");
            let passed = run(&limiter, &time, seed, false, |call| {
                limiter.reconfigure(config(if call % 2 == 0 { small } else { large })).expect("valid");
            });
            check(algorithm, large, &passed);
        }
    }
}

/// Leased cells are only shifted in time: what passes in a span passes an exact limit in that span and a lease's life.
#[test]
fn leases_shift_cells_and_mint_none() {
    const LIFE: u64 = 10_000_000;
    for seed in 0..seeds() {
        let (clock, time) = Clock::manual();
        let quota = Quota::per_second(100_000).burst(5_000);
        let config = Config::new(quota).algorithm(Algorithm::Gcra).scaling(Scaling::Sharded);
        let limiter = RateLimiter::with_clock(config, clock).expect("valid");
        let all = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for thread in 0..3_u64 {
                let (all, limiter, time) = (&all, &limiter, &time);
                scope.spawn(move || {
                    let mut random = Random::new(seed * 3 + thread);
                    let mut passed = Vec::new();
                    for _ in 0..6_000 {
                        if thread == 0 && random.below(30) == 0 {
                            time.advance(Duration::from_micros(random.below(4_000) as u64));
                        }
                        let cells = 1 + u32::try_from(random.below(4)).expect("small");
                        let from = time.now().as_nanos();
                        match limiter.check_n(cells) {
                            Ok(grant) if random.below(6) == 0 => limiter.refund(grant),
                            Ok(grant) => {
                                let to = time.now().as_nanos();
                                passed.push(Passed { from, to, cells: grant.cells() });
                            }
                            Err(_) => {}
                        }
                    }
                    all.lock().expect("no thread panics").extend(passed);
                });
            }
        });
        let all = all.into_inner().expect("no thread panics");
        // In steps of a span, as there are too many calls to look at every pair of them.
        let end = all.iter().map(|call| call.to).max().expect("some passed");
        for span in [nanos(Quota::new(1, Duration::from_millis(1))), 20_000_000, 200_000_000] {
            for from in (0..=end).step_by(usize::try_from(span / 2).expect("small")) {
                let to = from + span;
                let within = all.iter().filter(|call| call.from >= from && call.to <= to);
                let cells: u64 = within.map(|call| u64::from(call.cells)).sum();
                let most = 5_000 + (span + LIFE) / 10_000;
                assert!(cells <= most, "{cells} cells passed from {from} to {to}, {most} may");
            }
        }
    }
}
