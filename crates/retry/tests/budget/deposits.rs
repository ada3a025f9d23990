//! Calls that pay for extra attempts.

use std::time::Duration;

use seawall_core::time::Timestamp;
use seawall_retry::{Budget, Deposits};

use super::{SECOND, budget, calls, spend_all};

const NOTHING_FREE: f64 = 0.0;

fn ratio(ratio: f64) -> Deposits {
    Deposits::default().ratio(ratio).per_second(NOTHING_FREE)
}

#[test]
fn a_share_of_the_calls_is_exactly_that_share() {
    for (share, of_ten_thousand) in [
        (0.0, 0),
        (0.0001, 1),
        (0.001, 10),
        (0.01, 100),
        (0.1, 1_000),
        (0.2, 2_000),
        (0.3, 3_000),
        (0.7, 7_000),
        (0.9999, 9_999),
        (1.0, 10_000),
        (1.5, 15_000),
        (2.0, 20_000),
    ] {
        let (budget, _time) = budget(ratio(share));
        assert!(budget.spend().is_none(), "{share}: nothing was paid yet");
        calls(&budget, 10_000);
        assert_eq!(spend_all(&budget).len(), of_ten_thousand, "{share}");
    }
}

#[test]
fn a_part_of_an_extra_attempt_is_kept_until_it_is_whole() {
    let (budget, _time) = budget(ratio(0.3));
    let granted: Vec<bool> = (0..10)
        .map(|_| {
            calls(&budget, 1);
            budget.spend().is_some()
        })
        .collect();
    assert_eq!(granted, (1..=10).map(|call| [4, 7, 10].contains(&call)).collect::<Vec<_>>());
}

#[test]
fn the_free_ones_of_a_whole_ttl_may_be_spent_at_once_and_come_back_after_it() {
    let (budget, time) = budget(Deposits::default().ratio(0.0).per_second(5.0).ttl(2 * SECOND));
    let out = spend_all(&budget);
    assert_eq!(out.len(), 10);
    drop(out);
    time.advance(Duration::from_nanos(1_999_999_999));
    assert!(budget.spend().is_none(), "less than the ttl after");
    time.advance(Duration::from_nanos(1));
    assert_eq!(spend_all(&budget).len(), 10);
}

#[test]
fn a_call_pays_for_nine_tenths_of_the_ttl_and_never_longer_than_it() {
    for offset in [0, 1, 50, 99] {
        let ttl = SECOND;
        let (budget, time) = budget(ratio(1.0).ttl(ttl));
        time.advance(Duration::from_millis(offset));
        calls(&budget, 1);
        let begun = time.now();
        time.advance_to(begun + ttl * 9 / 10);
        assert!(budget.can_spend(), "{offset}");
        time.advance_to(begun + ttl);
        assert!(!budget.can_spend(), "{offset}");
    }
}

/// A sliding window: what was spent counts against the calls that come later too, until it is as old as the ttl.
#[test]
fn whoever_spends_everything_at_once_has_nothing_until_that_is_forgotten() {
    let (budget, time) = budget(ratio(0.5));
    let second = || {
        time.advance(SECOND);
        calls(&budget, 2);
        spend_all(&budget).len()
    };
    let spent_each: Vec<_> = (0..20).map(|_| second()).collect();
    assert_eq!(spent_each, [1; 20], "whoever spends as it comes always has something");
    for _ in 0..10 {
        time.advance(SECOND);
        calls(&budget, 2);
    }
    let second = || {
        let spent = spend_all(&budget).len();
        time.advance(SECOND);
        calls(&budget, 2);
        spent
    };
    let spent: Vec<_> = (0..21).map(|_| second()).collect();
    assert_eq!(spent, [10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10]);
}

#[test]
fn what_was_never_begun_costs_nothing() {
    let (budget, _time) = budget(ratio(1.0));
    calls(&budget, 1);
    for _ in 0..3 {
        budget.spend().expect("it was given back").cancel();
    }
    drop(budget.spend().expect("it was given back"));
    assert!(budget.spend().is_none(), "this one ran");
}

#[test]
fn what_is_given_back_after_it_was_forgotten_gives_nothing_to_others() {
    let (budget, time) = budget(ratio(0.0).per_second(1.0));
    let waits = budget.spend().expect("free");
    time.advance(11 * SECOND);
    assert_eq!(spend_all(&budget).len(), 10);
    waits.cancel();
    assert!(budget.spend().is_none(), "it was forgotten, so there is nothing to give back");
}

#[test]
fn of_two_that_are_out_the_older_is_given_back() {
    let (budget, time) = budget(ratio(0.0).per_second(0.2));
    let (first, second);
    first = budget.spend().expect("free");
    time.advance(5 * SECOND);
    second = budget.spend().expect("free");
    second.cancel();
    // The first one still counts, as if it had been paid for when the second was.
    assert_eq!(spend_all(&budget).len(), 1);
    drop(first);
    time.advance(5 * SECOND);
    assert_eq!(budget.snapshot().balance, 0.0, "both of five seconds ago count");
    time.advance(5 * SECOND);
    assert_eq!(budget.snapshot().balance, 2.0);
}

