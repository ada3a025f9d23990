use seawall_bulkhead::limit::{Gradient, GradientLimit, LimitAlgorithm, Signal};

use crate::{Fed, at, ms};

fn config() -> Gradient {
    Gradient::default().probe_calls(5).jitter(0.0).min(3)
}

/// What calls take with little load is known to be 100 ms.
fn measured(config: Gradient) -> Fed<GradientLimit> {
    let mut fed = Fed::new(config.build().expect("valid"));
    (0..config.probe_calls).for_each(|_| {
        fed.call(100);
    });
    assert_eq!(fed.algorithm.min_rtt(), Some(ms(100)));
    fed
}

/// A window in which calls take so long.
fn window(fed: &mut Fed<GradientLimit>, rtts: &[u64]) -> u32 {
    let in_flight = fed.algorithm.limit();
    for rtt in rtts {
        fed.ended(*rtt, in_flight, Signal::Completed);
    }
    fed.wait(100)
}

/// A limit that was raised to at least this.
fn raised(config: Gradient, to: u32) -> Fed<GradientLimit> {
    let mut fed = measured(config);
    while fed.algorithm.limit() < to {
        window(&mut fed, &[100]);
    }
    fed
}

#[test]
fn it_begins_by_measuring_with_the_least_limit() {
    let mut fed = Fed::new(config().build().expect("valid"));
    assert!(fed.algorithm.is_measuring());
    for rtt in [50, 10, 30, 20] {
        assert_eq!(fed.call(rtt), 3);
        assert_eq!(fed.algorithm.min_rtt(), None);
    }
    fed.call(40);
    assert!(!fed.algorithm.is_measuring());
    assert_eq!(fed.algorithm.min_rtt(), Some(ms(30)), "the median");
}

#[test]
fn a_window_multiplies_the_limit_and_adds_its_root() {
    let mut fed = measured(config().buffer(0.0));
    // 3 + √3, 4 + √4, 6 + √6
    assert_eq!([100; 3].map(|rtt| window(&mut fed, &[rtt])), [4, 6, 8]);
    assert_eq!(window(&mut fed, &[50]), 20, "twice as much and its root: 16 + 4");
    assert_eq!(window(&mut fed, &[1]), 46, "no more than twice: 40 + 6.3");
    assert_eq!(window(&mut fed, &[200]), 27, "half: 23 + 4.8");
    fed.wait(1_000);
    assert_eq!(window(&mut fed, &[900]), 17, "no less than half: 13.5 + 3.7");
}

#[test]
fn the_buffer_lets_calls_take_longer() {
    let mut fed = raised(config().buffer(0.5), 100);
    let before = fed.algorithm.limit();
    let after = window(&mut fed, &[150]);
    assert_eq!(f64::from(after), (f64::from(before) + f64::from(before).sqrt()).floor());
}

#[test]
fn a_percentile_stands_for_the_window() {
    let mut fed = raised(config().percentile(0.9), 100);
    window(&mut fed, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 500]);
    assert_eq!(fed.algorithm.sample_rtt(), Some(ms(9)));
}

#[test]
fn a_window_without_calls_changes_nothing() {
    let mut fed = raised(config(), 50);
    let limit = fed.algorithm.limit();
    for _ in 0..20 {
        assert_eq!(fed.wait(101), limit);
    }
}

#[test]
fn a_limit_of_which_less_than_half_is_used_does_not_rise() {
    let mut fed = raised(config(), 50);
    let limit = fed.algorithm.limit();
    for _ in 0..10 {
        fed.ended(100, (limit - 1) / 2, Signal::Completed);
        assert_eq!(fed.wait(100), limit);
    }
    fed.ended(100, limit.div_ceil(2), Signal::Completed);
    assert!(fed.wait(100) > limit);
}

#[test]
fn it_falls_once_in_the_time_that_calls_take() {
    let mut fed = raised(config(), 200);
    let limit = fed.algorithm.limit();
    let lower = window(&mut fed, &[1_000]);
    assert!(lower < limit);
    for _ in 0..9 {
        assert_eq!(window(&mut fed, &[1_000]), lower, "less than a second has passed");
    }
    assert!(window(&mut fed, &[1_000]) < lower);
}

#[test]
fn it_measures_again_and_then_is_what_it_was() {
    let mut fed = raised(config().probe_every(ms(30_000)), 50);
    let limit = fed.algorithm.limit();
    assert_eq!(fed.wait(30_000), 3);
    assert!(fed.algorithm.is_measuring());
    for _ in 0..20 {
        assert_eq!(fed.ended(1, 3, Signal::Completed), 3, "it began before");
    }
    for _ in 0..20 {
        assert_eq!(fed.end(10, 3, Signal::Abandoned), 3, "it did not complete");
        assert_eq!(fed.end(10, 3, Signal::Dropped), 3, "nor did this");
    }
    for _ in 0..4 {
        assert_eq!(fed.call(170), 3);
    }
    assert_eq!(fed.call(170), limit);
    assert_eq!(fed.algorithm.min_rtt(), Some(ms(170)));
    assert_eq!(fed.wait(29_999), limit, "the next one is counted from its end");
    assert_eq!(fed.wait(1), 3);
}

