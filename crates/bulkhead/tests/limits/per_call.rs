use seawall_bulkhead::limit::{
    Aimd, Decrease, Gradient2, Gradient2Limit, LimitAlgorithm, Sample, Scale, Signal, Vegas,
};

use crate::{Fed, at, ms};

fn aimd(initial: u32) -> Fed<impl LimitAlgorithm> {
    Fed::new(Aimd::default().initial(initial).min(1).max(100).build().expect("valid"))
}

#[test]
fn aimd_rises_by_one_in_a_round_trip_however_many_calls_end() {
    let mut fed = aimd(20);
    fed.now = at(200_000);
    assert_eq!(fed.ended(10, 20, Signal::Completed), 21);
    for _ in 0..50 {
        assert_eq!(fed.ended(10, 20, Signal::Completed), 21, "they began before");
    }
    fed.wait(9);
    assert_eq!(fed.ended(10, 20, Signal::Completed), 21, "so did this one");
    fed.wait(1);
    assert_eq!(fed.ended(10, 20, Signal::Completed), 22);
}

#[test]
fn aimd_falls_once_for_the_calls_of_one_round_trip() {
    let mut fed = aimd(40);
    assert_eq!(fed.ended(100, 40, Signal::Dropped), 36);
    fed.wait(99);
    assert_eq!(fed.ended(100, 40, Signal::Dropped), 36, "it began before the limit fell");
    fed.wait(1);
    assert_eq!(fed.ended(100, 40, Signal::Dropped), 32, "36 * 0.9 = 32.4");
}

#[test]
fn aimd_falls_although_it_has_just_risen() {
    let mut fed = aimd(40);
    assert_eq!(fed.ended(10, 40, Signal::Completed), 41);
    assert_eq!(fed.ended(10, 40, Signal::Dropped), 36, "41 * 0.9 = 36.9");
}

#[test]
fn aimd_takes_a_call_for_dropped_that_took_longer_than_its_timeout() {
    for signal in [Signal::Completed, Signal::Abandoned, Signal::Dropped] {
        assert_eq!(aimd(40).end(5_001, 40, signal), 36, "{signal:?}");
    }
    assert_eq!(aimd(40).end(5_000, 40, Signal::Completed), 41, "not longer");
    assert_eq!(aimd(40).end(5_000, 40, Signal::Abandoned), 40, "an abandoned call in time tells nothing");
}

#[test]
fn aimd_rises_only_if_half_of_it_is_in_use() {
    assert_eq!(aimd(20).end(1, 9, Signal::Completed), 20);
    assert_eq!(aimd(20).end(1, 10, Signal::Completed), 21);
    assert_eq!(aimd(21).end(1, 10, Signal::Completed), 21);
}

#[test]
fn aimd_goes_on_after_the_clock_has_stepped_back() {
    let mut fed = aimd(40);
    fed.end(10, 40, Signal::Dropped);
    fed.now = at(5_000);
    fed.ended(1, 40, Signal::Completed);
    assert_eq!(fed.end(10, 40, Signal::Completed), 37);
    assert_eq!(fed.end(10, 40, Signal::Dropped), 33);
}

fn vegas(initial: u32) -> Vegas {
    Vegas::default().initial(initial).max(10_000)
}

/// The limit after a call of this time, where the quickest took 100 ms.
fn vegas_after(vegas: Vegas, rtt: u64) -> u32 {
    let mut fed = Fed::new(vegas.build().expect("valid"));
    fed.call(100);
    fed.call(rtt)
}

#[test]
fn vegas_goes_by_the_length_of_the_queue() {
    // Of 100, whose logarithm is 2: a queue of q is seen where a call takes 100 / (1 - q / 100).
    for (rtt, limit, queue) in [
        (100, 112, "0: no queue"),
        (102, 112, "⌈1.96⌉ = 2: as good as none"),
        (103, 102, "⌈2.9⌉ = 3"),
        (105, 102, "⌈4.8⌉ = 5: below 6"),
        (106, 100, "⌈5.7⌉ = 6"),
        (113, 100, "⌈11.5⌉ = 12"),
        (114, 98, "⌈12.3⌉ = 13: above 12"),
    ] {
        assert_eq!(vegas_after(vegas(100), rtt), limit, "a queue of {queue}");
    }
}

