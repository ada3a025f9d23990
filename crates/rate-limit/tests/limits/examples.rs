//! What each algorithm does, by example.

use std::time::Duration;

use seawall_core::ConfigError;
use seawall_rate_limit::Quota;
use seawall_rate_limit::limit::{
    Alignment, Carry, FixedWindow, Gcra, Limit, Pacer, Refused, SlidingLog, SlidingWindow, Taken, TokenSteps, Want,
    WarmUp, WarmUpThreshold, WarmUpThresholdState, WindowCounter,
};

use crate::drive::at;

const MS: u64 = 1_000_000;

fn per(limit: u32, millis: u64) -> Quota {
    Quota::new(limit, Duration::from_millis(millis))
}

struct One<L: Limit> {
    limit: L,
    state: L::State,
}

impl<L: Limit> One<L> {
    fn new(limit: L) -> Self {
        Self { limit, state: L::State::default() }
    }

    /// Takes cells now, or says after how many milliseconds they can be had.
    fn take(&mut self, millis: u64, cells: u32) -> Result<(), f64> {
        self.reserve(millis, cells, 0).map(drop)
    }

    fn reserve(&mut self, millis: u64, cells: u32, max_wait: u64) -> Result<Taken, f64> {
        let want = Want { now: at(millis * MS), cells, max_wait: max_wait * MS };
        self.limit.take(&mut self.state, want).map_err(|refused| match refused {
            Refused::Later { retry_after } => retry_after as f64 / MS as f64,
            Refused::Never => f64::INFINITY,
        })
    }

    /// How many milliseconds whoever waits for ever waits.
    fn wait(&mut self, millis: u64, cells: u32) -> f64 {
        let taken = self.reserve(millis, cells, 1_000_000).unwrap();
        (taken.act_at.as_nanos() - millis * MS) as f64 / MS as f64
    }

    fn burst(&mut self, millis: u64, calls: u32) -> usize {
        (0..calls).filter(|_| self.take(millis, 1).is_ok()).count()
    }

    fn remaining(&self, millis: u64) -> u32 {
        self.limit.remaining(&self.state, at(millis * MS))
    }
}

#[test]
fn a_fixed_window_lets_twice_its_limit_pass_around_a_boundary() {
    let mut window = One::new(FixedWindow::new(per(100, 1_000), Alignment::default()).unwrap());
    assert_eq!(window.burst(900, 150), 100);
    assert_eq!(window.take(999, 1), Err(1.0));
    assert_eq!(window.burst(1_000, 150), 100);
}

#[test]
fn a_fixed_window_begins_where_it_is_aligned() {
    let offset = Duration::from_millis(10_300);
    let mut clock = One::new(FixedWindow::new(per(1, 1_000), Alignment::Clock { offset }).unwrap());
    assert_eq!((clock.take(100, 1), clock.take(299, 1), clock.take(300, 1)), (Ok(()), Err(1.0), Ok(())));
    assert_eq!((clock.take(1_299, 1), clock.take(1_300, 1)), (Err(1.0), Ok(())));
    let mut first = One::new(FixedWindow::new(per(1, 1_000), Alignment::FirstCell).unwrap());
    assert_eq!((first.take(100, 1), first.take(1_099, 1), first.take(1_100, 1)), (Ok(()), Err(1.0), Ok(())));
    assert_eq!((first.take(5_500, 1), first.take(6_000, 1)), (Ok(()), Err(500.0)));
}

#[test]
fn a_fixed_window_gives_turns_in_the_next_one() {
    let mut window = One::new(FixedWindow::new(per(1, 250), Alignment::default()).unwrap());
    assert_eq!(window.reserve(250, 1, 250).unwrap().act_at, at(250 * MS));
    assert_eq!(window.reserve(250, 1, 250).unwrap().act_at, at(500 * MS));
    assert_eq!(window.reserve(250, 1, 250), Err(500.0));
    assert_eq!((window.remaining(250), window.remaining(499), window.remaining(1_500)), (0, 0, 1));
}

#[test]
fn who_does_not_stop_stays_refused_if_refusals_count() {
    let limit = FixedWindow::new(per(5, 1_000), Alignment::default()).unwrap();
    let mut window = One::new(limit);
    assert_eq!(window.take(0, 4), Ok(()));
    assert_eq!(window.take(1, 2), Err(999.0));
    limit.count_refused(&mut window.state, Want::now(at(MS), 2));
    assert_eq!(window.take(1, 1), Err(999.0));
    let limit = WindowCounter::new(per(3, 1_000)).unwrap();
    let mut counter = One::new(limit);
    assert_eq!((counter.burst(0, 3), counter.take(0, 1)), (3, Err(1_333.333_334)));
    limit.count_refused(&mut counter.state, Want::one(at(0)));
    limit.count_refused(&mut counter.state, Want::one(at(0)));
    assert_eq!(counter.take(0, 1), Err(1_500.0));
}

