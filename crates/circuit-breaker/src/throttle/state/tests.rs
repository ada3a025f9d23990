//! The machine beside a model that keeps every event with its time, and compares whole numbers.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::throttle::config::Config;

/// A millisecond, in nanoseconds: short, so that a plan crosses many.
const BUCKET: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Asked,
    Accepted,
    Withdrawn,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    /// Somebody asks, and draws this word.
    Ask(u64),
    Accept,
    Withdraw,
    Advance(u64),
    StepBack(u64),
}

/// Every event there ever was, and the rules in whole numbers: k as a fraction of ten, the cap in hundredths.
struct Model {
    events: Vec<(u64, What)>,
    /// The latest time there was, which a small step back does not change.
    at: u64,
    buckets: u64,
    tenths: u128,
    cap: u128,
    minimum: u64,
}

impl Model {
    fn pass_to(&mut self, now: u64) {
        if now + self.buckets * BUCKET < self.at / BUCKET * BUCKET {
            let live = self.oldest();
            self.events.retain(|(at, _)| at / BUCKET >= live);
            self.events.iter_mut().for_each(|(at, _)| *at = now);
            self.at = now;
        }
        self.at = self.at.max(now);
    }

    /// The number of the window's oldest bucket.
    fn oldest(&self) -> u64 {
        (self.at / BUCKET + 1).saturating_sub(self.buckets)
    }

    fn count(&self, what: What) -> u64 {
        let oldest = self.oldest();
        self.events.iter().filter(|(at, kind)| *kind == what && at / BUCKET >= oldest).count() as u64
    }

    fn requests(&self) -> u64 {
        self.count(What::Asked).saturating_sub(self.count(What::Withdrawn))
    }

    /// The probability as a fraction.
    fn probability(&self) -> (u128, u128) {
        let (requests, accepts) = (u128::from(self.requests()), u128::from(self.count(What::Accepted)));
        if self.requests() < self.minimum {
            return (0, 1);
        }
        let (excess, whole) = ((10 * requests).saturating_sub(self.tenths * accepts), 10 * (requests + 1));
        if excess * 100 > self.cap * whole { (self.cap, 100) } else { (excess, whole) }
    }
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => any::<u64>().prop_map(Op::Ask),
        3 => Just(Op::Accept),
        1 => Just(Op::Withdraw),
        2 => (0..3 * BUCKET).prop_map(Op::Advance),
        1 => (0..30 * BUCKET).prop_map(Op::Advance),
        1 => (0..30 * BUCKET).prop_map(Op::StepBack),
    ];
    prop::collection::vec(op, 1..300)
}

proptest! {
    #[test]
    fn the_machine_decides_as_the_list_of_all_events_says(
        ops in ops(), buckets in 1..12_u32, tenths in 11..40_u32, cap in 1..=100_u32, minimum in 0..20_u32,
    ) {
        let config = Config::default()
            .k(f64::from(tenths) / 10.0)
            .max_rejection(f64::from(cap) / 100.0)
            .minimum_calls(minimum)
            .buckets(buckets)
            .window(Duration::from_nanos(BUCKET * u64::from(buckets)));
        let mut now = 1_000_000 * BUCKET;
        let start = Timestamp::from_nanos(now);
        let mut machine = Machine::new(Arc::new(Settings::try_from(config).expect("valid")), start);
        let mut model = Model {
            events: Vec::new(),
            at: now,
            buckets: u64::from(buckets),
            tenths: u128::from(tenths),
            cap: u128::from(cap),
            minimum: u64::from(minimum),
        };
        for op in ops {
            match op {
                Op::Advance(by) => now += by,
                Op::StepBack(by) => now -= by,
                Op::Ask(_) | Op::Accept | Op::Withdraw => {}
            }
            model.pass_to(now);
            machine.look(Timestamp::from_nanos(now));
            let counts = machine.counts();
            prop_assert_eq!((counts.requests(), counts.accepted), (model.requests(), model.count(What::Accepted)));
            let (part, whole) = model.probability();
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let exact = part as f64 / whole as f64;
            prop_assert!((machine.probability() - exact).abs() < 1e-12, "{} for {}", machine.probability(), exact);
            prop_assert_eq!(machine.probability() > 0.0, part > 0);
            let happened = match op {
                Op::Ask(random) => {
                    // Refused exactly if random / 2^64 < part / whole, but for what a float cannot tell apart.
                    let (drawn, limit) = (u128::from(random) * whole, part << 64);
                    let is_close = drawn.abs_diff(limit) < whole << 12;
                    prop_assert!(is_close || machine.chance().is_hit_by(random) == (drawn < limit));
                    Some((What::Asked, Counts { asked: 1, ..Counts::default() }))
                }
                Op::Accept => Some((What::Accepted, Counts { accepted: 1, ..Counts::default() })),
                Op::Withdraw => Some((What::Withdrawn, Counts { withdrawn: 1, ..Counts::default() })),
                Op::Advance(_) | Op::StepBack(_) => None,
            };
            if let Some((what, news)) = happened {
                model.events.push((model.at, what));
                machine.note(&news);
            }
        }
    }

    /// What lanes may count without a look changes the chance by no more than one in 128 of the counts does; requests while the
    /// chance is 0 not at all.
    #[test]
    fn a_grant_is_within_its_bound(asked in 0..100_000_u64, accepted in 0..100_000_u64, minimum in 0..2_000_u32) {
        let config = Config::default().minimum_calls(minimum);
        let mut machine = Machine::new(Arc::new(Settings::try_from(config).expect("valid")), Timestamp::ZERO);
        machine.note(&Counts { asked, accepted, ..Counts::default() });
        machine.look(Timestamp::ZERO);
        let (grant, formula) = (machine.grant(), machine.settings().formula);
        prop_assert!(grant.reliefs <= asked / 128);
        if grant.asks > asked / 128 {
            prop_assert!(machine.chance().is_never());
            prop_assert!(formula.probability(asked + grant.asks, accepted) <= 0.0);
        }
    }
}

