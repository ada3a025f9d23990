use seawall_bulkhead::limit::stats::Summary;
use seawall_bulkhead::limit::{Aimd, Gradient2, LimitAlgorithm, Sample, Signal, Windowed, WindowedLimit};
use seawall_core::time::Timestamp;

use crate::{Fed, at, ms};

/// Keeps what it is fed.
#[derive(Debug, Default)]
struct Kept(Vec<Sample>);

impl LimitAlgorithm for Kept {
    fn limit(&self) -> u32 {
        7
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        self.0.push(*sample);
        7
    }
}

fn config() -> Windowed {
    Windowed::new(Aimd::default()).min_samples(3)
}

fn kept(config: Windowed) -> Fed<WindowedLimit<Kept>> {
    let mut fed = Fed::new(config.build_around(Kept::default()).expect("valid"));
    // The first window ends at once.
    (0..config.min_samples).for_each(|_| {
        fed.ended(10, 1, Signal::Completed);
    });
    assert_eq!(fed.algorithm.algorithm().0.len(), 1);
    fed
}

fn told(fed: &Fed<WindowedLimit<Kept>>) -> &[Sample] {
    &fed.algorithm.algorithm().0[1..]
}

#[test]
fn a_window_is_told_as_one_call() {
    let mut fed = kept(config());
    fed.wait(900);
    fed.ended(10, 4, Signal::Completed);
    fed.ended(30, 9, Signal::Completed);
    fed.wait(100);
    fed.ended(20, 2, Signal::Completed);
    assert!(told(&fed).is_empty(), "the second is not over");
    fed.wait(1);
    fed.ended(60, 3, Signal::Completed);
    assert_eq!(told(&fed), [Sample::new(fed.now, ms(30), 9, Signal::Completed)]);
    fed.wait(1_001);
    fed.ended(70, 1, Signal::Completed);
    fed.ended(70, 1, Signal::Dropped);
    assert_eq!(told(&fed).len(), 1, "too few");
    fed.ended(100, 1, Signal::Completed);
    assert_eq!(told(&fed)[1], Sample::new(fed.now, ms(80), 1, Signal::Dropped), "the calls before are forgotten");
}

#[test]
fn a_percentile_may_stand_for_a_window() {
    let mut fed = kept(config().summary(Summary::Percentile(0.5)));
    fed.wait(1_001);
    [500, 10, 20].into_iter().for_each(|rtt| {
        fed.ended(rtt, 1, Signal::Completed);
    });
    assert_eq!(told(&fed)[0].rtt, ms(20));
}

#[test]
fn a_window_lasts_twice_the_quickest_call_up_to_the_longest() {
    let mut fed = kept(config().longest(ms(3_000)));
    let mut lengths = Vec::new();
    for rtt in [1_200, 9_000, 10] {
        fed.wait(3_001);
        (0..3).for_each(|_| {
            fed.ended(rtt, 1, Signal::Completed);
        });
        let (from, count) = (fed.now, told(&fed).len());
        while told(&fed).len() == count {
            fed.wait(1);
            fed.ended(1, 1, Signal::Completed);
        }
        lengths.push(fed.now.saturating_duration_since(from));
    }
    assert_eq!(lengths, [ms(2_401), ms(3_001), ms(1_001)]);
}

#[test]
fn calls_that_are_too_quick_are_left_out() {
    let mut fed = kept(config().min_rtt(ms(5)).min_samples(1).window(ms(1)).longest(ms(1)));
    let before = told(&fed).len();
    fed.wait(10);
    fed.ended(4, 1, Signal::Completed);
    assert_eq!(told(&fed).len(), before);
    fed.ended(5, 1, Signal::Completed);
    assert_eq!(told(&fed).len(), before + 1);
}

