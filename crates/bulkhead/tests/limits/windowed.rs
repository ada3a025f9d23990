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