#[test]
fn vegas_goes_by_the_numbers_that_it_is_given() {
    let given = vegas(10).alpha(Scale::Fixed(3)).beta(Scale::Fixed(6)).increase(Scale::Fixed(2));
    assert_eq!(vegas_after(given, 100), 16, "no queue: by beta");
    assert_eq!(vegas_after(given, 125), 12, "a queue of 2: by increase");
    assert_eq!(vegas_after(given.threshold(Scale::Fixed(2)), 125), 16, "a queue of 2 is as good as none");
    assert_eq!(vegas_after(given, 500), 9, "a queue of 8: by the logarithm");
    let halved = given.decrease(Decrease::To(0.5)).smoothing(0.5);
    assert_eq!(vegas_after(halved, 500), 7, "half of the way to 5");
    assert_eq!(vegas_after(given.max(14), 100), 14);
    assert_eq!(vegas_after(given.min(10), 500), 10);
}

#[test]
fn vegas_falls_on_a_drop_whatever_is_in_use_but_not_for_a_queue_of_few() {
    let mut fed = Fed::new(vegas(100).build().expect("valid"));
    fed.call(100);
    assert_eq!(fed.end(1_000, 49, Signal::Completed), 100);
    assert_eq!(fed.end(1_000, 49, Signal::Dropped), 98);
    assert_eq!(fed.end(1_000, 49, Signal::Completed), 97, "49 are half of 98, whose logarithm is 1");
}

#[test]
fn an_abandoned_call_lowers_vegas_and_never_raises_it_or_its_quickest_call() {
    let mut fed = Fed::new(vegas(100).build().expect("valid"));
    fed.call(100);
    assert_eq!(fed.end(100, 100, Signal::Abandoned), 100, "it might have waited");
    assert_eq!(fed.end(1, 100, Signal::Abandoned), 100);
    assert_eq!(fed.algorithm.min_rtt(), Some(ms(100)));
    assert_eq!(fed.end(200, 100, Signal::Abandoned), 98);
    assert_eq!(fed.end(1, 100, Signal::Dropped), 97, "of 98 the logarithm is 1");
    assert_eq!(fed.algorithm.min_rtt(), Some(ms(100)), "a refusal is quick");
}

#[test]
fn vegas_changes_once_in_a_round_trip() {
    let mut fed = Fed::new(vegas(100).build().expect("valid"));
    fed.call(100);
    assert_eq!(fed.call(100), 112);
    assert_eq!(fed.ended(100, 112, Signal::Completed), 112);
    fed.wait(200);
    assert_eq!(fed.ended(200, 112, Signal::Completed), 110);
    fed.wait(100);
    assert_eq!(fed.ended(200, 112, Signal::Completed), 110, "it began before");
    assert_eq!(fed.ended(200, 112, Signal::Dropped), 110, "so did this");
}

/// After how many calls the quickest is measured again.
fn probes(seed: u64, times: usize) -> Vec<u64> {
    let config = vegas(10).min(10).max(10).probe(10).seed(seed);
    let mut fed = Fed::new(config.build().expect("valid"));
    let (mut found, mut calls, mut rtt) = (Vec::new(), 0, 10);
    fed.call(rtt);
    while found.len() < times {
        rtt += 1;
        calls += 1;
        fed.call(rtt);
        if fed.algorithm.min_rtt() == Some(ms(rtt)) {
            found.push(calls);
            calls = 0;
        }
    }
    found
}

