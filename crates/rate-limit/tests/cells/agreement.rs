//! Step by step, a limiter does what its algorithm says: decisions, waits, figures, receipts, over random schedules with steps of
//! the clock and new quotas.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use seawall_core::ConfigError;
use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::limit::{
    Alignment, Carry, FixedWindow, Gcra, Limit, Pacer, Refused, SlidingLog, SlidingWindow, TokenSteps, Want, WarmUp,
    WindowCounter,
};
use seawall_rate_limit::{Algorithm, Config, Grant, Quota, RateLimiter, Reservation, Throttled};

use crate::model::{Back, Ceiling, Kind, Model, Receipt, by_itself, by_turns, empty};

/// Nothing here asks for a longer time.
const LONG: Duration = Duration::from_secs(100);

#[derive(Clone, Copy, Debug)]
enum Step {
    Advance(Duration),
    Back(Duration),
    /// As long as the last refusal said, or a nanosecond less.
    Return {
        early: bool,
    },
    Check(u32),
    UpTo(u32),
    Reserve(u32, Duration),
    /// Keeps, or drops, a reservation.
    Settle {
        which: prop::sample::Index,
        keep: bool,
    },
    Refund(prop::sample::Index),
    Reconfigure(usize, Carry),
    Reset,
}

/// Times that meet boundaries, and times that do not.
fn time() -> impl Strategy<Value = Duration> {
    let even = (0_u64..40).prop_map(|eighths| Duration::from_millis(125 * eighths));
    let odd = (0_u64..3_000_000_000).prop_map(Duration::from_nanos);
    let tiny = (0_u64..3).prop_map(Duration::from_nanos);
    prop_oneof![3 => even, 2 => odd, 2 => tiny]
}

fn step(quotas: usize) -> impl Strategy<Value = Step> {
    let carry = prop_oneof![Just(Carry::AsIs), Just(Carry::Proportional), Just(Carry::Reset)];
    prop_oneof![
        6 => time().prop_map(Step::Advance),
        1 => time().prop_map(Step::Back),
        3 => any::<bool>().prop_map(|early| Step::Return { early }),
        10 => (0_u32..9).prop_map(Step::Check),
        2 => (0_u32..9).prop_map(Step::UpTo),
        4 => ((1_u32..5), time()).prop_map(|(cells, wait)| Step::Reserve(cells, wait)),
        4 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(which, keep)| Step::Settle { which, keep }),
        4 => any::<prop::sample::Index>().prop_map(Step::Refund),
        1 => (0..quotas, carry).prop_map(|(quota, carry)| Step::Reconfigure(quota, carry)),
        1 => Just(Step::Reset),
    ]
}

struct Pair<'a, L: Limit> {
    limiter: &'a RateLimiter,
    algorithm: Algorithm,
    quotas: &'a [Quota],
    time: ManualTime,
    model: Model<L>,
    reserved: Vec<(Reservation<'a>, Receipt)>,
    granted: Vec<(Grant, Receipt)>,
    last_wait: Duration,
    given_back: u64,
}

