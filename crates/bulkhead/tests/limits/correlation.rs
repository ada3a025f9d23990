use seawall_bulkhead::limit::{Correlation, CorrelationLimit, LimitAlgorithm, Scale, Signal};

use crate::{Fed, at, ms};

/// Each call is a window.
fn config() -> Correlation {
    Correlation::default().window(ms(1)).longest(ms(1)).min_samples(1).median(1).initial(100).max(1_000)
}

/// The baseline is 100 ms and hardly moves.
fn taught(config: Correlation) -> Fed<CorrelationLimit> {
    let mut algorithm = config.baseline(1_000_000).smoothing(1).build().expect("valid");
    (0..10).for_each(|_| algorithm.teach(ms(100)));
    Fed::new(algorithm)
}

#[test]
fn it_goes_by_the_length_of_the_queue() {
    // Of 100, whose logarithm is 2: below 6 it rises, above 12 it falls.
    for (rtt, limit) in [(50, 102), (105, 102), (106, 100), (113, 100), (114, 98), (500, 98)] {
        // Not all of it is in use.
        let mut fed = taught(config());
        assert_eq!(fed.end(rtt, 99, Signal::Completed), limit, "{rtt} ms");
    }
    let given = config().alpha(Scale::Fixed(1)).beta(Scale::Fixed(2)).step(Scale::Fixed(7));
    for (rtt, limit) in [(100, 107), (101, 100), (102, 100), (103, 93)] {
        assert_eq!(taught(given).end(rtt, 99, Signal::Completed), limit, "{rtt} ms by given numbers");
    }
}

#[test]
fn a_limit_of_which_too_little_is_used_does_not_rise() {
    assert_eq!(taught(config()).end(100, 49, Signal::Completed), 100);
    assert_eq!(taught(config()).end(100, 50, Signal::Completed), 102);
    assert_eq!(taught(config().min_use(0.8)).end(100, 79, Signal::Completed), 100);
    assert_eq!(taught(config().min_use(0.0)).end(100, 21, Signal::Completed), 102, "21 times 5 is enough");
    assert_eq!(taught(config().min_use(0.0)).end(100, 20, Signal::Completed), 100, "20 times 5 is not");
    assert_eq!(taught(config().min_use(0.0)).end(100, 19, Signal::Completed), 98, "the limit is too high");
}

#[test]
fn the_factor_falls_with_the_logarithm_of_what_is_in_flight() {
    let config = Correlation::default().max_factor(5.0).factor_decay(1.0).min_factor(1.2);
    for (in_flight, highest) in [(0, 0.0), (1, 5.0), (10, 40.0), (100, 300.0), (1_000, 2_000.0), (100_000, 120_000.0)] {
        assert!((config.highest_for(in_flight) - highest).abs() < 1e-6, "{in_flight}");
    }
}

#[test]
fn the_most_in_flight_counts_for_a_while() {
    let config = config().min_use(0.0).stabilization(ms(1_000));
    let mut fed = taught(config);
    assert_eq!(fed.end(100, 100, Signal::Completed), 102);
    for limit in [104, 106, 108, 110, 112] {
        assert_eq!(fed.end(100, 1, Signal::Completed), limit);
    }
    fed.wait(500);
    assert_eq!(fed.end(100, 1, Signal::Completed), 110, "more than a second ago");
}

#[test]
fn a_full_limit_falls_when_more_in_flight_brings_no_more_throughput() {
    // Calls take as much longer as there are more of them: the throughput stays, and a queue is not seen yet.
    let run = |in_flight_of: &dyn Fn(u64) -> u32, rtt_of: &dyn Fn(u64) -> u64| {
        let mut fed = taught(config().alpha(Scale::Fixed(1)).beta(Scale::Fixed(900)).min_use(1.0));
        (0..9).for_each(|i| {
            fed.end(rtt_of(i), in_flight_of(i), Signal::Completed);
        });
        let before = fed.algorithm.limit();
        (before, fed.end(rtt_of(9), before, Signal::Completed))
    };
    let (before, after) = run(&|i| 50 + 5 * u32::try_from(i).expect("few"), &|i| 500 + 50 * i + i % 2);
    assert!(after < before, "steady throughput while calls take longer");
    let (before, after) = run(&|i| 50 + 5 * u32::try_from(i).expect("few"), &|i| 500 + 150 * i);
    assert!(after < before, "throughput that falls");
    let (before, after) = run(&|i| 50 + 5 * u32::try_from(i).expect("few"), &|_| 500);
    assert!(after >= before, "throughput that grows");
}