#[test]
fn jitter_defers_a_measurement_and_differs_by_seed() {
    let config = config().probe_every(ms(100_000)).jitter(0.1);
    assert_eq!(config.probe_after(15_000), ms(105_000));
    assert_eq!(config.probe_after(9_999), ms(109_999));
    assert_eq!(config.probe_after(10_000), ms(100_000));
    assert_eq!(config.jitter(0.0).probe_after(7), ms(100_000));
    let due = |seed| {
        let mut fed = measured(config.seed(seed));
        let from = fed.now;
        while !fed.algorithm.is_measuring() {
            fed.wait(10);
        }
        fed.now.saturating_duration_since(from)
    };
    let dues: Vec<_> = (0..8).map(due).collect();
    assert!(dues.iter().all(|due| (ms(100_000)..ms(110_010)).contains(due)), "{dues:?}");
    assert!(dues.iter().any(|due| *due != dues[0]), "{dues:?}");
    assert_eq!(due(3), dues[3]);
}

#[test]
fn five_windows_at_the_least_limit_say_that_it_was_measured_wrong() {
    let mut fed = measured(config());
    for _ in 0..4 {
        assert_eq!(window(&mut fed, &[1_000]), 3);
        assert!(!fed.algorithm.is_measuring());
    }
    assert_eq!(window(&mut fed, &[1_000]), 3);
    assert!(fed.algorithm.is_measuring());
    (0..5).for_each(|_| {
        fed.call(1_000);
    });
    assert_eq!(fed.algorithm.min_rtt(), Some(ms(1_000)));
    assert!(window(&mut fed, &[1_000]) > 3);
}

#[test]
fn a_window_above_the_least_limit_begins_the_count_anew() {
    let mut fed = measured(config());
    (0..4).for_each(|_| {
        window(&mut fed, &[1_000]);
    });
    assert!(window(&mut fed, &[100]) > 3);
    while fed.algorithm.limit() > 3 {
        fed.wait(1_000);
        window(&mut fed, &[1_000]);
    }
    for _ in 0..4 {
        window(&mut fed, &[1_000]);
        assert!(!fed.algorithm.is_measuring());
    }
    window(&mut fed, &[1_000]);
    assert!(fed.algorithm.is_measuring());
}

#[test]
fn calls_that_did_not_complete_raise_what_calls_take_and_never_lower_it() {
    for signal in [Signal::Abandoned, Signal::Dropped] {
        let mut fed = raised(config(), 100);
        let limit = fed.algorithm.limit();
        fed.ended(100, limit, Signal::Completed);
        (0..10).for_each(|_| {
            fed.ended(1, limit, signal);
        });
        fed.wait(100);
        assert_eq!(fed.algorithm.sample_rtt(), Some(ms(100)), "{signal:?}: they would have taken longer");
        fed.ended(100, limit, Signal::Completed);
        (0..10).for_each(|_| {
            fed.ended(700, limit, signal);
        });
        fed.wait(100);
        assert_eq!(fed.algorithm.sample_rtt(), Some(ms(700)), "{signal:?}: they were as slow at least");
    }
}

#[test]
fn a_service_from_which_nobody_waits_for_an_answer_gets_less() {
    let mut fed = raised(config(), 100);
    let limit = fed.algorithm.limit();
    (0..10).for_each(|_| {
        fed.ended(50, limit, Signal::Abandoned);
    });
    assert_eq!(fed.wait(100), limit, "they may be as quick as the others were");
    (0..10).for_each(|_| {
        fed.ended(900, limit, Signal::Abandoned);
    });
    assert!(fed.wait(100) < limit);
}

#[test]
fn a_window_of_nothing_but_dropped_calls_leaves_a_share_of_the_limit() {
    let mut fed = raised(config(), 100);
    let limit = fed.algorithm.limit();
    fed.ended(1, limit, Signal::Dropped);
    assert_eq!(f64::from(fed.wait(100)), (f64::from(limit) * 0.9).floor());
    assert_eq!(fed.algorithm.sample_rtt(), Some(ms(100)), "as before");
}

#[test]
fn a_dropped_call_leaves_a_share_of_the_limit() {
    let mut fed = raised(config(), 100);
    let limit = fed.algorithm.limit();
    fed.ended(1, limit, Signal::Completed);
    fed.ended(1, limit, Signal::Dropped);
    assert_eq!(f64::from(fed.wait(100)), (f64::from(limit) * 0.9).floor());
}

#[test]
fn a_clock_that_steps_back_begins_another_window() {
    let mut fed = raised(config().probe_every(ms(5_000)), 50);
    let limit = fed.algorithm.limit();
    fed.now = at(1_000);
    fed.ended(100, limit, Signal::Completed);
    assert!(fed.wait(100) > limit);
    fed.wait(5_000);
    assert!(fed.algorithm.is_measuring());
    fed.now = at(10);
    (0..6).for_each(|_| {
        fed.call(1);
    });
    assert!(!fed.algorithm.is_measuring());
}

#[test]
fn a_call_that_ends_after_a_window_belongs_to_the_next() {
    let mut fed = raised(config(), 100);
    let limit = fed.algorithm.limit();
    fed.ended(100, limit, Signal::Completed);
    fed.now = fed.now + ms(150);
    assert!(fed.ended(900, limit, Signal::Completed) > limit, "nobody told the time in between");
    assert_eq!(fed.algorithm.sample_rtt(), Some(ms(100)));
    fed.wait(100);
    assert_eq!(fed.algorithm.sample_rtt(), Some(ms(900)));
}
