//! Algorithms that space calls, and pay later.

use std::time::Duration;

use proptest::prelude::*;
use seawall_rate_limit::limit::{Limit, Pacer, Want, WarmUp};

use crate::config;
use crate::drive::{Drive, Traits, at};
use crate::guarantee::paid_for;
use crate::schedule::{Kinds, Scale, Schedule, scale, schedule};
use crate::windows::quota;

fn scheduled(kinds: Kinds) -> impl Strategy<Value = (Scale, Schedule)> {
    scale().prop_flat_map(move |scale| (Just(scale), schedule(scale, scale.limit, kinds)))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_pacer_gives_no_turn_before_the_last_is_paid_for((scale, schedule) in scheduled(Kinds::ALL), slack in 0..6_u32) {
        let limit = Pacer::new(quota(scale), slack).unwrap();
        let last = scale.period.div_ceil(u64::from(scale.limit)) * u64::from(scale.limit + 1);
        let traits = Traits { pays_later: true, lock_out: last + 1, stricter_when_new: true, refunds_by_time: true };
        let mut drive = Drive::new(&limit, traits, &schedule);
        for step in &schedule.steps {
            drive.step(step);
            paid_for(&drive.kept, scale, slack);
        }
    }

    #[test]
    fn a_cold_pacer_is_never_faster_than_a_warm_one(
        (scale, schedule) in scheduled(Kinds::ALL),
        over in 1_000..20_000_u64,
        factor in prop_oneof![Just(1.0), Just(3.0), 1.0..20.0],
    ) {
        let limit = WarmUp::new(quota(scale), Duration::from_nanos(over), factor).unwrap();
        let last = f64::from(scale.limit + 1) * factor * (scale.period as f64 / f64::from(scale.limit));
        let traits = Traits { pays_later: true, lock_out: last as u64 + 2, stricter_when_new: false, refunds_by_time: true };
        let mut drive = Drive::new(&limit, traits, &schedule);
        for step in &schedule.steps {
            drive.step(step);
            paid_for(&drive.kept, scale, 0);
        }
    }

    /// Guava's own arithmetic, in permits and floating point.
    #[test]
    fn a_cold_pacer_asks_what_the_integral_says(
        (scale, schedule) in scheduled(Kinds { refunds: false, waits: true, back: false }),
        over in 1_000..20_000_u64,
        factor in prop_oneof![Just(1.0), Just(3.0), 1.0..20.0],
    ) {
        let factor: f64 = (factor * 1_000.0_f64).round() / 1_000.0;
        let limit = WarmUp::new(quota(scale), Duration::from_nanos(over), factor).unwrap();
        let traits = Traits { pays_later: true, lock_out: u64::MAX / 4, stricter_when_new: false, refunds_by_time: true };
        let mut drive = Drive::new(&limit, traits, &schedule);
        for step in &schedule.steps {
            drive.step(step);
        }
        let mut model = Guava::new(scale, over as f64, factor);
        for kept in &drive.kept {
            let turn = model.turn(kept.asked as f64, f64::from(kept.cells)).max(kept.asked as f64);
            let acted = kept.acted as f64;
            prop_assert!(acted >= turn - 0.001, "{acted} before {turn}: {:?}", drive.kept);
            prop_assert!(acted <= turn + 1.001, "{acted} after {turn}: {:?}", drive.kept);
        }
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn what_a_cold_pacer_is_given_back_at_once_was_never_taken(
        (scale, schedule) in scheduled(Kinds { refunds: false, waits: true, back: false }),
        over in 1_000..20_000_u64,
        factor in prop_oneof![Just(1.0), Just(3.0), 1.0..20.0],
        cells in 1..20_u32,
        (held, later) in (0..5_000_u64, 0..5_000_u64),
    ) {
        let limit = WarmUp::new(quota(scale), Duration::from_nanos(over), factor).unwrap();
        let traits = Traits { pays_later: true, lock_out: u64::MAX / 4, stricter_when_new: false, refunds_by_time: true };
        let mut drive = Drive::new(&limit, traits, &schedule);
        drive.run(&schedule);
        let (mut never, mut given) = (drive.state, drive.state);
        let want = |cells, after| Want { now: at(drive.clock + after), cells, max_wait: 1_000_000 };
        let Ok(taken) = limit.take(&mut given, want(cells, 0)) else { return Ok(()) };
        let warm = limit.reset_at(&given);
        limit.give_back(&mut given, taken, at(drive.clock + held));
        limit.give_back(&mut given, taken, at(drive.clock + held));
        let first = limit.take(&mut given, want(2, held + later)).unwrap().act_at;
        let never_first = limit.take(&mut never, want(2, held + later)).unwrap().act_at;
        let second = limit.take(&mut given, want(1, held + later)).unwrap().act_at;
        let never_second = limit.take(&mut never, want(1, held + later)).unwrap().act_at;
        prop_assert!(first >= never_first && second >= never_second, "{first:?} {never_first:?} {second:?} {never_second:?}");
        // Not all that was stored was used up.
        if warm.as_nanos() < taken.act_at.as_nanos() + over {
            prop_assert_eq!((first, second), (never_first, never_second));
        }
    }
}

struct Guava {
    stable: f64,
    factor: f64,
    threshold: f64,
    most: f64,
    idle: f64,
    stored: f64,
    next: f64,
}

impl Guava {
    fn new(scale: Scale, over: f64, factor: f64) -> Self {
        let stable = scale.period as f64 / f64::from(scale.limit);
        let threshold = 0.5 * over / stable;
        let most = threshold + 2.0 * over / (stable * (1.0 + factor));
        Self { stable, factor, threshold, most, idle: over / most, stored: most, next: 0.0 }
    }

    fn price(&self, above: f64) -> f64 {
        self.stable + above * self.stable * (self.factor - 1.0) / (self.most - self.threshold)
    }

    fn turn(&mut self, now: f64, cells: f64) -> f64 {
        if now > self.next {
            self.stored = self.most.min(self.stored + (now - self.next) / self.idle);
            self.next = now;
        }
        let turn = self.next;
        let spent = cells.min(self.stored);
        let above = (self.stored - self.threshold).max(0.0);
        let dear = above.min(spent);
        let cost = dear * (self.price(above) + self.price(above - dear)) / 2.0 + self.stable * (cells - dear);
        self.stored -= spent;
        self.next += cost;
        turn
    }
}
