use seawall_bulkhead::Priority;
use seawall_bulkhead::limit::{Bbr, BbrGate, Levels, Sample, Signal, level, rejection_rate};

use crate::{at, ms};

fn gate() -> BbrGate {
    Bbr::default().window(ms(1_000)).buckets(10).build().expect("valid")
}

fn fill(gate: &mut BbrGate, from: u64, calls: u64, rtt: u64, signal: Signal) {
    (0..calls).for_each(|_| gate.on_sample(&Sample::new(at(from), ms(rtt), 1, signal)));
}

#[test]
fn the_most_in_flight_is_the_best_rate_times_the_least_time() {
    let mut gate = gate();
    fill(&mut gate, 10_000, 30, 40, Signal::Completed);
    fill(&mut gate, 10_100, 10, 20, Signal::Completed);
    assert_eq!(gate.max_in_flight(at(10_199)), 12, "without the part that runs: 300 a second, 40 ms each");
    assert_eq!((gate.max_passes(at(10_200)), gate.min_rtt(at(10_200))), (30, ms(20)));
    assert_eq!(gate.max_in_flight(at(10_200)), 6, "300 a second, 20 ms each");
    assert_eq!(gate.max_in_flight(at(11_000)), 2, "100 a second: the first part is too long ago");
    assert_eq!((gate.max_passes(at(11_100)), gate.min_rtt(at(11_100))), (1, ms(1)), "nothing is known");
}

#[test]
fn times_are_averages_rounded_up_and_only_of_calls_that_completed() {
    let mut fine = Bbr::default().window(ms(1_000)).buckets(10).resolution(ms(1) / 4).build().expect("valid");
    let mut gate = gate();
    for gate in [&mut gate, &mut fine] {
        fill(gate, 10_000, 1, 5, Signal::Completed);
        fill(gate, 10_000, 1, 6, Signal::Completed);
        fill(gate, 10_000, 50, 1, Signal::Dropped);
        fill(gate, 10_000, 50, 1, Signal::Abandoned);
    }
    assert_eq!(gate.min_rtt(at(10_100)), ms(6));
    assert_eq!(fine.min_rtt(at(10_100)), ms(5) + ms(1) / 2);
    assert_eq!(gate.max_passes(at(10_100)), 2);
}

#[test]
fn calls_are_refused_while_the_processor_is_busy_and_for_a_while_after() {
    let mut gate = gate();
    (0..30).for_each(|part| fill(&mut gate, 10_000 + part * 100, 100, 10, Signal::Completed));
    assert_eq!(gate.max_in_flight(at(13_000)), 10);
    assert!(!gate.should_drop(at(13_000), 50, 0.79), "it has time, and no call was refused");
    assert!(!gate.should_drop(at(13_000), 10, 0.8));
    assert!(gate.should_drop(at(13_000), 11, 0.8));
    (30..40).for_each(|part| fill(&mut gate, 10_000 + part * 100, 100, 10, Signal::Completed));
    assert!(gate.should_drop(at(14_000), 11, 0.1), "a second after");
    assert!(!gate.should_drop(at(14_000), 10, 0.1));
    assert!(!gate.should_drop(at(14_001), 11, 0.1), "what was refused in the meantime does not count");
    assert!(!gate.should_drop(at(14_001), 50, f64::NAN), "nobody knows that it is busy");
}

#[test]
fn one_call_at_a_time_is_never_refused() {
    let mut gate = gate();
    assert!(!gate.should_drop(at(1), 1, 1.0));
    assert!(gate.should_drop(at(1), 2, 1.0), "nothing is known: one at a time");
}

#[test]
fn a_gate_whose_clock_steps_back_begins_anew() {
    let mut gate = gate();
    fill(&mut gate, 90_000, 100, 10, Signal::Completed);
    assert!(gate.should_drop(at(90_100), 11, 1.0));
    assert!(!gate.should_drop(at(1_000), 11, 0.0));
    fill(&mut gate, 2_000, 50, 10, Signal::Completed);
    assert_eq!(gate.max_in_flight(at(2_100)), 5);
}

#[test]
fn a_call_that_is_told_late_counts_where_it_ended() {
    let mut gate = gate();
    fill(&mut gate, 10_100, 5, 10, Signal::Completed);
    fill(&mut gate, 10_050, 7, 10, Signal::Completed);
    assert_eq!(gate.max_passes(at(10_100)), 7);
    assert_eq!(gate.max_passes(at(10_200)), 7);
}

#[test]
fn the_rate_of_refusals_grows_as_the_queue_does() {
    for (queued, rate) in [(0, 0.0), (60, 0.0), (61, 0.025), (80, 0.5), (99, 0.975), (100, 1.0), (u64::MAX, 1.0)] {
        assert!((rejection_rate(queued, 60, 100) - rate).abs() < 1e-12, "{queued}");
    }
    assert!((rejection_rate(5, 10, 4) - 1.0).abs() < 1e-12, "bounds the wrong way round refuse from the lower on");
}

#[test]
fn a_level_is_found_for_each_share_of_the_latest_calls() {
    let mut levels = Levels::new(4);
    assert_eq!(levels.level(0.5), 0);
    [9, 400, 200, 100, 300].into_iter().for_each(|level| levels.record(level));
    let found = [0.0, 0.25, 0.26, 0.5, 1.0, 7.0, -1.0, f64::NAN].map(|share| levels.level(share));
    assert_eq!(found, [100, 100, 200, 200, 400, 400, 100, 100], "the first of five is forgotten");
    levels.record(60_000);
    assert_eq!(levels.level(1.0), Levels::HIGHEST);
}

#[test]
fn the_lowest_levels_are_refused_first_and_none_without_a_queue() {
    let mut levels = Levels::new(1_000);
    for priority in Priority::ALL {
        (0..100).for_each(|within| levels.record(level(priority, within)));
    }
    let admitted =
        |rate| Priority::ALL.map(|priority| (0..100).filter(|w| levels.admits(level(priority, *w), rate)).count());
    assert_eq!(admitted(0.0), [100, 100, 100, 100]);
    assert_eq!(admitted(0.25), [1, 100, 100, 100]);
    assert_eq!(admitted(0.6), [0, 0, 61, 100]);
    assert_eq!(admitted(1.0), [0, 0, 0, 1]);
}
