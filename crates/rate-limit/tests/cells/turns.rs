//! Turns that are given up, over random schedules of all that changes a limiter: what is kept is what the algorithm promises.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use seawall_core::time::{Clock, ManualTime, Timestamp};
use seawall_rate_limit::{Algorithm, Carry, Config, Grant, Quota, RateLimiter, Reservation};

use crate::guarantee::{Passed, check};
use crate::threads::{algorithms, is_pacing};

#[derive(Clone, Copy, Debug)]
enum Step {
    Advance(Duration),
    Check(u32),
    Reserve(u32, Duration),
    /// Gives a turn up, the newest or the oldest or another.
    GiveUp(prop::sample::Index),
    GiveUpLast,
    GiveUpFirst,
    Keep(prop::sample::Index),
    Refund(prop::sample::Index),
    /// The larger quota or the smaller one.
    Reconfigure(bool, Carry),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let time = prop_oneof![(0_u64..10).prop_map(|tenths| tenths * 100_000_000), 0_u64..300_000_000, 0_u64..3];
    let wait = prop_oneof![(0_u64..40).prop_map(|tenths| tenths * 100_000_000), 0_u64..10_000_000_000];
    prop_oneof![
        4 => time.prop_map(|nanos| Step::Advance(Duration::from_nanos(nanos))),
        5 => (1_u32..4).prop_map(Step::Check),
        8 => ((1_u32..4), wait).prop_map(|(cells, nanos)| Step::Reserve(cells, Duration::from_nanos(nanos))),
        3 => index().prop_map(Step::GiveUp),
        3 => Just(Step::GiveUpLast),
        2 => Just(Step::GiveUpFirst),
        2 => index().prop_map(Step::Keep),
        3 => index().prop_map(Step::Refund),
        1 => (any::<bool>(), prop_oneof![Just(Carry::AsIs), Just(Carry::Proportional)])
            .prop_map(|(large, carry)| Step::Reconfigure(large, carry)),
    ]
}

/// A limiter, who waits for a turn, and what was granted and not given back.
struct Crowd<'a> {
    limiter: &'a RateLimiter,
    algorithm: Algorithm,
    quotas: [Quota; 2],
    time: ManualTime,
    waiting: Vec<Reservation<'a>>,
    kept: Vec<(Grant, Timestamp)>,
    passed: Vec<Passed>,
}

impl<'a> Crowd<'a> {
    fn step(&mut self, step: Step) {
        let one = is_pacing(self.algorithm);
        let cells = |cells| if one { 1 } else { cells };
        match step {
            Step::Advance(by) => self.time.advance(by),
            Step::Check(some) => {
                let granted = self.limiter.check_n(cells(some)).ok();
                self.kept.extend(granted.map(|grant| (grant, self.time.now())));
            }
            Step::Reserve(some, wait) => self.waiting.extend(self.limiter.reserve(cells(some), wait)),
            Step::Reconfigure(..) if one => {}
            Step::Reconfigure(large, carry) => {
                let quota = self.quotas[usize::from(large)];
                let config = Config::new(quota).algorithm(self.algorithm).carry(carry);
                self.limiter.reconfigure(config).expect("valid");
            }
            Step::Refund(which) if !self.kept.is_empty() => {
                let given_back = self.limiter.snapshot().given_back;
                let (grant, asked) = self.kept.swap_remove(which.index(self.kept.len()));
                let (act_at, count) = (grant.act_at(), grant.cells());
                self.limiter.refund(grant);
                // What is not taken back may well be used.
                if self.limiter.snapshot().given_back == given_back {
                    self.pass(act_at.max(asked), count);
                }
            }
            Step::GiveUp(_) | Step::GiveUpLast | Step::GiveUpFirst | Step::Keep(_) if !self.waiting.is_empty() => {
                let which = match step {
                    Step::GiveUp(which) | Step::Keep(which) => which.index(self.waiting.len()),
                    Step::GiveUpLast => self.waiting.len() - 1,
                    _ => 0,
                };
                let turn = self.waiting.remove(which);
                let asked = turn.act_at();
                if matches!(step, Step::Keep(_)) {
                    self.kept.push((turn.keep(), asked));
                } else {
                    self.give_up(turn);
                }
            }
            _ => {}
        }
    }

    /// It counts as used if it was there at once or has come, or was promised under another quota.
    fn give_up(&mut self, turn: Reservation<'a>) {
        let given_back = self.limiter.snapshot().given_back;
        let (act_at, grant_cells) = (turn.act_at(), turn.cells());
        drop(turn);
        if self.limiter.snapshot().given_back == given_back {
            self.pass(act_at, grant_cells);
        }
    }

    fn pass(&mut self, at: Timestamp, cells: u32) {
        self.passed.push(Passed { from: at.as_nanos(), to: at.as_nanos(), cells });
    }

    fn finish(mut self) -> Vec<Passed> {
        for turn in std::mem::take(&mut self.waiting) {
            self.kept.push((turn.keep(), Timestamp::ZERO));
        }
        for (grant, _) in std::mem::take(&mut self.kept) {
            self.pass(grant.act_at(), grant.cells());
        }
        self.passed
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
}

#[test]
fn whoever_gives_up_makes_room_and_mints_nothing() {
    for algorithm in algorithms() {
        let quotas = match algorithm {
            Algorithm::Gcra | Algorithm::TokenSteps => [Quota::per_second(4).burst(3), Quota::per_second(4).burst(5)],
            _ => [Quota::per_second(5), Quota::per_second(5)],
        };
        let config = ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() };
        TestRunner::new(config)
            .run(&prop::collection::vec(step(), 1..80), |steps| {
                let (clock, time) = Clock::manual();
                time.advance(Duration::from_secs(7));
                let limiter =
                    RateLimiter::with_clock(Config::new(quotas[1]).algorithm(algorithm), clock).expect("valid");
                let (waiting, kept, passed) = (Vec::new(), Vec::new(), Vec::new());
                let mut crowd = Crowd { limiter: &limiter, algorithm, quotas, time, waiting, kept, passed };
                for step in steps {
                    crowd.step(step);
                }
                check(algorithm, quotas[1], &crowd.finish());
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{algorithm:?}: {error}"));
    }
}
