//! No algorithm allocates once it is made, whatever ends in it.

use std::hint::black_box;
use std::time::Duration;

use seawall_bulkhead::limit::stats::Summary;
use seawall_bulkhead::limit::{
    Adaptive, Aimd, Bbr, Correlation, Gradient, Gradient2, Levels, LimitAlgorithm, Sample, Signal, Vegas, Windowed,
};
use seawall_core::time::Timestamp;
use seawall_testkit::alloc::{self, CountingAllocator, assert_none};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// 10 ms between two calls, so that windows end too.
fn samples() -> impl Iterator<Item = Sample> {
    (1..20_000_u64).map(|i| {
        let signal = match i % 7 {
            0 => Signal::Dropped,
            1 => Signal::Abandoned,
            _ => Signal::Completed,
        };
        let (at, rtt) =
            (Timestamp::ZERO + Duration::from_millis(10 * i), Duration::from_micros(900 + i * 7_919 % 9_000));
        Sample::new(at, rtt, u32::try_from(i % 100).expect("small"), signal)
    })
}

#[test]
fn nothing_is_proved_by_an_allocator_that_does_not_count() {
    assert_eq!(alloc::count(|| Box::new(1)).count, 1);
}

#[test]
fn no_algorithm_allocates_for_a_call() {
    let short = Duration::from_millis(100);
    let all: [Adaptive; 8] = [
        Aimd::default().into(),
        Vegas::default().into(),
        Gradient2::default().into(),
        Gradient::default().into(),
        Gradient::default().window(Duration::from_secs(20)).into(),
        Correlation::default().window(short).stabilization(Duration::from_secs(9)).into(),
        Windowed::new(Aimd::default()).into(),
        Windowed::new(Vegas::default()).min_samples(600).summary(Summary::Percentile(0.9)).into(),
    ];
    for config in all {
        let mut algorithm = config.build().expect("valid");
        assert_none("an algorithm", || {
            for sample in samples() {
                black_box(algorithm.on_sample(&sample));
                black_box(algorithm.on_tick(sample.at));
            }
        });
    }
}

#[test]
fn neither_do_the_gates() {
    let (mut gate, mut levels) = (Bbr::default().build().expect("valid"), Levels::new(1_000));
    assert_none("a gate", || {
        for sample in samples() {
            gate.on_sample(&sample);
            black_box(gate.should_drop(sample.at, sample.in_flight, 0.9));
            levels.record(u16::try_from(sample.in_flight).expect("small"));
            black_box(levels.admits(40, 0.5));
        }
    });
}