#[test]
fn a_window_counter_takes_half_of_the_last_window_after_half_of_this_one() {
    let mut counter = One::new(WindowCounter::new(per(100, 1_000)).unwrap());
    assert_eq!(counter.burst(0, 150), 100);
    assert_eq!(counter.burst(1_500, 150), 50);
    assert_eq!(counter.take(1_500, 1), Err(10.0));
}

#[test]
fn a_log_forgets_a_cell_when_it_is_a_period_old() {
    let mut log = One::new(SlidingLog::new(per(1, 100)).unwrap());
    assert_eq!((log.take(0, 1), log.take(99, 1), log.take(100, 1)), (Ok(()), Err(1.0), Ok(())));
    let mut log = One::new(SlidingLog::new(per(100, 1_000)).unwrap());
    assert_eq!((log.burst(900, 150), log.burst(1_100, 1), log.burst(1_900, 150)), (100, 0, 100));
    assert_eq!(SlidingLog::new(per(65_536, 1)).map(drop), Ok(()));
    let error = SlidingLog::new(per(65_537, 1)).unwrap_err();
    assert_eq!((error.field(), error.value()), ("quota.limit", "65537"));
}

#[test]
fn a_stepped_bucket_is_refilled_at_once() {
    let mut bucket = One::new(TokenSteps::new(per(10, 60_000)).unwrap());
    assert_eq!(bucket.take(0, 10), Ok(()));
    assert_eq!((bucket.take(0, 1), bucket.take(15_000, 10)), (Err(60_000.0), Err(45_000.0)));
    assert_eq!(bucket.take(15_000, 15), Err(f64::INFINITY));
    assert_eq!((bucket.remaining(59_999), bucket.remaining(60_000)), (0, 10));
}

#[test]
fn an_idle_stepped_bucket_does_not_overflow_and_gives_turns_at_its_steps() {
    let mut bucket = One::new(TokenSteps::new(per(1, 2_000).burst(5)).unwrap());
    let waits: Vec<f64> = (0..7).map(|_| bucket.wait(10_000, 1)).collect();
    assert_eq!(waits, [0.0, 0.0, 0.0, 0.0, 0.0, 2_000.0, 4_000.0]);
}

#[test]
fn a_pacer_spaces_calls_and_keeps_some_slack() {
    let mut even = One::new(Pacer::new(per(10, 1_000), 10).unwrap());
    assert_eq!([even.wait(0, 1), even.wait(0, 1), even.wait(0, 1)], [0.0, 100.0, 200.0]);
    let mut slack = One::new(Pacer::new(per(1, 1_000), 1).unwrap());
    assert_eq!(
        [slack.wait(1, 1), slack.wait(2_001, 1), slack.wait(2_001, 1), slack.wait(2_001, 1)],
        [0.0, 0.0, 0.0, 1_000.0]
    );
}

#[test]
fn a_pacer_with_a_second_of_slack_is_a_smooth_bursty_one() {
    let mut one = One::new(Pacer::new(per(1, 1_000), 1).unwrap());
    let waits =
        [(0, 1), (0, 1), (1_000, 2), (2_000, 4), (4_000, 8), (8_000, 1)].map(|(now, cells)| one.wait(now, cells));
    assert_eq!(waits, [0.0, 1_000.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0]);
    let mut five = One::new(Pacer::new(per(5, 1_000), 5).unwrap());
    let waits = [0, 400, 400, 400].map(|now| five.wait(now, 1));
    assert_eq!(waits, [0.0, 0.0, 0.0, 200.0]);
    let mut none = One::new(Pacer::new(per(5, 1_000), 5).unwrap());
    let passes = [0, 0, 0, 100].map(|now| none.take(now, 1).is_ok());
    assert_eq!(passes, [true, false, false, false]);
}

#[test]
fn a_pacer_goes_on_from_its_next_turn_when_its_rate_changes() {
    let (one, two) = (Pacer::new(per(1, 1_000), 1).unwrap(), Pacer::new(per(2, 1_000), 2).unwrap());
    let mut pacer = One::new(one);
    assert_eq!([pacer.wait(0, 1), pacer.wait(0, 1)], [0.0, 1_000.0]);
    let state = two.carry(&one, pacer.state, Carry::AsIs, at(1_000 * MS));
    let mut pacer = One { limit: two, state };
    let waits = [(1_000, 1), (2_000, 2), (2_500, 4), (3_500, 1)].map(|(now, cells)| pacer.wait(now, cells));
    assert_eq!(waits, [1_000.0, 500.0, 1_000.0, 2_000.0]);
}

