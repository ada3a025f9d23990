//! What refuses whatever either of two states refuses.

use std::time::Duration;

use proptest::prelude::*;
use seawall_rate_limit::limit::{
    Alignment, FixedWindow, Gcra, Pacer, SlidingLog, SlidingWindow, TokenSteps, WarmUp, WindowCounter,
};

use crate::config;
use crate::drive::merged;
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
