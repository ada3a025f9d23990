//! Any time, any number of cells, any order: nothing panics, nothing overflows, a refusal changes nothing.

use std::time::Duration;

use proptest::prelude::*;
use seawall_rate_limit::Quota;
use seawall_rate_limit::limit::{
    Alignment, Carry, FixedWindow, Gcra, Limit, Pacer, SlidingLog, SlidingWindow, TokenSteps, Want, WarmUp,
    WarmUpThreshold, WarmUpThresholdState, WindowCounter,
};

use crate::config;
use crate::drive::at;

#[derive(Clone, Debug)]
enum Step {
    Take(u64, u32, u64),
    GiveBack(prop::sample::Index, u64),
    Heal(u64, u64),
    PullBack(u64),
    Merge,
    Carry(Carry, u64),
}

fn nanos() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        Just(0),
        Just(u64::MAX),
        0..5_000_u64,
        u64::MAX - 5_000..=u64::MAX,
        (0..64_u32).prop_map(|bit| 1 << bit)
    ]
}

fn cells() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), 0..4_u32, Just(u32::MAX), (0..32_u32).prop_map(|bit| 1 << bit)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let carry = prop_oneof![Just(Carry::AsIs), Just(Carry::Proportional), Just(Carry::Reset)];
    let step = prop_oneof![
        6 => (nanos(), cells(), nanos()).prop_map(|(now, cells, wait)| Step::Take(now, cells, wait)),
        2 => (any::<prop::sample::Index>(), nanos()).prop_map(|(index, now)| Step::GiveBack(index, now)),
        1 => (nanos(), nanos()).prop_map(|(now, wait)| Step::Heal(now, wait)),
        1 => nanos().prop_map(Step::PullBack),
        1 => Just(Step::Merge),
        1 => (carry, nanos()).prop_map(|(carry, now)| Step::Carry(carry, now)),
    ];
    prop::collection::vec(step, 1..30)
}

fn quota() -> impl Strategy<Value = Quota> {
    let longest = u64::try_from(Quota::LONGEST.as_nanos()).unwrap();
    let period = prop_oneof![Just(1_000), Just(longest), 1_000..=longest, (10..54_u32).prop_map(|bit| 1 << bit)];
    let limit = prop_oneof![Just(1), Just(u32::MAX), 1..=u32::MAX, (0..32_u32).prop_map(|bit| 1 << bit)];
    (limit, period).prop_map(|(limit, period)| Quota::new(limit, Duration::from_nanos(period)))
}

fn drive<L: Limit<State: PartialEq>>(old: Option<L>, new: Option<L>, steps: &[Step]) {
    let (Some(mut limit), Some(mut other_limit)) = (old, new) else { return };
    let (mut state, mut other, mut taken) = (L::State::default(), L::State::default(), Vec::new());
    for step in steps {
        match step {
            Step::Take(now, cells, max_wait) => {
                let before = state.clone();
                match limit.take(&mut state, Want { now: at(*now), cells: *cells, max_wait: *max_wait }) {
                    Ok(receipt) => {
                        assert!(receipt.act_at >= receipt.at && receipt.act_at.as_nanos() - now <= *max_wait);
                        taken.push(receipt);
                    }
                    Err(_) => assert!(state == before, "a refusal changes nothing"),
                }
            }
            Step::GiveBack(index, now) if !taken.is_empty() => {
                limit.give_back(&mut state, *index.get(&taken), at(*now));
            }
            Step::GiveBack(..) => {}
            Step::Heal(now, longest_wait) => {
                let by = limit.ahead(&state, at(*now), *longest_wait);
                limit.pull_back(&mut state, by);
            }
            Step::PullBack(by) => limit.pull_back(&mut state, *by),
            Step::Merge => {
                limit.merge(&mut state, &other);
                other = state.clone();
            }
            Step::Carry(carry, now) => {
                state = other_limit.carry(&limit, state, *carry, at(*now));
                other = other_limit.carry(&limit, other, *carry, at(*now));
                std::mem::swap(&mut limit, &mut other_limit);
            }
        }
        for now in [0, 1, 1 << 62, u64::MAX] {
            let _ = limit.remaining(&state, at(now));
        }
        let _ = limit.reset_at(&state);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_panics(
        (old, new) in (quota(), quota()),
        (burst, buckets, slack) in (cells(), 1..=8_u8, cells()),
        (offset, over, factor) in (nanos(), nanos(), 1.0..=100.0_f64),
        steps in steps(),
    ) {
        let both = |burst: bool| if burst { (old.burst(slack), new.burst(slack)) } else { (old, new) };
        let (a, b) = both(burst % 2 == 1);
        drive(Gcra::new(a).ok(), Gcra::new(b).ok(), &steps);
        drive(TokenSteps::new(a).ok(), TokenSteps::new(b).ok(), &steps);
        let (a, b) = both(false);
        drive(SlidingWindow::new(a, buckets).ok(), SlidingWindow::new(b, buckets).ok(), &steps);
        let clock = Alignment::Clock { offset: Duration::from_nanos(offset) };
        for alignment in [clock, Alignment::FirstCell] {
            drive(FixedWindow::new(a, alignment).ok(), FixedWindow::new(b, alignment).ok(), &steps);
        }
        drive(WindowCounter::new(a).ok(), WindowCounter::new(b).ok(), &steps);
        let small = |quota: Quota| SlidingLog::new(Quota::new(quota.limit() % SlidingLog::MOST + 1, quota.period())).ok();
        drive(small(a), small(b), &steps);
        drive(Pacer::new(a, slack).ok(), Pacer::new(b, slack).ok(), &steps);
        let warm_up = |quota: Quota, over: u64| {
            let limit = quota.limit().min(u32::try_from(quota.period().as_nanos()).unwrap_or(u32::MAX));
            let over = Duration::from_nanos(over).clamp(Quota::SHORTEST, Quota::LONGEST);
            WarmUp::new(Quota::new(limit, quota.period()), over, factor).ok()
        };
        drive(warm_up(a, over), warm_up(b, 5_000), &steps);
        drive(warm_up(a, u64::MAX), warm_up(b, over), &steps);
    }

    #[test]
    fn no_threshold_panics(
        (count, warm_up, factor) in (cells(), cells(), 2..=100_u32),
        calls in prop::collection::vec((nanos(), cells(), cells(), cells()), 1..20),
    ) {
        let Ok(limit) = WarmUpThreshold::new(count, warm_up, factor) else { return Ok(()) };
        let mut state = WarmUpThresholdState::default();
        for (now, cells, passed, before) in calls {
            let passes = limit.passes(&mut state, at(now), cells, passed, before);
            prop_assert!(!passes || u64::from(passed) + u64::from(cells) <= u64::from(count));
        }
    }

    /// Beyond the last tick of the clock nothing can be promised: then nothing passes.
    #[test]
    fn a_clock_that_ran_out_lets_nothing_pass(quota in quota(), now in nanos()) {
        let Ok(limit) = Gcra::new(quota) else { return Ok(()) };
        let last = u64::MAX / limit.ticks_per_nano();
        let now = now.max(last);
        let mut state = 0;
        let mut passed = 0_u64;
        while limit.take(&mut state, Want::one(at(now))).is_ok() && passed <= u64::from(limit.burst()) && passed < 20 {
            passed += 1;
        }
        prop_assert!(passed <= u64::from(limit.burst()));
        prop_assert!(passed == 0 || now == last);
    }
}