#[test]
fn a_pacer_queues_like_a_leaky_bucket() {
    let limit = Pacer::new(per(1, 100), 0).unwrap();
    let longest = limit.queued(2) / MS;
    let mut queue = One::new(limit);
    assert_eq!(queue.reserve(0, 1, longest).unwrap().act_at, at(0));
    assert_eq!(queue.reserve(0, 1, longest).unwrap().act_at, at(100 * MS));
    assert_eq!(queue.reserve(0, 1, longest), Err(200.0));
    assert_eq!(queue.reserve(100, 1, longest).unwrap().act_at, at(200 * MS));
}

#[test]
fn a_cold_limiter_warms_up_and_cools_down() {
    let mut limiter = One::new(WarmUp::new(per(2, 1_000), Duration::from_secs(4), 3.0).unwrap());
    let cold = [0.0, 1_375.0, 1_125.0, 875.0, 625.0, 500.0, 500.0, 500.0];
    let warm = [0.0, 500.0, 500.0, 500.0, 500.0, 500.0, 500.0];
    let mut drive = |from: u64, waits: &[f64]| {
        let mut now = from;
        for wait in waits {
            assert_eq!(limiter.wait(now, 1), *wait);
            now += *wait as u64;
        }
        now
    };
    assert_eq!(drive(0, &cold), 5_500);
    assert_eq!(drive(10_000, &cold), 15_500);
    assert_eq!(drive(18_000, &warm), 21_000);
}

#[test]
fn many_cells_cost_what_they_cost_one_by_one() {
    let limit = WarmUp::new(per(2, 1_000), Duration::from_secs(4), 3.0).unwrap();
    let (mut one, mut many) = (One::new(limit), One::new(limit));
    for _ in 0..6 {
        one.wait(0, 1);
    }
    many.wait(0, 6);
    // The last one's price, 0.5 s, is still to be paid in both.
    assert_eq!(one.wait(0, 1), many.wait(0, 1));
    assert_eq!(one.state.clone(), many.state.clone());
}

#[test]
fn a_threshold_rises_while_calls_pass() {
    let limit = WarmUpThreshold::new(10, 10, 3).unwrap();
    let mut state = WarmUpThresholdState::default();
    assert!(!limit.passes(&mut state, at(0), 1, 8, 1));
    assert!(limit.passes(&mut state, at(0), 1, 1, 1));
    for tenth in 1..=100 {
        limit.passes(&mut state, at(tenth * 100 * MS), 1, 1, 10);
    }
    assert!(limit.passes(&mut state, at(10_000 * MS), 1, 8, 10));
    assert!(!limit.passes(&mut state, at(10_000 * MS), 1, 10, 10));
}

#[test]
fn a_threshold_is_refilled_at_its_line() {
    let limit = WarmUpThreshold::new(10, 10, 3).unwrap();
    let mut state = WarmUpThresholdState::default();
    // From 100 tokens to the line at 50 in one second, and from there to cold again by being idle.
    assert!(limit.passes(&mut state, at(0), 1, 9, 50));
    assert!(!limit.passes(&mut state, at(60_000 * MS), 1, 9, 0));
}

#[test]
fn a_turn_is_given_back_whole_while_nobody_has_built_upon_it() {
    let mut bucket = One::new(Gcra::new(per(10, 1_000).burst(2)).unwrap());
    bucket.wait(0, 2);
    let turn = bucket.reserve(0, 2, 1_000).unwrap();
    let last = bucket.reserve(0, 1, 1_000).unwrap();
    assert_eq!(last.act_at, at(300 * MS));
    bucket.limit.give_back(&mut bucket.state, turn, at(100 * MS));
    assert_eq!(bucket.wait(100, 1), 300.0);
    let mut bucket = One::new(Gcra::new(per(10, 1_000).burst(2)).unwrap());
    bucket.wait(0, 2);
    let turn = bucket.reserve(0, 2, 1_000).unwrap();
    bucket.limit.give_back(&mut bucket.state, turn, at(100 * MS));
    assert_eq!(bucket.wait(100, 2), 100.0);
    let late = bucket.reserve(100, 1, 1_000).unwrap();
    assert_eq!(late.act_at, at(300 * MS));
    bucket.limit.give_back(&mut bucket.state, late, at(301 * MS));
    assert_eq!(bucket.reserve(301, 2, 1_000).unwrap().act_at, at(500 * MS));
}