#[test]
fn clones_pay_from_one_budget() {
    let (budget, _time) = budget(ratio(1.0));
    calls(&budget.clone(), 1);
    assert!(budget.spend().is_some());
    assert!(budget.clone().spend().is_none());
}

#[test]
fn a_clock_that_steps_back_gives_nothing() {
    for back in [Duration::from_nanos(1), SECOND, 2 * SECOND, 5 * SECOND, 100 * SECOND] {
        let (budget, time) = budget(Deposits::default());
        time.advance(100 * SECOND);
        calls(&budget, 50);
        assert_eq!(spend_all(&budget).len(), 110);
        time.step_back(back);
        assert!(budget.spend().is_none(), "{back:?}");
        calls(&budget, 5);
        assert_eq!(spend_all(&budget).len(), 1, "{back:?}: calls pay as ever");
        assert!(budget.spend().is_none(), "{back:?}");
    }
}

#[test]
fn a_clock_that_steps_back_far_locks_nobody_out() {
    let (budget, time) = budget(Deposits::default().ratio(0.0));
    time.advance(3_600 * SECOND);
    assert_eq!(spend_all(&budget).len(), 100);
    time.step_back(3_600 * SECOND);
    assert!(budget.spend().is_none(), "what was spent keeps its age");
    time.advance(12 * SECOND);
    assert_eq!(spend_all(&budget).len(), 100, "and grows older from there");
}

#[test]
fn calls_do_not_pay_for_ever_when_a_clock_stepped_back() {
    let (budget, time) = budget(ratio(0.1));
    time.advance(3_600 * SECOND);
    calls(&budget, 1);
    time.step_back(3_600 * SECOND);
    for _ in 0..60 {
        time.advance(SECOND);
        calls(&budget, 10);
    }
    assert_eq!(budget.snapshot().balance, 10.0, "those of ten seconds, not of sixty");
}

/// Threads on several processors may read times that are apart by less than they think.
#[test]
fn times_that_waver_around_the_end_of_a_bucket_forget_nothing() {
    let (budget, time) = budget(Deposits::default().ratio(0.0));
    time.advance(Duration::from_nanos(19_999_999_999));
    assert_eq!(spend_all(&budget).len(), 100);
    for _ in 0..100 {
        time.advance(Duration::from_nanos(2));
        assert!(budget.spend().is_none());
        time.step_back(Duration::from_nanos(2));
        assert!(budget.spend().is_none());
    }
}

#[test]
fn the_end_of_time_does_not_panic() {
    let (budget, time) = budget(Deposits::default());
    calls(&budget, 5);
    time.advance_to(Timestamp::NEVER);
    calls(&budget, 5);
    assert_eq!(spend_all(&budget).len(), 101);
    calls(&budget, 5);
    assert!(budget.spend().is_some());
    budget.reconfigure(Deposits::default().ttl(3 * SECOND)).expect("valid");
    budget.snapshot();
}

#[test]
fn other_rates_are_taken_over_with_what_was_counted() {
    let (budget, _time) = budget(ratio(0.1));
    calls(&budget, 100);
    assert_eq!(spend_all(&budget).len(), 10);
    budget.reconfigure(ratio(0.3)).expect("valid");
    assert_eq!(spend_all(&budget).len(), 20, "the same hundred calls pay more");
    budget.reconfigure(ratio(0.1)).expect("valid");
    assert_eq!(budget.snapshot().balance, 0.0);
    calls(&budget, 200);
    assert!(budget.spend().is_none(), "300 calls have paid for what was spent");
    calls(&budget, 10);
    assert!(budget.spend().is_some());
}

#[test]
fn another_ttl_makes_no_call_pay_for_longer_and_no_extra_attempt_count_for_less() {
    let (budget, time) = budget(ratio(1.0).ttl(10 * SECOND));
    time.advance(Duration::from_millis(9_900));
    calls(&budget, 4);
    drop(budget.spend());
    time.advance(Duration::from_millis(2_100));
    budget.reconfigure(ratio(1.0).ttl(5 * SECOND)).expect("valid");
    assert_eq!(budget.snapshot().balance, 3.0);
    time.advance(Duration::from_millis(2_500));
    assert_eq!(owed(&budget), 1, "the calls are dated 9s, where their bucket began, the extra one 9.9s");
    time.advance(Duration::from_millis(400));
    assert_eq!(owed(&budget), 0, "5s after it was spent");
}

#[test]
fn another_ttl_makes_no_call_younger_that_began_before_the_clock_stepped_back() {
    let (budget, time) = budget(ratio(1.0));
    time.advance(100 * SECOND);
    calls(&budget, 4);
    time.advance(9 * SECOND);
    calls(&budget, 1);
    assert_eq!(budget.snapshot().balance, 5.0);
    time.step_back(108 * SECOND);
    budget.reconfigure(ratio(1.0).ttl(20 * SECOND)).expect("valid");
    time.advance(15 * SECOND);
    assert_eq!(budget.snapshot().balance, 1.0, "the last one is 15 seconds old, the others 24");
}

/// How many calls it takes until an extra attempt may begin, where each pays for one: one more than are owed.
fn owed(budget: &Budget) -> usize {
    let mut owed = 0;
    loop {
        calls(budget, 1);
        if budget.can_spend() {
            return owed;
        }
        owed += 1;
    }
}