fn machine(config: Config) -> Machine {
    Machine::new(Arc::new(Settings::try_from(config).expect("valid")), Timestamp::ZERO)
}

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_nanos(seconds * 1_000_000_000)
}

const fn asked(asked: u64) -> Counts {
    Counts { asked, accepted: 0, withdrawn: 0, refused: 0 }
}

#[test]
fn an_episode_is_told_when_it_begins_and_after_a_window_without_refusals() {
    let mut machine = machine(Config::default().minimum_calls(0));
    assert_eq!(machine.look(at(0)), None);
    machine.note(&asked(9));
    let began = machine.look(at(0)).expect("it begins");
    assert_eq!((began.change, began.requests, began.accepts, began.episode), (Change::Began, 9, 0, 1));
    assert_eq!(machine.look(at(1)), None, "it is told once");
    machine.note(&Counts { asked: 3, refused: 3, accepted: 20, withdrawn: 0 });
    assert_eq!(machine.look(at(2)), None, "the probability is 0, but only just");
    machine.note(&asked(100));
    assert_eq!(machine.look(at(3)), None, "the same episode goes on");
    assert!(machine.probability() > 0.0);
    assert_eq!(machine.look(at(20)), None, "calm since then");
    assert_eq!(machine.look(at(29)), None);
    let ended = machine.look(at(30)).expect("it ends");
    assert_eq!((ended.change, ended.refused, ended.lasted), (Change::Ended, 3, Duration::from_secs(20)));
    assert_eq!(machine.look(at(60)), None);
    assert_eq!(machine.throttling_since(), None);
}

#[test]
fn a_clock_that_steps_back_far_keeps_the_counts_for_one_window_more() {
    let mut machine = machine(Config::default());
    machine.look(at(1_000));
    machine.note(&asked(200));
    machine.look(at(1_000));
    assert!(machine.probability() > 0.9);
    machine.look(at(5));
    assert!(machine.probability() > 0.9, "nothing was forgotten");
    machine.look(at(14));
    assert_eq!(machine.counts().requests(), 200);
    machine.look(at(15));
    assert_eq!(machine.counts().requests(), 0, "nothing stays until time has caught up");
}

#[test]
fn what_is_held_by_hand_needs_no_counts_and_counting_goes_on() {
    let mut machine = machine(Config::default().minimum_calls(0));
    let began = machine.hold(Some(0.25), at(0)).expect("it begins");
    assert!((began.probability - 0.25).abs() < f64::EPSILON);
    machine.note(&asked(99));
    machine.look(at(1));
    assert!((machine.probability() - 0.25).abs() < f64::EPSILON);
    assert!(!machine.is_changed_by_relief());
    machine.hold(None, at(1));
    assert!((machine.probability() - 0.99).abs() < 1e-12);
}

#[test]
fn other_rules_keep_the_counts() {
    let mut machine = machine(Config::default().minimum_calls(0));
    machine.note(&Counts { asked: 90, accepted: 30, ..Counts::default() });
    machine.look(at(3));
    let stricter = Config::default().minimum_calls(0).k(1.5).window(Duration::from_secs(4)).buckets(4);
    machine.reconfigure(Arc::new(Settings::try_from(stricter).expect("valid")), at(5));
    assert_eq!((machine.counts().requests(), machine.counts().accepted), (90, 30));
    assert!((machine.probability() - 45.0 / 91.0).abs() < 1e-12);
    machine.look(at(8));
    assert_eq!(machine.counts().requests(), 90, "in another window all of it is of the change");
    machine.look(at(9));
    assert_eq!(machine.counts().requests(), 0);
}
