//! Random schedules of all that is done to one limiter: what is kept is what its limit lets pass.

use std::time::Duration;

use seawall_core::time::ManualTime;
use seawall_rate_limit::{Algorithm, Carry, Config, Grant, Quota, RateLimiter};
use seawall_testkit::random::Random;

use crate::support::{limiter, lock_free};

/// Of one rate and one largest burst, so that whatever holds, it keeps to that.
fn config(algorithm: Algorithm, turn: usize) -> Config {
    let quota = if algorithm == Algorithm::Gcra {
        Quota::per_second(4).burst([8, 3, 5][turn % 3])
    } else {
        Quota::per_second([8, 5, 3][turn % 3])
    };
    Config::new(quota).algorithm(algorithm).carry(Carry::AsIs).name("test")
}

/// What happens beside calls, refunds and other quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    None,
    Turns,
    StepsBack,
}

struct Schedule {
    algorithm: Algorithm,
    disturbance: Disturbance,
    limiter: RateLimiter,
    time: ManualTime,
    random: Random,
    /// How far the clock has gone forwards, in nanoseconds.
    elapsed: u64,
    /// How far it went last.
    advanced: Duration,
    kept: Vec<(Grant, u64)>,
    /// When cells passed, and how many.
    passed: Vec<(u64, u32)>,
}

impl Schedule {
    fn new(algorithm: Algorithm, disturbance: Disturbance, seed: u64) -> Self {
        let (limiter, time) = limiter(config(algorithm, 0));
        // Far enough from the clock's zero for every step back.
        time.advance(Duration::from_secs(3_600));
        let (random, kept, passed) = (Random::new(seed), Vec::new(), Vec::new());
        let advanced = Duration::ZERO;
        Self { algorithm, disturbance, limiter, time, random, elapsed: 0, advanced, kept, passed }
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.random.below(bound as usize)).expect("small")
    }

    fn step(&mut self) {
        match self.below(24) {
            0..=4 => {
                let most = if self.below(6) == 0 { 2_500 } else { 1_000 };
                let by = Duration::from_millis(self.below(most).into());
                self.time.advance(by);
                self.elapsed += nanos(by);
                self.advanced = by;
            }
            5..=6 if self.disturbance == Disturbance::StepsBack => {
                let by = match self.below(8) {
                    0 => Duration::from_millis(self.below(30_000).into()),
                    1..=3 => Duration::from_millis(self.below(1_500).into()),
                    // To where it was.
                    _ => self.advanced,
                };
                self.time.step_back(by);
            }
            7 if self.below(8) == 0 => {
                let turn = self.random.below(3);
                self.limiter.reconfigure(config(self.algorithm, turn)).expect("valid");
            }
            8..=13 if !self.kept.is_empty() => {
                // Of what was granted lately something can be given back.
                let place = self.kept.len() - 1 - self.random.below(self.kept.len().min(4));
                let (grant, at) = self.kept.remove(place);
                let (passes, cells) = (at + nanos(grant.wait()), grant.cells());
                // What is minted is to be taken.
                let takes_all = self.below(2) == 0;
                if takes_all {
                    self.take_all();
                }
                let given_back = self.limiter.snapshot().given_back;
                self.limiter.refund(grant);
                // What is not taken back may well be used.
                if self.limiter.snapshot().given_back == given_back {
                    self.passed.push((passes, cells));
                }
                if takes_all {
                    self.take_all();
                }
            }
            14..=16 if self.disturbance == Disturbance::Turns => {
                let (cells, wait) = (1 + self.below(3), self.below(2_000));
                let keeps = self.below(2) == 0;
                if let Ok(turn) = self.limiter.reserve(cells, Duration::from_millis(wait.into()))
                    && (keeps || turn.wait().is_zero())
                {
                    self.kept.push((turn.keep(), self.elapsed));
                }
            }
            17 => self.take_all(),
            _ => {
                let cells = 1 + self.below(5);
                self.kept.extend(self.limiter.check_n(cells).ok().map(|grant| (grant, self.elapsed)));
            }
        }
    }

    /// Takes all that there is, and keeps it.
    fn take_all(&mut self) {
        let cells = self.limiter.take_up_to(8).cells();
        self.passed.push((self.elapsed, cells));
    }

    /// How many cells were kept.
    fn check(mut self, seed: u64) -> u32 {
        for (grant, at) in &self.kept {
            self.passed.push((at + nanos(grant.wait()), grant.cells()));
        }
        self.passed.sort_unstable();
        for (first, &(from, _)) in self.passed.iter().enumerate() {
            let mut cells = 0;
            for &(to, some) in &self.passed[first..] {
                cells += u64::from(some);
                let most = match self.algorithm {
                    Algorithm::Gcra => 8 + (to - from) * 4 / 1_000_000_000,
                    _ if to - from < 1_000_000_000 => 8,
                    _ => break,
                };
                assert!(
                    cells <= most,
                    "{:?}, {:?}, seed {seed}: {cells} passed from {from} to {to}, {most} may",
                    self.algorithm,
                    self.disturbance
                );
            }
        }
        self.passed.iter().map(|(_, cells)| cells).sum()
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).expect("short")
}

fn seeds() -> u64 {
    std::env::var("SEAWALL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1_000)
}

#[test]
fn whatever_is_done_to_a_limiter_it_keeps_no_more_than_its_limit() {
    for algorithm in lock_free().into_iter().chain([Algorithm::SlidingLog]) {
        for disturbance in [Disturbance::None, Disturbance::Turns, Disturbance::StepsBack] {
            let mut passed = 0;
            for seed in 0..seeds() {
                let mut schedule = Schedule::new(algorithm, disturbance, seed);
                (0..40).for_each(|_| schedule.step());
                passed += u64::from(schedule.check(seed));
            }
            assert!(passed > 4 * seeds(), "{algorithm:?}, {disturbance:?}: only {passed} passed");
        }
    }
}
