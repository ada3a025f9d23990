//! Two threads that take leases, wait for turns and give back, over random schedules: what is kept passes the limit, shifted by no
//! more than a lease's life.

use std::sync::mpsc;
use std::time::Duration;

use seawall_core::stripe::seats;
use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::{Algorithm, Carry, Config, Grant, Quota, RateLimiter, Reservation, Scaling};
use seawall_testkit::random::Random;

use crate::guarantee::{Passed, every_span, nanos};

/// No lease lasts longer, in nanoseconds.
const LIFE: u64 = 10_000_000;
const MILLI: u64 = 1_000_000;

enum Ask {
    Check(u32),
    UpTo(u32),
    Reserve(u32, Duration),
    Refund(Grant),
}

impl Ask {
    fn of(self, limiter: &RateLimiter) -> Option<Grant> {
        let granted = match self {
            Self::Check(cells) => limiter.check_n(cells).ok(),
            Self::UpTo(cells) => Some(limiter.take_up_to(cells)),
            Self::Reserve(cells, wait) => limiter.reserve(cells, wait).ok().map(Reservation::keep),
            Self::Refund(grant) => {
                limiter.refund(grant);
                None
            }
        };
        granted.filter(|grant| grant.cells() > 0)
    }
}

/// What happens beside calls and refunds.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    Turns,
    StepsBack,
}

/// A quota of two leased cells in a millisecond for each lane, and a smaller one.
fn quotas(algorithm: Algorithm) -> [Quota; 2] {
    let lanes = u32::try_from(seats()).expect("a few");
    match algorithm {
        Algorithm::Gcra => [50, 20].map(|burst| Quota::per_second(2_000 * lanes).burst(burst * lanes)),
        _ => [100, 60].map(|limit| Quota::new(limit * lanes, Duration::from_millis(50))),
    }
}

fn config(algorithm: Algorithm, quota: Quota) -> Config {
    Config::new(quota).algorithm(algorithm).carry(Carry::AsIs).scaling(Scaling::Sharded)
}

struct Schedule {
    algorithm: Algorithm,
    disturbance: Disturbance,
    limiter: RateLimiter,
    time: ManualTime,
    random: Random,
    /// How far the clock has gone forwards.
    elapsed: u64,
    /// What was granted, and when.
    kept: Vec<(Grant, u64)>,
    passed: Vec<Passed>,
}

impl Schedule {
    fn new(algorithm: Algorithm, disturbance: Disturbance, seed: u64) -> Self {
        let (clock, time) = Clock::manual();
        time.advance(Duration::from_secs(20));
        let config = config(algorithm, quotas(algorithm)[0]);
        let limiter = RateLimiter::with_clock(config, clock).expect("valid");
        let (kept, passed) = (Vec::new(), Vec::new());
        Self { algorithm, disturbance, limiter, time, random: Random::new(seed), elapsed: 0, kept, passed }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(usize::try_from(bound).expect("small")) as u64
    }

    fn cells(&mut self) -> u32 {
        let most = if self.below(8) == 0 { 60 } else { 4 };
        u32::try_from(1 + self.below(most)).expect("small")
    }

    /// One step, in which calls are made by `ask`: of this thread, or of another.
    fn step(&mut self, ask: impl Fn(Ask) -> Option<Grant>) {
        match self.below(40) {
            0..=2 => self.advance(),
            3 => self.disturb(),
            4..=9 if !self.kept.is_empty() => self.give_back(ask),
            _ => {
                let cells = self.cells();
                let granted = ask(match (self.below(8), self.disturbance) {
                    (0, _) => Ask::UpTo(cells),
                    (1, Disturbance::Turns) => Ask::Reserve(cells, Duration::from_nanos(self.below(20 * MILLI))),
                    _ => Ask::Check(cells),
                });
                self.kept.extend(granted.map(|grant| (grant, self.elapsed)));
            }
        }
    }

    fn advance(&mut self) {
        let most = if self.below(12) == 0 { 60 * MILLI } else { 3 * MILLI };
        let by = self.below(most);
        self.time.advance(Duration::from_nanos(by));
        self.elapsed += by;
    }

    fn disturb(&mut self) {
        match self.disturbance {
            Disturbance::Turns => {
                let [large, small] = quotas(self.algorithm);
                let quota = if self.below(2) == 0 { large } else { small };
                self.limiter.reconfigure(config(self.algorithm, quota)).expect("valid");
            }
            Disturbance::StepsBack => {
                let most = if self.below(3) == 0 { 1_000 } else { 60 };
                let by = self.below(most);
                self.time.step_back(Duration::from_millis(by));
            }
        }
    }

    /// What is not taken back may well be used.
    fn give_back(&mut self, ask: impl Fn(Ask) -> Option<Grant>) {
        let (grant, at) = self.kept.swap_remove(self.random.below(self.kept.len()));
        let passes = Self::passes(&grant, at);
        let given_back = self.limiter.snapshot().given_back;
        ask(Ask::Refund(grant));
        if self.limiter.snapshot().given_back == given_back {
            self.passed.push(passes);
        }
    }

    fn passes(grant: &Grant, at: u64) -> Passed {
        let at = at + u64::try_from(grant.wait().as_nanos()).expect("short");
        Passed { from: at, to: at, cells: grant.cells() }
    }

    /// How many cells were kept.
    fn check(mut self) -> u64 {
        self.passed.extend(self.kept.iter().map(|(grant, at)| Self::passes(grant, *at)));
        let quota = quotas(self.algorithm)[0];
        let (period, limit) = (nanos(quota), u128::from(quota.limit()));
        every_span(self.algorithm, &self.passed, |from, to| match self.algorithm {
            Algorithm::Gcra => {
                u128::from(quota.burst_size()) + u128::from(to - from + LIFE) * limit / u128::from(period)
            }
            _ if to - from < period - LIFE => limit,
            _ => u128::MAX,
        });
        self.passed.iter().map(|call| u64::from(call.cells)).sum()
    }
}

fn seeds() -> u64 {
    std::env::var("SEAWALL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(6)
}

#[test]
fn whatever_becomes_of_leases_turns_and_receipts_nothing_is_minted() {
    for algorithm in [Algorithm::Gcra, Algorithm::sliding_window(), Algorithm::SlidingLog] {
        for disturbance in [Disturbance::Turns, Disturbance::StepsBack] {
            let mut passed = 0;
            for seed in 0..seeds() {
                let mut schedule = Schedule::new(algorithm, disturbance, seed);
                let ((tell, told), (say, hear)) = (mpsc::channel::<Ask>(), mpsc::channel());
                let limiter = schedule.limiter.clone();
                let other = std::thread::spawn(move || told.into_iter().try_for_each(|ask| say.send(ask.of(&limiter))));
                for _ in 0..2_000 {
                    let limiter = schedule.limiter.clone();
                    if schedule.below(2) == 0 {
                        schedule.step(|ask| ask.of(&limiter));
                    } else {
                        schedule.step(|ask| {
                            tell.send(ask).expect("the thread lives");
                            hear.recv().expect("the thread answers")
                        });
                    }
                }
                drop(tell);
                other.join().expect("no thread panics").expect("it was heard");
                passed += schedule.check();
            }
            let enough = seeds() * 2 * u64::from(quotas(algorithm)[0].burst_size());
            assert!(passed > enough, "{algorithm:?}, {disturbance:?}: only {passed} passed");
        }
    }
}