#[test]
fn correlations_tell_nothing_before_ten_windows_nor_unless_the_limit_is_full() {
    let feed = |windows: u32, last: u32| {
        let mut fed = taught(config().alpha(Scale::Fixed(1)).beta(Scale::Fixed(900)));
        (0..windows).for_each(|i| {
            fed.end(500 + 150 * u64::from(i), 50 + 5 * i, Signal::Completed);
        });
        let before = fed.algorithm.limit();
        fed.end(500 + 150 * u64::from(windows), last, Signal::Completed) < before
    };
    assert!(feed(9, 100));
    assert!(!feed(8, 100), "nine windows");
    assert!(!feed(9, 99), "not full");
}

#[test]
fn quantile_median_and_average_go_before_the_queue() {
    let config = config().window(ms(1_000)).longest(ms(1_000)).min_samples(10).median(3).smoothing(3).quantile(0.9);
    let mut fed = Fed::new(config.build().expect("valid"));
    let mut window = |rtts: [u64; 10]| {
        fed.wait(2_000);
        rtts.into_iter().for_each(|rtt| {
            fed.ended(rtt, 100, Signal::Completed);
        });
        let algorithm = &fed.algorithm;
        (
            algorithm.median_rtt().expect("one"),
            algorithm.recent_rtt().expect("one"),
            algorithm.baseline_rtt().expect("one"),
        )
    };
    assert_eq!(window([1, 1, 1, 1, 1, 1, 1, 1, 10, 99]), (ms(10), ms(10), ms(10)), "the ninth of ten");
    assert_eq!(window([40; 10]), (ms(40), ms(25), ms(10) + (ms(15) / 2)), "the greater of two, their mean");
    assert_eq!(window([900; 10]).0, ms(40), "the one in the middle");
}

#[test]
fn a_window_goes_on_until_there_are_enough_calls_and_twice_the_quickest_has_passed() {
    let config = config().window(ms(1_000)).longest(ms(5_000)).min_samples(3);
    let mut fed = Fed::new(config.build().expect("valid"));
    let mut windows = Vec::new();
    for second in 0..30_u64 {
        let known = fed.algorithm.baseline_rtt();
        // A time of its own for each, so that every window moves the baseline.
        fed.ended(2_000 + second, 100, Signal::Completed);
        if fed.algorithm.baseline_rtt() != known {
            windows.push(second);
        }
        fed.wait(1_000);
    }
    // Three calls; then two times 2 s after that, and two times 2.003 s.
    assert_eq!(windows[..3], [2, 6, 11]);
}

#[test]
fn calls_that_did_not_complete_raise_what_calls_take_and_drops_lower_the_limit() {
    let config = config().window(ms(1_000)).longest(ms(1_000)).min_samples(11);
    let fed_with = |rtt: u64, signal: Signal| {
        let mut fed = taught(config);
        fed.ended(100, 100, Signal::Completed);
        (0..9).for_each(|_| {
            fed.ended(rtt, 100, signal);
        });
        let limit = fed.ended(100, 100, Signal::Completed);
        (limit, fed.algorithm.recent_rtt())
    };
    assert_eq!(fed_with(1, Signal::Abandoned), (102, Some(ms(100))));
    assert_eq!(fed_with(500, Signal::Abandoned), (98, Some(ms(500))));
    assert_eq!(fed_with(1, Signal::Dropped), (98, Some(ms(100))));
}

#[test]
fn it_falls_once_in_the_time_that_calls_take() {
    let mut fed = taught(config());
    assert_eq!(fed.ended(1_000, 99, Signal::Completed), 98);
    for _ in 0..9 {
        fed.wait(100);
        assert_eq!(fed.ended(1_000, 97, Signal::Completed), 98);
    }
    fed.wait(100);
    assert_eq!(fed.ended(1_000, 97, Signal::Completed), 97, "of 98 the logarithm is 1");
}

#[test]
fn it_goes_on_after_the_clock_has_stepped_back() {
    let mut fed = taught(config());
    fed.end(1_000, 99, Signal::Completed);
    fed.now = at(10);
    fed.ended(100, 99, Signal::Completed);
    assert_eq!(fed.end(100, 99, Signal::Completed), 97, "what calls took before still counts");
}

#[test]
fn a_window_of_nothing_but_dropped_calls_lowers_the_limit() {
    let mut fed = Fed::new(config().build().expect("valid"));
    assert_eq!(fed.end(1, 99, Signal::Dropped), 98, "although it does not tell what calls take");
    assert_eq!((fed.algorithm.recent_rtt(), fed.algorithm.baseline_rtt()), (None, None));
    assert_eq!(fed.end(1, 99, Signal::Abandoned), 98);
}
