//! What becomes of a state when its quota is replaced.

use std::time::Duration;

use proptest::prelude::*;
use seawall_rate_limit::Quota;
use seawall_rate_limit::limit::{
    Alignment, Carry, FixedWindow, Gcra, Limit, Pacer, SlidingLog, SlidingWindow, TokenSteps, WarmUp, WindowCounter,
};

use crate::config;
use crate::drive::{Drive, Kept, Traits, at};
use crate::guarantee::{bucket, by_span, in_any_span, paid_for};
use crate::schedule::{Kinds, Scale, Schedule, scale, schedule};
use crate::{buckets, windows};

const ANY: u64 = u64::MAX / 4;

#[derive(Clone, Debug)]
struct Case {
    old: Scale,
    before: Schedule,
    new: Scale,
    after: Schedule,
    carry: Carry,
}

fn case() -> impl Strategy<Value = Case> {
    let half = || {
        let kinds = Kinds { back: false, ..Kinds::ALL };
        scale().prop_flat_map(move |scale| (Just(scale), schedule(scale, scale.limit, kinds)))
    };
    let carry = prop_oneof![Just(Carry::AsIs), Just(Carry::Proportional), Just(Carry::Reset)];
    (half(), half(), carry).prop_map(|((old, mut before), (new, after), carry)| {
        before.longest_wait = before.longest_wait.max(after.longest_wait);
        Case { old, before, new, after, carry }
    })
}

/// What was kept before and after the quota was replaced.
fn replaced<L: Limit<State: PartialEq>>(case: &Case, old: &L, new: &L, traits: Traits) -> (Vec<Kept>, Vec<Kept>) {
    let mut before = Drive::new(old, traits, &case.before);
    before.run(&case.before);
    let mut after = Drive::new(new, traits, &Schedule { longest_wait: ANY, ..case.after.clone() });
    (after.clock, after.true_time) = (before.clock, before.true_time);
    after.state = new.carry(old, before.state.clone(), case.carry, at(before.clock));
    after.run(&case.after);
    if case.carry == Carry::Reset {
        let fresh = new.carry(old, before.state.clone(), Carry::Reset, at(before.clock));
        let burst = new.remaining(&L::State::default(), at(before.clock));
        assert_eq!(new.remaining(&fresh, at(before.clock)), burst, "everybody begins anew");
    }
    // The same quota is no change.
    for carry in [Carry::AsIs, Carry::Proportional] {
        let same = old.carry(old, before.state.clone(), carry, at(before.clock));
        for later in [0, 1, 100, 333, 700, 1_000, 1_500, 2_000, 4_000, 10_000] {
            let now = at(before.clock + later);
            assert_eq!(old.remaining(&same, now), old.remaining(&before.state, now), "{same:?} {:?}", before.state);
        }
    }
    (before.kept, after.kept)
}

fn cells(kept: &[Kept]) -> u64 {
    kept.iter().map(|kept| u64::from(kept.cells)).sum()
}

/// Where what was counted is still counted, old and new together are no more than the new limit when a new one passes.
fn together(case: &Case, before: &[Kept], after: &[Kept]) {
    if case.carry != Carry::AsIs || case.new.period > case.old.period {
        return;
    }
    for (count, last) in after.iter().enumerate() {
        let counts = |kept: &&Kept| kept.acted <= last.acted && kept.acted + case.new.period > last.acted;
        let old: Vec<Kept> = before.iter().filter(counts).cloned().collect();
        let new: Vec<Kept> = after[..=count].iter().filter(counts).cloned().collect();
        let used = cells(&old) + cells(&new);
        assert!(used <= u64::from(case.new.limit), "{used} cells in {case:?}: {old:?} {new:?}");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_bucket_carries_what_it_owes(case in case()) {
        let limit = |scale| Gcra::new(buckets::quota(scale)).unwrap();
        let (_, kept) = replaced(&case, &limit(case.old), &limit(case.new), Traits::locks_out(ANY));
        bucket(&kept, case.new);
    }

    #[test]
    fn a_stepped_bucket_carries_what_it_owes(case in case()) {
        let limit = |scale| TokenSteps::new(buckets::quota(scale)).unwrap();
        let (_, kept) = replaced(&case, &limit(case.old), &limit(case.new), Traits::locks_out(ANY));
        let most = |length: u64| u64::from(case.new.burst) + u64::from(case.new.limit) * length.div_ceil(case.new.period);
        by_span(&kept, most);
    }

    #[test]
    fn a_sliding_window_carries_what_it_counts(case in case(), buckets in 1..=8_u8) {
        let limit = |scale| SlidingWindow::new(windows::quota(scale), buckets).unwrap();
        let (before, after) = replaced(&case, &limit(case.old), &limit(case.new), Traits::locks_out(ANY));
        in_any_span(&after, case.new.period, u64::from(case.new.limit));
        together(&case, &before, &after);
    }

    #[test]
    fn a_log_carries_what_it_counts(case in case()) {
        let limit = |scale| SlidingLog::new(windows::quota(scale)).unwrap();
        let (before, after) = replaced(&case, &limit(case.old), &limit(case.new), Traits::locks_out(ANY));
        in_any_span(&after, case.new.period, u64::from(case.new.limit));
        together(&case, &before, &after);
    }

    #[test]
    fn other_windows_carry_what_they_count(case in case(), first_cell in any::<bool>()) {
        let alignment = if first_cell { Alignment::FirstCell } else { Alignment::default() };
        let limit = |scale| FixedWindow::new(windows::quota(scale), alignment).unwrap();
        let (_, kept) = replaced(&case, &limit(case.old), &limit(case.new), Traits::locks_out(ANY));
        in_any_span(&kept, case.new.period, 2 * u64::from(case.new.limit));
        let limit = |scale| WindowCounter::new(windows::quota(scale)).unwrap();
        let (_, kept) = replaced(&case, &limit(case.old), &limit(case.new), Traits::locks_out(ANY));
        in_any_span(&kept, case.new.period, 2 * u64::from(case.new.limit));
    }

    #[test]
    fn pacers_carry_what_is_owed(case in case(), slack in 0..5_u32) {
        let limit = |scale| Pacer::new(windows::quota(scale), slack).unwrap();
        let traits = Traits { pays_later: true, lock_out: ANY, stricter_when_new: true, refunds_by_time: true };
        let (_, kept) = replaced(&case, &limit(case.old), &limit(case.new), traits);
        paid_for(&kept, case.new, slack);
        let limit = |scale| WarmUp::new(windows::quota(scale), Duration::from_micros(4), 3.0).unwrap();
        let (_, kept) = replaced(&case, &limit(case.old), &limit(case.new), Traits { stricter_when_new: false, ..traits });
        paid_for(&kept, case.new, 0);
    }
}

#[test]
fn a_raised_limit_adds_what_it_adds_and_a_lowered_one_takes_it() {
    let limit = |limit| FixedWindow::new(Quota::new(limit, Duration::from_secs(9)), Alignment::FirstCell).unwrap();
    let mut state = <FixedWindow as Limit>::State::default();
    let mut old = limit(100);
    for (new, remaining) in [(100, 99), (100, 98), (10, 7), (10, 6), (200, 195)] {
        state = limit(new).carry(&old, state, Carry::AsIs, at(0));
        old = limit(new);
        old.take(&mut state, seawall_rate_limit::limit::Want::one(at(0))).unwrap();
        assert_eq!(old.remaining(&state, at(0)), remaining);
    }
}
