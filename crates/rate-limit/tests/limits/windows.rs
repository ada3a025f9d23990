//! Algorithms that count cells in windows.

use std::time::Duration;

use proptest::prelude::*;
use seawall_rate_limit::Quota;
use seawall_rate_limit::limit::{Alignment, FixedWindow, SlidingLog, SlidingWindow, WindowCounter};

use crate::config;
use crate::drive::{Drive, Traits};
use crate::guarantee::{by_span, in_any_span};
use crate::schedule::{Kinds, Scale, Schedule, Step, scale, schedule};

pub(crate) fn quota(scale: Scale) -> Quota {
    Quota::new(scale.limit, Duration::from_nanos(scale.period))
}

fn scheduled() -> impl Strategy<Value = (Scale, Schedule)> {
    scale().prop_flat_map(|scale| (Just(scale), schedule(scale, scale.limit, Kinds::ALL)))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_sliding_window_lets_no_more_than_its_limit_pass_in_any_period((scale, schedule) in scheduled(), buckets in 1..=8_u8) {
        let limit = SlidingWindow::new(quota(scale), buckets).unwrap();
        let traits = Traits::locks_out(limit.bucket() * (u64::from(buckets) + 2));
        let mut drive = Drive::new(&limit, traits, &schedule);
        for step in &schedule.steps {
            drive.step(step);
            in_any_span(&drive.kept, scale.period, u64::from(scale.limit));
        }
    }

    #[test]
    fn a_log_lets_no_more_than_its_limit_pass_in_any_period((scale, schedule) in scheduled()) {
        let limit = SlidingLog::new(quota(scale)).unwrap();
        let mut drive = Drive::new(&limit, Traits::locks_out(scale.period), &schedule);
        for step in &schedule.steps {
            drive.step(step);
            in_any_span(&drive.kept, scale.period, u64::from(scale.limit));
        }
    }

    /// What it refuses has no room: with those that were kept within the period it would be too many.
    #[test]
    fn a_log_refuses_nothing_that_there_is_room_for((scale, schedule) in scale().prop_flat_map(|scale| {
        (Just(scale), schedule(scale, scale.limit, Kinds { waits: false, refunds: true, back: false }))
    })) {
        let limit = SlidingLog::new(quota(scale)).unwrap();
        let mut drive = Drive::new(&limit, Traits::locks_out(scale.period), &schedule);
        for step in &schedule.steps {
            let before = drive.kept.len();
            let now = drive.true_time;
            let counted: u32 = drive.kept.iter().filter(|kept| kept.acted + scale.period > now).map(|kept| kept.cells).sum();
            drive.step(step);
            if let Step::Take { cells, .. } = step {
                let room = *cells > 0 && counted + cells <= scale.limit;
                prop_assert_eq!(drive.kept.len() > before, room);
            }
        }
    }

    #[test]
    fn a_fixed_window_lets_no_more_than_twice_its_limit_pass_in_any_period(
        (scale, schedule) in scheduled(),
        offset in 0..10_000_u64,
        first_cell in any::<bool>(),
    ) {
        let alignment = if first_cell { Alignment::FirstCell } else { Alignment::Clock { offset: Duration::from_nanos(offset) } };
        let limit = FixedWindow::new(quota(scale), alignment).unwrap();
        let lock_out = if first_cell { scale.period } else { 2 * scale.period };
        let mut drive = Drive::new(&limit, Traits::locks_out(lock_out), &schedule);
        for step in &schedule.steps {
            drive.step(step);
            in_any_span(&drive.kept, scale.period, 2 * u64::from(scale.limit));
            if !first_cell && !drive.stepped_back {
                let window = |at: u64| (at + scale.period - offset % scale.period) / scale.period;
                for kept in &drive.kept {
                    let same = drive.kept.iter().filter(|other| window(other.acted) == window(kept.acted));
                    prop_assert!(same.map(|kept| kept.cells).sum::<u32>() <= scale.limit);
                }
            }
        }
    }

    #[test]
    fn a_window_counter_lets_no_more_pass_than_it_says_of_any_span_within_a_period((scale, schedule) in scheduled()) {
        let limit = WindowCounter::new(quota(scale)).unwrap();
        let mut drive = Drive::new(&limit, Traits::locks_out(3 * scale.period), &schedule);
        let most = |length: u64| {
            let periods = length.div_ceil(scale.period).max(1) - 1;
            let rest = length - periods * scale.period;
            // Longer spans hold whole periods, each less than twice the limit.
            let whole = 2 * periods * u64::from(scale.limit);
            whole + u64::from(scale.limit) * (scale.period + rest) / scale.period
        };
        for step in &schedule.steps {
            drive.step(step);
            by_span(&drive.kept, most);
        }
    }

    /// The counter's own rule, from those that were kept.
    #[test]
    fn a_window_counter_takes_the_window_before_to_have_come_evenly((scale, schedule) in scale().prop_flat_map(|scale| {
        (Just(scale), schedule(scale, scale.limit, Kinds { waits: false, refunds: true, back: false }))
    })) {
        let limit = WindowCounter::new(quota(scale)).unwrap();
        let mut drive = Drive::new(&limit, Traits::locks_out(3 * scale.period), &schedule);
        for step in &schedule.steps {
            let (before, window, elapsed) = (drive.kept.len(), drive.true_time / scale.period, drive.true_time % scale.period);
            let in_window = |window: u64| {
                let kept = drive.kept.iter().filter(|kept| kept.acted / scale.period == window);
                kept.map(|kept| u64::from(kept.cells)).sum::<u64>()
            };
            let previous = window.checked_sub(1).map_or(0, in_window);
            let used = previous * (scale.period - elapsed) + in_window(window) * scale.period;
            drive.step(step);
            if let Step::Take { cells, .. } = step {
                let room = used + u64::from(*cells) * scale.period <= u64::from(scale.limit) * scale.period;
                prop_assert_eq!(drive.kept.len() > before, *cells > 0 && room);
            }
        }
    }
}