#[test]
fn vegas_believes_slower_calls_after_a_while_that_differs() {
    let found = probes(1, 20);
    assert!(found.iter().all(|calls| (49..=100).contains(calls)), "half of ten times ten to all: {found:?}");
    assert!(found.iter().any(|calls| *calls != found[0]), "jittered: {found:?}");
    assert_eq!(found, probes(1, 20), "and from a seed");
    assert_ne!(found, probes(2, 20));
}

fn gradient2() -> Gradient2 {
    Gradient2::default().initial(100).min(10).max(1_000)
}

#[test]
fn gradient2_goes_by_how_much_longer_a_call_takes_than_calls_did() {
    // With a long average of 100 ms over so many calls that one more does not count.
    for (rtt, limit, why) in [
        (100, 100.8, "g is 1: + 0.2 * 4"),
        (150, 100.8, "half as long again is tolerated"),
        (200, 95.8, "g is 0.75: 80 + 0.2 * (75 + 4)"),
        (300, 90.8, "g is 0.5"),
        (1_000, 90.8, "g is not below 0.5"),
    ] {
        let mut fed = Fed::new(gradient2().long_window(1_000_000).build().expect("valid"));
        // Too few in flight: only the average learns.
        (0..20).for_each(|_| {
            fed.end(100, 1, Signal::Completed);
        });
        fed.call(rtt);
        let mut limit = limit;
        assert_eq!(f64::from(fed.algorithm.limit()), f64::floor(limit), "{why}");
        // The fraction is kept: five more calls as before add a whole 4.
        for _ in 0..5 {
            limit += 0.8;
            fed.call(100);
        }
        assert_eq!(f64::from(fed.algorithm.limit()), f64::floor(limit + 1e-3), "{why}, and then");
    }
}

#[test]
fn gradient2_forgets_a_long_average_that_is_twice_too_long() {
    let mut fed = Fed::new(gradient2().long_window(1_000_000).build().expect("valid"));
    (0..10).for_each(|_| {
        fed.call(1_000);
    });
    let mut calls = 0;
    while fed.algorithm.long_rtt().expect("many calls") > ms(200) {
        fed.call(100);
        calls += 1;
    }
    // 0.95^31 is 0.204, 0.95^32 is 0.194.
    assert_eq!(calls, 32);
    (0..50).for_each(|_| {
        fed.call(100);
    });
    let long = fed.algorithm.long_rtt().expect("many calls");
    assert!(long > ms(189) && long < ms(200), "no further than to twice the time: {long:?}");
}

#[test]
fn gradient2_does_not_learn_from_calls_that_did_not_complete() {
    let mut fed = Fed::new(gradient2().build().expect("valid"));
    assert_eq!(fed.end(1_000, 100, Signal::Abandoned), 100, "nothing is known yet");
    (0..20).for_each(|_| {
        fed.end(100, 1, Signal::Completed);
    });
    assert_eq!(fed.end(1, 100, Signal::Dropped), 90);
    assert_eq!(fed.end(1, 90, Signal::Dropped), 81);
    assert_eq!(fed.end(10, 81, Signal::Abandoned), 81, "it might have taken longer");
    assert_eq!(fed.end(300, 81, Signal::Abandoned), 73, "0.8 * 81 + 0.2 * (40.5 + 4)");
    assert_eq!(fed.algorithm.long_rtt(), Some(ms(100)));
}

#[test]
fn gradient2_changes_once_in_a_round_trip() {
    let mut fed = Fed::new(gradient2().queue(50).build().expect("valid"));
    assert_eq!(fed.call(100), 110);
    assert_eq!(fed.ended(100, 110, Signal::Completed), 110);
    assert_eq!(fed.ended(100, 110, Signal::Dropped), 99);
    fed.wait(99);
    assert_eq!(fed.ended(100, 110, Signal::Dropped), 99);
    fed.wait(1);
    assert_eq!(fed.ended(100, 110, Signal::Dropped), 89);
}

