//! Token buckets, and what can be given back to them.

use std::time::Duration;

use proptest::prelude::*;
use seawall_rate_limit::Quota;
use seawall_rate_limit::limit::{Gcra, Limit, TokenSteps, Turns, Want};

use crate::config;
use crate::drive::{Drive, Traits, at};
use crate::guarantee::{bucket, by_span};
use crate::schedule::{Kinds, Scale, Schedule, Step, scale, schedule};

pub(crate) fn quota(scale: Scale) -> Quota {
    Quota::new(scale.limit, Duration::from_nanos(scale.period)).burst(scale.burst)
}

fn scheduled(kinds: Kinds) -> impl Strategy<Value = (Scale, Schedule)> {
    scale().prop_flat_map(move |scale| (Just(scale), schedule(scale, scale.burst, kinds)))
}

fn gcra(scale: Scale, schedule: &Schedule) {
    let limit = Gcra::new(quota(scale)).unwrap();
    let lock_out = limit.nanos(limit.capacity());
    let mut drive = Drive::new(&limit, Traits { refunds_by_time: true, ..Traits::locks_out(lock_out) }, schedule);
    for step in &schedule.steps {
        drive.step(step);
        bucket(&drive.kept, scale);
    }
}

fn steps_traits(scale: Scale) -> Traits {
    let lock_out = scale.period * (u64::from(scale.burst.div_ceil(scale.limit)) + 2);
    Traits { refunds_by_time: true, ..Traits::locks_out(lock_out) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_kept_of_a_bucket_would_have_passed_without_the_rest((scale, schedule) in scheduled(Kinds::FORWARD)) {
        gcra(scale, &schedule);
    }

    #[test]
    fn what_is_kept_of_a_bucket_would_have_passed_whatever_the_clock_does((scale, schedule) in scheduled(Kinds::ALL)) {
        gcra(scale, &schedule);
    }

    #[test]
    fn what_is_kept_of_immediate_grants_would_have_passed((scale, schedule) in scheduled(Kinds { waits: false, ..Kinds::FORWARD })) {
        gcra(scale, &schedule);
    }

    #[test]
    fn a_stepped_bucket_lets_no_more_pass_than_a_whole_one_and_its_steps((scale, schedule) in scheduled(Kinds::ALL)) {
        let limit = TokenSteps::new(quota(scale)).unwrap();
        let mut drive = Drive::new(&limit, steps_traits(scale), &schedule);
        for step in &schedule.steps {
            drive.step(step);
            let most = |length: u64| u64::from(scale.burst) + u64::from(scale.limit) * length.div_ceil(scale.period);
            by_span(&drive.kept, most);
        }
    }

    /// Exactly as if the rest had never been asked for.
    #[test]
    fn what_is_kept_of_a_stepped_bucket_would_have_passed_without_the_rest((scale, schedule) in scheduled(Kinds::FORWARD)) {
        let limit = TokenSteps::new(quota(scale)).unwrap();
        let mut drive = Drive::new(&limit, steps_traits(scale), &schedule);
        for step in &schedule.steps {
            drive.step(step);
            let (mut last, mut missing) = (0, 0_u64);
            for kept in &drive.kept {
                let now = kept.asked / scale.period;
                missing = missing.saturating_sub((now - last) * u64::from(scale.limit)) + u64::from(kept.cells);
                last = now;
                // Whoever waits gets of a refill before the rest of it is capped.
                let steps = missing.saturating_sub(u64::from(scale.burst)).div_ceil(u64::from(scale.limit));
                prop_assert!(kept.acted / scale.period >= now + steps, "{kept:?} before step {}", now + steps);
            }
        }
    }

    #[test]
    fn what_is_kept_of_a_bucket_whose_turns_are_known_would_have_passed((scale, schedule) in scheduled(Kinds::FORWARD)) {
        let limit = Gcra::new(quota(scale)).unwrap();
        let (mut state, mut turns, mut now, mut kept) = (0, Turns::default(), schedule.start, Vec::new());
        for step in &schedule.steps {
            match step {
                Step::Take { cells, max_wait } => {
                    let want = Want { now: at(now), cells: *cells, max_wait: *max_wait };
                    let Ok(taken) = limit.take(&mut state, want) else { continue };
                    if taken.act_at > taken.at {
                        turns.last = turns.last.max(limit.ticks(taken.act_at));
                    }
                    kept.push(taken);
                }
                Step::GiveBack(index) if !kept.is_empty() => {
                    let taken = kept.remove(index.index(kept.len()));
                    let (back, known) = limit.refundable_by_turns(state, &taken, limit.ticks(at(now)), turns);
                    prop_assert!(back <= u64::from(taken.cells) * limit.interval());
                    (state, turns) = (state - back, known);
                }
                Step::Forward(span) => now += span,
                _ => {}
            }
            let mut order: Vec<_> = kept.iter().map(|taken| (taken.act_at.as_nanos(), u64::from(taken.cells))).collect();
            order.sort_unstable();
            let mut full = 0;
            for (acted, cells) in order {
                full = full.max(acted * u64::from(scale.limit)) + cells * scale.period;
                let most = u64::from(scale.burst) * scale.period + u64::from(scale.limit);
                prop_assert!(full - acted * u64::from(scale.limit) <= most, "{kept:?}");
            }
        }
    }
}