impl<L: Limit> Pair<'_, L> {
    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Advance(by) => self.time.advance(by),
            Step::Back(by) => self.time.step_back(by),
            Step::Return { early: false } => self.time.advance(self.last_wait),
            Step::Return { early: true } => self.time.advance(self.last_wait.saturating_sub(Duration::from_nanos(1))),
            Step::Check(cells) => {
                let (ours, theirs) = (self.limiter.check_n(cells), self.want(cells, Duration::ZERO));
                let pair = self.same(ours, theirs, cells)?;
                self.granted.extend(pair);
            }
            Step::UpTo(cells) => {
                let grant = self.limiter.take_up_to(cells);
                prop_assert!(grant.cells() <= cells);
                let (left, _) = self.model.standing(self.time.now());
                // Whoever may take more than is left and pay later, takes what is left.
                let most = if self.model.kind == Kind::Locked && left > 0 { cells.min(left) } else { cells };
                let receipt = self.up_to(most);
                prop_assert_eq!(grant.cells(), receipt.taken.cells, "up to {}", cells);
                self.granted.push((grant, receipt));
            }
            Step::Reserve(cells, wait) => {
                let limiter = self.limiter;
                let ours = limiter.reserve(cells, wait);
                let theirs = self.want(cells, wait);
                match (ours, theirs) {
                    (Ok(turn), Ok(receipt)) => {
                        prop_assert_eq!(turn.act_at(), receipt.taken.act_at);
                        self.reserved.push((turn, receipt));
                    }
                    (ours, theirs) => {
                        self.same(ours.map(Reservation::keep), theirs, cells)?;
                    }
                }
            }
            Step::Settle { which, keep } if !self.reserved.is_empty() => {
                let (turn, receipt) = self.reserved.swap_remove(which.index(self.reserved.len()));
                if keep {
                    self.granted.push((turn.keep(), receipt));
                } else {
                    let now = self.time.now();
                    drop(turn);
                    // What was there at once counts as used.
                    if now <= receipt.taken.act_at && receipt.taken.act_at > receipt.taken.at {
                        self.given_back += u64::from(self.model.give_back(receipt, now));
                    }
                }
            }
            Step::Refund(which) if !self.granted.is_empty() => {
                let (grant, receipt) = self.granted.swap_remove(which.index(self.granted.len()));
                self.limiter.refund(grant);
                self.given_back += u64::from(self.model.give_back(receipt, self.time.now()));
            }
            Step::Settle { .. } | Step::Refund(_) => {}
            Step::Reconfigure(quota, carry) => {
                let quota = self.quotas[quota];
                let config = Config::new(quota).algorithm(self.algorithm).carry(carry);
                self.limiter.reconfigure(config).expect("a valid configuration");
                self.model.carry(quota, carry, self.time.now());
            }
            Step::Reset => {
                self.limiter.reset();
                self.model.reset();
            }
        }
        self.same_standing()
    }

    fn want(&mut self, cells: u32, wait: Duration) -> Result<Receipt, Refused> {
        let max_wait = u64::try_from(wait.as_nanos()).expect("short");
        self.model.take(Want { now: self.time.now(), cells, max_wait })
    }

    /// As many as there are: the most that is not refused. A pacer gives all, or none.
    fn up_to(&mut self, cells: u32) -> Receipt {
        let mut some = cells;
        loop {
            match self.want(some, Duration::ZERO) {
                Ok(receipt) => return receipt,
                Err(_) => some = self.model.standing(self.time.now()).0.min(some - 1),
            }
        }
    }

    fn same(
        &mut self,
        ours: Result<Grant, Throttled>,
        theirs: Result<Receipt, Refused>,
        cells: u32,
    ) -> Result<Option<(Grant, Receipt)>, TestCaseError> {
        let (remaining, reset_after) = self.model.standing(self.time.now());
        let reset_after = Duration::from_nanos(reset_after);
        match (ours, theirs) {
            (Ok(grant), Ok(receipt)) => {
                prop_assert_eq!((grant.cells(), grant.act_at()), (receipt.taken.cells, receipt.taken.act_at));
                prop_assert_eq!((grant.remaining(), grant.reset_after()), (remaining, reset_after));
                Ok(Some((grant, receipt)))
            }
            (Err(throttled), Err(refused)) => {
                let retry_after = match refused {
                    Refused::Later { retry_after } => Some(Duration::from_nanos(retry_after)),
                    Refused::Never => None,
                };
                prop_assert_eq!((throttled.retry_after(), throttled.cells()), (retry_after, cells));
                prop_assert_eq!((throttled.remaining(), throttled.reset_after()), (remaining, reset_after));
                self.last_wait = retry_after.unwrap_or_default().min(LONG);
                Ok(None)
            }
            (ours, theirs) => {
                let theirs = theirs.map(|receipt| receipt.taken);
                Err(TestCaseError::fail(format!("the limiter says {ours:?}, the algorithm {theirs:?}")))
            }
        }
    }

    fn same_standing(&mut self) -> Result<(), TestCaseError> {
        let snapshot = self.limiter.snapshot();
        prop_assert_eq!(snapshot.given_back, self.given_back);
        // A look changes nothing, also where a call would bring back a state that the clock has left behind.
        let looked = (snapshot.remaining, snapshot.reset_after);
        prop_assert_eq!(looked, {
            let now = self.limiter.snapshot();
            (now.remaining, now.reset_after)
        });
        let peeked = self.limiter.peek();
        self.want(0, Duration::ZERO).expect("it takes nothing");
        let (remaining, reset_after) = self.model.standing(self.time.now());
        prop_assert_eq!((peeked.remaining(), peeked.reset_after()), (remaining, Duration::from_nanos(reset_after)));
        Ok(())
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(160)
}

/// Of which steps schedules are made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    All,
    /// The clock does not step back.
    Forward,
}

impl Steps {
    fn of(self, step: Step) -> Option<Step> {
        match (self, step) {
            (Self::Forward, Step::Back(_)) => None,
            _ => Some(step),
        }
    }
}

/// Runs random schedules over a limiter and its model; the first of `quotas` holds in the beginning.
fn agree<L: Limit>(
    algorithm: Algorithm,
    kind: Kind,
    quotas: &[Quota],
    which: Steps,
    make: fn(Quota) -> Result<L, ConfigError>,
) {
    agree_giving_back(algorithm, kind, quotas, which, make, (by_itself, None));
}

