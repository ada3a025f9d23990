//! What refuses whatever either of two states refuses.

use std::time::Duration;

use proptest::prelude::*;
use seawall_rate_limit::Quota;
use seawall_rate_limit::limit::{
    Alignment, FixedWindow, Gcra, Limit, Pacer, SlidingLog, SlidingWindow, TokenSteps, Want, WarmUp, WarmUpState,
    WindowCounter,
};

use crate::config;
use crate::drive::{at, merged};
use crate::schedule::{Kinds, Scale, Schedule, scale, schedule, span};
use crate::{buckets, windows};

type Case = (Scale, Schedule, Vec<u8>, Vec<(u64, u32)>);

fn case() -> impl Strategy<Value = Case> {
    scale().prop_flat_map(|scale| {
        let probes = prop::collection::vec((span(scale), 1..=scale.limit.max(scale.burst)), 1..20);
        let kinds = Kinds { refunds: false, back: false, waits: true };
        (Just(scale), schedule(scale, scale.limit, kinds), prop::collection::vec(1..=3_u8, 1..20), probes)
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn merged_buckets_refuse_what_either_refuses((scale, schedule, shares, probes) in case()) {
        merged(&Gcra::new(buckets::quota(scale)).unwrap(), &schedule, &shares, &probes, true);
        merged(&TokenSteps::new(buckets::quota(scale)).unwrap(), &schedule, &shares, &probes, true);
    }

    #[test]
    fn merged_windows_refuse_what_either_refuses((scale, schedule, shares, probes) in case(), buckets in 1..=8_u8) {
        merged(&SlidingWindow::new(windows::quota(scale), buckets).unwrap(), &schedule, &shares, &probes, true);
        merged(&SlidingLog::new(windows::quota(scale)).unwrap(), &schedule, &shares, &probes, true);
        merged(&WindowCounter::new(windows::quota(scale)).unwrap(), &schedule, &shares, &probes, true);
        merged(&FixedWindow::new(windows::quota(scale), Alignment::default()).unwrap(), &schedule, &shares, &probes, true);
        let first_cell = FixedWindow::new(windows::quota(scale), Alignment::FirstCell).unwrap();
        merged(&first_cell, &schedule, &shares, &probes, false);
    }

    #[test]
    fn merged_pacers_refuse_what_either_refuses((scale, schedule, shares, probes) in case(), slack in 0..4_u32) {
        // Both are seen: one that was never seen has no slack, and nothing else either.
        let mut seen = schedule.clone();
        seen.steps.insert(0, crate::schedule::Step::Take { cells: 1, max_wait: 0 });
        let shares: Vec<u8> = std::iter::once(3).chain(shares).collect();
        merged(&Pacer::new(windows::quota(scale), slack).unwrap(), &seen, &shares, &probes, true);
        let warm_up = WarmUp::new(windows::quota(scale), Duration::from_micros(5), 3.0).unwrap();
        merged(&warm_up, &schedule, &shares, &probes, false);
    }
}

/// What was taken in turn: at which millisecond, and how many cells.
fn warmed(limit: &WarmUp, takes: &[(u64, u32)]) -> WarmUpState {
    let mut state = WarmUpState::default();
    for &(millis, cells) in takes {
        limit.take(&mut state, Want::now(at(millis * 1_000_000), cells)).expect("its turn has come");
    }
    state
}

/// What the next cell costs that is taken at this millisecond, in nanoseconds.
fn price(limit: &WarmUp, mut state: WarmUpState, millis: u64) -> u64 {
    let now = at(millis * 1_000_000);
    limit.take(&mut state, Want::now(now, 1)).expect("everything is paid for");
    let next = Want { now, cells: 1, max_wait: u64::MAX };
    limit.take(&mut state, next).expect("in turn").act_at.as_nanos() - now.as_nanos()
}

#[test]
fn a_merged_pacer_is_as_cold_as_the_colder_one() {
    let limit = WarmUp::new(Quota::per_second(10), Duration::from_secs(10), 3.0).expect("valid");
    // Sixty cells are paid for after 11 s, a hundred after 15.
    let [warm, warmer] = [60, 100].map(|cells| warmed(&limit, &[(0, cells)]));
    let cold = warmed(&limit, &[(10_000, 1)]);
    for (one, other, colder) in [(warm, cold, cold), (warm, warmer, warm), (cold, warmer, cold)] {
        for (mut state, other) in [(one, other), (other, one)] {
            limit.merge(&mut state, &other);
            // Half a second after the later turn, when the other has been idle for longer.
            assert_eq!(price(&limit, state, 15_500), price(&limit, colder, 15_500), "{one:?}, {other:?}");
        }
    }
    assert!(price(&limit, warmer, 15_500) < price(&limit, warm, 15_500));
}