/// A rule that is content with what the debt tells mints here: giving back a turn moves those behind it, and doing so twice
/// moves one to before its time, so that others find a full bucket when it comes.
#[test]
fn turns_that_were_given_back_one_after_another_mint_nothing() {
    let mut bucket = One::new(Gcra::new(per(1, 1_000).burst(3)).unwrap());
    let first = bucket.reserve(4_000, 3, 0).unwrap();
    let second = bucket.reserve(4_000, 3, 10_000).unwrap();
    let kept = bucket.reserve(4_000, 1, 10_000).unwrap();
    assert_eq!(kept.act_at, at(8_000 * MS));
    bucket.limit.give_back(&mut bucket.state, second, at(4_000 * MS));
    bucket.limit.give_back(&mut bucket.state, first, at(4_000 * MS));
    let next = bucket.reserve(4_000, 3, 10_000).unwrap();
    assert!(next.act_at >= at(9_000 * MS), "with the kept cell it would be four at once: {next:?}");
}

#[test]
fn a_clock_that_steps_back_refills_nothing_twice() {
    let mut bucket = One::new(Gcra::new(per(10, 1_000).burst(3)).unwrap());
    let passes = [100, 0, 0, 0, 0, 100, 100, 200, 200].map(|now| bucket.take(now, 1).is_ok());
    assert_eq!(passes, [true, true, false, false, false, true, false, true, false]);
}

#[test]
fn errors_name_the_field_the_value_and_what_is_valid() {
    fn told<T>(result: Result<T, ConfigError>) -> String {
        result.map(drop).unwrap_err().to_string()
    }
    let ten = per(10, 1_000);
    let seconds = Duration::from_secs(1);
    let burst = ten.burst(3);
    let no_burst = [
        told(FixedWindow::new(burst, Alignment::FirstCell)),
        told(WindowCounter::new(burst)),
        told(SlidingLog::new(burst)),
        told(SlidingWindow::new(burst, 1)),
        told(Pacer::new(burst, 1)),
        told(WarmUp::new(burst, seconds, 3.0)),
    ];
    assert!(no_burst.iter().all(|error| error.starts_with("`quota.burst` is 3, must be absent")), "{no_burst:?}");
    let none = Quota::per_second(0);
    let zero = [
        told(FixedWindow::new(none, Alignment::FirstCell)),
        told(WindowCounter::new(none)),
        told(SlidingLog::new(none)),
        told(TokenSteps::new(none)),
        told(Pacer::new(none, 1)),
        told(WarmUp::new(none, seconds, 3.0)),
    ];
    assert!(zero.iter().all(|error| error == "`quota.limit` is 0, must be 1 to 4294967295"), "{zero:?}");
    let year = Quota::new(1, Quota::LONGEST);
    assert_eq!(told(Pacer::new(year, 9)), "`algorithm.slack` is 9, must be at most 1: what comes back in two years");
    for factor in [f64::NAN, f64::INFINITY, -3.0, 0.0, 0.999, 100.1] {
        let error = WarmUp::new(ten, seconds, factor).unwrap_err();
        assert_eq!((error.field(), error.valid()), ("algorithm.cold_factor", "1 to 100"));
    }
    assert_eq!(told(WarmUp::new(ten, Duration::ZERO, 3.0)), "`algorithm.over` is 0ns, must be 1µs to 366 days");
    let fast = Quota::new(1_001, Duration::from_micros(1));
    assert_eq!(
        told(WarmUp::new(fast, seconds, 3.0)),
        "`quota.limit` is 1001, must be 1 to 1000: one cell a nanosecond"
    );
    assert_eq!(told(WarmUpThreshold::new(0, 1, 3)), "`count` is 0, must be 1 to 4294967295");
    assert_eq!(told(WarmUpThreshold::new(1, 0, 3)), "`warm_up` is 0, must be 1 to 4294967295 seconds");
    assert_eq!(told(WarmUpThreshold::new(1, 1, 1)), "`cold_factor` is 1, must be 2 to 100");
}

#[test]
fn a_sliding_window_counts_a_cell_for_a_whole_period_wherever_in_its_bucket_it_came() {
    for buckets in 1..=SlidingWindow::MOST_BUCKETS {
        let limit = SlidingWindow::new(Quota::new(1, Duration::from_nanos(1_003)), buckets).unwrap();
        for came in 0..1_100 {
            let mut state = <SlidingWindow as Limit>::State::default();
            limit.take(&mut state, Want::one(at(came))).unwrap();
            let Err(Refused::Later { retry_after }) = limit.take(&mut state, Want::one(at(came))) else { panic!() };
            assert!(retry_after >= 1_003, "{retry_after} ns after {came} in one of {buckets}");
            assert!(retry_after <= 1_003 + limit.bucket() + u64::from(buckets));
        }
    }
}