#[test]
fn abandoned_calls_count_where_they_took_longer() {
    for (summary, mixed) in [(Summary::Average, ms(40)), (Summary::Percentile(0.5), ms(10))] {
        let mut fed = kept(config().min_samples(4).summary(summary));
        fed.wait(1_001);
        for (rtt, signal) in
            [(10, Signal::Completed), (10, Signal::Completed), (1, Signal::Abandoned), (100, Signal::Abandoned)]
        {
            fed.ended(rtt, 1, signal);
        }
        assert_eq!(told(&fed)[0], Sample::new(fed.now, mixed, 1, Signal::Completed), "{summary:?}");
        fed.wait(1_001);
        (0..4).for_each(|_| {
            fed.ended(60, 1, Signal::Abandoned);
        });
        assert_eq!(told(&fed)[1], Sample::new(fed.now, ms(60), 1, Signal::Abandoned), "{summary:?}");
    }
}

/// Feeds one more window of four calls, and tells what became of it.
fn window_of(fed: &mut Fed<WindowedLimit<Kept>>, calls: [(u64, Signal); 4]) -> (u64, Signal) {
    fed.wait(1_001);
    let before = told(fed).len();
    calls.into_iter().for_each(|(rtt, signal)| {
        fed.ended(rtt, 1, signal);
    });
    assert_eq!(told(fed).len(), before + 1, "one window");
    let summary = told(fed)[before];
    (u64::try_from(summary.rtt.as_millis()).expect("short"), summary.signal)
}

#[test]
fn a_window_bears_a_share_of_dropped_calls() {
    use Signal::{Abandoned, Completed, Dropped};
    for (max_dropped, dropped) in [(0.0, 1), (0.24, 1), (0.25, 2), (0.49, 2), (0.5, 3), (0.99, 4), (1.0, 5)] {
        let mut fed = kept(config().min_samples(4).max_dropped(max_dropped));
        for count in 0..=4 {
            // The count begins again with each window.
            let calls = [0, 1, 2, 3].map(|call| (10, if call < count { Dropped } else { Completed }));
            let signal = match count {
                _ if count >= dropped => Dropped,
                4 => Abandoned,
                _ => Completed,
            };
            assert_eq!(window_of(&mut fed, calls), (10, signal), "{count} of four, at most {max_dropped}");
        }
    }
    let mut fed = kept(config().min_samples(4).max_dropped(0.5));
    let calls = [(10, Abandoned), (10, Completed), (10, Dropped), (10, Dropped)];
    assert_eq!(window_of(&mut fed, calls).1, Dropped, "two of the three that ended");
}

#[test]
fn a_dropped_call_that_is_borne_counts_where_it_took_longer() {
    use Signal::{Completed, Dropped};
    for (summary, longer) in [(Summary::Average, 100), (Summary::Percentile(0.5), 50)] {
        let config = config().min_samples(4).summary(summary);
        let mut fed = kept(config.max_dropped(0.5));
        let quick = [(50, Completed), (1, Dropped), (1, Dropped), (50, Completed)];
        assert_eq!(window_of(&mut fed, quick), (50, Completed), "{summary:?}: a refusal takes less than calls do");
        let slow = [(50, Completed), (100, Dropped), (200, Dropped), (50, Completed)];
        assert_eq!(window_of(&mut fed, slow), (longer, Completed), "{summary:?}");
        let mut fed = kept(config);
        let all = (if summary == Summary::Average { 25 } else { 1 }, Dropped);
        assert_eq!(window_of(&mut fed, quick), all, "{summary:?}: where none is borne, each is one of the window's");
    }
}

#[test]
fn a_clock_that_steps_back_begins_another_window() {
    let mut fed = kept(config());
    fed.now = at(10);
    (0..4).for_each(|_| {
        fed.ended(1, 1, Signal::Completed);
    });
    assert!(told(&fed).is_empty());
    fed.wait(1_001);
    fed.ended(1, 1, Signal::Completed);
    assert_eq!(told(&fed).len(), 1);
}

#[test]
fn what_is_inside_finds_the_limit() {
    let config =
        Windowed::new(Gradient2::default().initial(50).queue(10)).min_samples(1).window(ms(100)).longest(ms(100));
    let mut fed = Fed::new(config.build().expect("valid"));
    assert_eq!(fed.algorithm.limit(), 50);
    assert_eq!(fed.call(101), 52);
    assert_eq!(fed.call(50), 52, "the window is not over");
    assert_eq!(fed.call(51), 54);
    assert_eq!(fed.algorithm.on_tick(Timestamp::NEVER), 54);
}