/// The same with another way to give back than the algorithm's own.
fn agree_giving_back<L: Limit>(
    algorithm: Algorithm,
    kind: Kind,
    quotas: &[Quota],
    which: Steps,
    make: fn(Quota) -> Result<L, ConfigError>,
    (back, ceiling): (Back<L>, Option<Ceiling<L>>),
) {
    let config = ProptestConfig {
        cases: cases(),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/cells/regressions.txt"))),
        ..ProptestConfig::default()
    };
    let steps = prop::collection::vec(step(quotas.len()), 1..120);
    let started = time();
    TestRunner::new(config)
        .run(&(started, steps), |(started, steps)| {
            let (clock, time) = Clock::manual();
            time.advance(started);
            let config = Config::new(quotas[0]).algorithm(algorithm);
            let limiter = RateLimiter::with_clock(config, clock).expect("a valid configuration");
            let mut model = Model::new(quotas[0], kind, make, back);
            model.ceiling = ceiling;
            let mut pair = Pair {
                limiter: &limiter,
                algorithm,
                quotas,
                time,
                model,
                reserved: Vec::new(),
                granted: Vec::new(),
                last_wait: Duration::ZERO,
                given_back: 0,
            };
            for (place, step) in steps.into_iter().enumerate() {
                let Some(step) = which.of(step) else { continue };
                pair.step(step).map_err(|error| TestCaseError::fail(format!("step {place}, {step:?}: {error}")))?;
            }
            // Reservations that are left behind are given back in no particular order: that is not looked at.
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{algorithm:?}: {error}"));
}

const SECOND: Duration = Duration::from_secs(1);

/// With intervals of whole nanoseconds, and with others.
fn quotas() -> [Quota; 4] {
    [
        Quota::per_second(5),
        Quota::new(3, SECOND),
        Quota::new(8, 2 * SECOND),
        Quota::new(1, Duration::from_nanos(1_000_003)),
    ]
}

#[test]
fn a_sliding_window() {
    let make = |quota| SlidingWindow::new(quota, 8);
    agree(Algorithm::sliding_window(), Kind::Window, &quotas(), Steps::All, make);
    agree(Algorithm::SlidingWindow { buckets: 1 }, Kind::Window, &quotas(), Steps::All, |quota| {
        SlidingWindow::new(quota, 1)
    });
    agree(Algorithm::SlidingWindow { buckets: 3 }, Kind::Window, &quotas(), Steps::All, |quota| {
        SlidingWindow::new(quota, 3)
    });
}

#[test]
fn a_token_bucket_in_one_word() {
    let with_burst = [Quota::per_second(5).burst(7), Quota::new(8, 2 * SECOND).burst(2), Quota::per_second(20)];
    // The cell keeps its ticks for life, so the model's quotas are made alike.
    let alike = |quota| Gcra::new(Quota::per_second(5))?.alike(quota);
    // The cell knows which turns are to come, and gives back more of them than the algorithm by itself.
    agree_giving_back(Algorithm::Gcra, Kind::Word, &with_burst, Steps::Forward, alike, (by_turns, Some(empty)));
    agree_giving_back(Algorithm::Gcra, Kind::Word, &quotas(), Steps::Forward, alike, (by_turns, Some(empty)));
    // Steps of the clock are told in whole nanoseconds: the interval is one, so that nothing is rounded.
    let one = [Quota::per_second(5).burst(4)];
    agree_giving_back(Algorithm::Gcra, Kind::Word, &one, Steps::All, Gcra::new, (by_turns, Some(empty)));
}

#[test]
fn what_is_kept_under_a_lock() {
    agree(Algorithm::SlidingLog, Kind::Locked, &quotas(), Steps::All, SlidingLog::new);
    agree(Algorithm::WindowCounter, Kind::Locked, &quotas(), Steps::All, WindowCounter::new);
    agree(Algorithm::fixed_window(), Kind::Locked, &quotas(), Steps::All, |quota| {
        FixedWindow::new(quota, Alignment::Clock { offset: Duration::ZERO })
    });
    let first = Algorithm::FixedWindow { alignment: Alignment::FirstCell };
    agree(first, Kind::Locked, &quotas(), Steps::All, |quota| FixedWindow::new(quota, Alignment::FirstCell));
    agree(Algorithm::TokenSteps, Kind::Locked, &quotas(), Steps::All, TokenSteps::new);
    agree(Algorithm::warm_up(2 * SECOND), Kind::Locked, &quotas(), Steps::All, |quota| {
        WarmUp::new(quota, 2 * SECOND, 3.0)
    });
    agree(Algorithm::Pacer { slack: 2 }, Kind::Locked, &quotas(), Steps::All, |quota| Pacer::new(quota, 2));
}
