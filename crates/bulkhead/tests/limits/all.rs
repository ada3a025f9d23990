//! What holds for every algorithm, whatever the calls.

use std::time::Duration;

use proptest::prelude::*;
use seawall_bulkhead::limit::stats::Summary;
use seawall_bulkhead::limit::{
    Adaptive, Aimd, Correlation, Gradient, Gradient2, LimitAlgorithm, PerCall, Sample, Signal, Vegas, Windowed,
};
use seawall_core::time::Timestamp;

use crate::models::{Call, calls, signal};
use crate::{at, ms};

const MIN: u32 = 5;
const MAX: u32 = 120;

fn per_call() -> [PerCall; 4] {
    [
        Aimd::default().initial(40).min(MIN).max(MAX).into(),
        Vegas::default().initial(40).min(MIN).max(MAX).probe(2).into(),
        Gradient2::default().initial(40).min(MIN).max(MAX).queue(30).smoothing(0.7).into(),
        Gradient2::default().initial(40).min(MIN).max(MAX).queue(30).probe(4).into(),
    ]
}

/// Every algorithm, and those that can be windowed with both summaries. Measurements of a quiet time come too late to be seen.
fn all() -> Vec<Adaptive> {
    let windowed =
        |inner: PerCall, summary| Windowed::new(inner).window(ms(20)).longest(ms(60)).min_samples(2).summary(summary);
    let mut all: Vec<Adaptive> = per_call().into_iter().map(Adaptive::from).collect();
    for inner in per_call() {
        all.push(windowed(inner, Summary::Average).into());
        all.push(windowed(inner, Summary::Percentile(0.9)).into());
        all.push(windowed(inner, Summary::Average).max_dropped(0.5).into());
    }
    all.push(Gradient::default().min(MIN).max(MAX).window(ms(20)).probe_calls(2).probe_every(ms(99_999_999)).into());
    let correlation =
        Correlation::default().initial(40).min(MIN).max(MAX).window(ms(20)).longest(ms(60)).min_samples(2);
    all.push(correlation.into());
    all.push(correlation.stabilization(ms(300)).factor_decay(1.0).median(1).into());
    all
}

fn wild() -> impl Strategy<Value = Vec<Sample>> {
    let nanos = || prop_oneof![Just(0), Just(u64::MAX), 0_u64..2_000_000_000, any::<u64>()];
    let rtt = prop_oneof![nanos().prop_map(Duration::from_nanos), Just(Duration::MAX)];
    let in_flight = prop_oneof![Just(0), Just(u32::MAX), 0_u32..200, any::<u32>()];
    let sample = (nanos(), rtt, in_flight, signal());
    let sample = sample
        .prop_map(|(now, rtt, in_flight, signal)| Sample::new(Timestamp::from_nanos(now), rtt, in_flight, signal));
    prop::collection::vec(sample, 1..100)
}

fn samples(calls: &[Call], algorithm: &mut dyn LimitAlgorithm) -> Vec<(Sample, u32, u32)> {
    let mut now = at(10_000);
    let mut seen = Vec::new();
    for call in calls {
        now = now + ms(call.pause);
        let before = algorithm.limit();
        let sample = call.sample(now, before);
        seen.push((sample, before, algorithm.on_sample(&sample)));
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_limit_stays_within_its_bounds_whatever_the_samples(wild in wild()) {
        for config in all() {
            let mut algorithm = config.build().expect("valid");
            for sample in &wild {
                let limit = algorithm.on_sample(sample);
                prop_assert!((MIN..=MAX).contains(&limit), "{limit} of {config:?}");
                prop_assert_eq!(limit, algorithm.limit());
                prop_assert!((MIN..=MAX).contains(&algorithm.on_tick(sample.at)));
            }
            // And it can still be moved: nothing has become a number that stays.
            let mut now = wild.iter().map(|sample| sample.at).max().expect("one").as_nanos().min(1 << 62);
            let limits: Vec<u32> = (0..400).map(|_| {
                now += 100_000_000;
                let sample = Sample::new(Timestamp::from_nanos(now), ms(1), 200, Signal::Dropped);
                algorithm.on_sample(&sample)
            }).collect();
            prop_assert_eq!(limits[399], MIN, "{:?}", config);
        }
    }

    #[test]
    fn the_same_samples_give_the_same_limits(calls in calls(150)) {
        for config in all() {
            let (mut one, mut other) = (config.build().expect("valid"), config.build().expect("valid"));
            let seen = samples(&calls, &mut one);
            for (sample, before, after) in seen {
                prop_assert_eq!(other.limit(), before);
                prop_assert_eq!(other.on_sample(&sample), after, "{:?}", config);
            }
        }
    }

    #[test]
    fn a_limit_that_is_not_used_is_not_raised(used in calls(100), idle in calls(100)) {
        for config in all() {
            let mut algorithm = config.build().expect("valid");
            let seen = samples(&used, &mut algorithm);
            let mut now = seen.last().expect("one").0.at + ms(1_000);
            // What is under way is told first: a window that is not over, and a measurement, after which the limit is what it was.
            for _ in 0..10 {
                now = now + ms(100);
                algorithm.on_sample(&Sample::new(now, ms(1), 0, Signal::Completed));
            }
            let mut limit = algorithm.limit();
            for call in &idle {
                now = now + ms(call.pause);
                // Less than half of the lowest limit.
                let sample = Sample::new(now, ms(call.rtt), (MIN - 1) / 2, call.signal);
                let after = algorithm.on_sample(&sample);
                prop_assert!(after <= limit, "{limit} to {after}: {config:?}");
                limit = after;
            }
        }
    }

    #[test]
    fn a_limit_falls_once_for_the_calls_of_a_round_trip(calls in calls(200)) {
        for config in per_call() {
            let mut algorithm = config.build().expect("valid");
            let mut lowered = Timestamp::ZERO;
            for (sample, before, after) in samples(&calls, &mut algorithm) {
                if after < before {
                    prop_assert!(sample.began() >= lowered, "{sample:?} after {lowered:?}: {config:?}");
                    lowered = sample.at;
                }
            }
        }
    }

    #[test]
    fn two_falls_are_a_round_trip_apart(calls in calls(300), rtt in 1_u64..400) {
        for config in all() {
            let mut algorithm = config.build().expect("valid");
            let alike: Vec<Call> = calls.iter().map(|call| Call { rtt, ..*call }).collect();
            let mut lowered = None;
            for (sample, before, after) in samples(&alike, &mut algorithm) {
                if after < before {
                    let apart = lowered.is_none_or(|then| sample.at >= then + ms(rtt));
                    prop_assert!(apart, "{lowered:?} and {:?}, {rtt} ms: {config:?}", sample.at);
                    lowered = Some(sample.at);
                }
            }
        }
    }

    #[test]
    fn an_abandoned_call_never_raises_a_limit(calls in calls(200)) {
        for config in per_call() {
            let mut algorithm = config.build().expect("valid");
            for (sample, before, after) in samples(&calls, &mut algorithm) {
                prop_assert!(sample.signal != Signal::Abandoned || after <= before, "{sample:?}: {config:?}");
            }
        }
        for config in all() {
            let mut algorithm = config.build().expect("valid");
            let abandoned: Vec<Call> = calls.iter().map(|call| Call { signal: Signal::Abandoned, ..*call }).collect();
            for (_, before, after) in samples(&abandoned, &mut algorithm) {
                prop_assert!(after <= before, "{config:?}");
            }
        }
    }
}