/// Three calls of 100 ms with all of 100 in use: 100.8, 101.6, and half of that.
fn probing(config: Gradient2) -> Fed<Gradient2Limit> {
    let mut fed = Fed::new(config.probe(3).build().expect("valid"));
    assert_eq!([fed.call(100), fed.call(100)], [100, 101]);
    assert!(!fed.algorithm.is_measuring());
    assert_eq!(fed.call(100), 50);
    assert!(fed.algorithm.is_measuring());
    fed
}

#[test]
fn gradient2_measures_with_half_of_the_limit_what_calls_take() {
    let mut fed = probing(gradient2());
    assert_eq!(fed.call(900), 50, "the first is left out");
    assert_eq!(fed.algorithm.long_rtt(), Some(ms(100)));
    assert_eq!(fed.call(40), 101, "as before");
    assert!(!fed.algorithm.is_measuring());
    assert_eq!(fed.algorithm.long_rtt(), Some(ms(40)), "not averaged");
    // g is 0.6 of 40 · 599/601 + 100 · 2/601: 0.603; 101.6 · 0.8 + 0.2 · (61.3 + 4) is 94.3.
    assert_eq!(fed.call(100), 94);
    assert_eq!(fed.call(40), 95, "95.1");
    assert_eq!(fed.call(40), 47, "three calls since the last probe");
}

#[test]
fn gradient2_believes_a_service_that_has_become_slower_once_it_has_measured() {
    let mut fed = probing(gradient2());
    assert_eq!([fed.call(300), fed.call(300)], [50, 101]);
    assert_eq!(fed.algorithm.long_rtt(), Some(ms(300)));
    assert_eq!(fed.call(300), 102, "g is 1: 101.6 + 0.8");
}

#[test]
fn gradient2_does_not_measure_by_calls_of_more_load_or_without_need() {
    let mut fed = probing(gradient2());
    fed.wait(99);
    for _ in 0..3 {
        assert_eq!(fed.ended(100, 101, Signal::Completed), 50, "they began before");
    }
    fed.wait(1);
    assert_eq!(fed.ended(100, 101, Signal::Completed), 50, "left out");
    assert_eq!(fed.ended(100, 101, Signal::Completed), 101);

    let mut fed = Fed::new(gradient2().probe(3).build().expect("valid"));
    (0..10).for_each(|_| {
        assert_eq!(fed.end(100, 49, Signal::Completed), 100, "less than half is in use");
    });
    assert_eq!(fed.end(100, 50, Signal::Completed), 50);
    let mut fed = Fed::new(gradient2().build().expect("valid"));
    (0..1_000).for_each(|_| {
        fed.call(100);
        assert!(!fed.algorithm.is_measuring(), "nobody asked for it");
    });
}

#[test]
fn gradient2_heeds_what_goes_wrong_while_it_measures() {
    let mut fed = probing(gradient2());
    assert_eq!(fed.end(900, 50, Signal::Abandoned), 50);
    assert_eq!(fed.end(100, 50, Signal::Dropped), 45, "0.9 of 50.8");
    assert_eq!(fed.ended(100, 50, Signal::Dropped), 45, "of the same round trip");
    assert_eq!([fed.call(100), fed.call(100)], [45, 91], "0.9 of 101.6");
    let mut fed = Fed::new(gradient2().min(60).probe(1).build().expect("valid"));
    assert_eq!([fed.call(100), fed.call(100), fed.call(100)], [60, 60, 100], "not below the lowest");
}

#[test]
fn times_of_nothing_and_of_ages_lead_to_limits() {
    for rtt in [std::time::Duration::ZERO, std::time::Duration::MAX] {
        let mut vegas = vegas(100).build().expect("valid");
        let mut gradient = gradient2().build().expect("valid");
        for signal in [Signal::Completed, Signal::Dropped, Signal::Abandoned, Signal::Completed] {
            let sample = Sample::new(at(1_000), rtt, u32::MAX, signal);
            assert!((1..=10_000).contains(&vegas.on_sample(&sample)));
            assert!((10..=1_000).contains(&gradient.on_sample(&sample)));
        }
    }
}
