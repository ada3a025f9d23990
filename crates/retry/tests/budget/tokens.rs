//! gRPC's throttling of retries.

use seawall_core::Outcome::{Failure, Ignored, Success};
use seawall_retry::Tokens;

use super::budget;

#[test]
fn failures_take_tokens_and_successes_return_a_share() {
    let (budget, _time) = budget(Tokens::default().max(4).ratio(0.8));
    assert!(budget.can_spend());
    let steps = [
        (Failure, 3.0, true),
        (Failure, 2.0, false),
        (Failure, 1.0, false),
        (Failure, 0.0, false),
        (Failure, 0.0, false),
        (Success, 0.8, false),
        (Success, 1.6, false),
        (Success, 2.4, true),
        (Ignored, 2.4, true),
        (Success, 3.2, true),
        (Success, 4.0, true),
        (Success, 4.0, true),
        (Failure, 3.0, true),
        (Failure, 2.0, false),
    ];
    for (step, (outcome, tokens, above)) in steps.into_iter().enumerate() {
        budget.record(outcome);
        let snapshot = budget.snapshot();
        assert_eq!((snapshot.balance, snapshot.can_spend), (tokens, above), "step {step}");
        assert_eq!(budget.spend().is_some(), above, "step {step}");
    }
}

#[test]
fn a_half_of_an_odd_number_is_a_half() {
    let (budget, _time) = budget(Tokens::default().max(5).ratio(0.5));
    for above in [true, true, false] {
        budget.record(Failure);
        assert_eq!(budget.can_spend(), above);
    }
    budget.record(Success);
    assert!(!budget.can_spend(), "2.5 of 5 is not more than a half");
    budget.record(Success);
    assert!(budget.can_spend());
}

#[test]
fn other_values_keep_the_tokens_up_to_the_new_maximum() {
    let (budget, _time) = budget(Tokens::default().max(10).ratio(1.0));
    (0..4).for_each(|_| budget.record(Failure));
    budget.reconfigure(Tokens::default().max(20).ratio(0.5)).expect("valid");
    budget.record(Success);
    assert_eq!(budget.snapshot().balance, 6.5);
    budget.reconfigure(Tokens::default().max(4).ratio(0.5)).expect("valid");
    assert_eq!(budget.snapshot().balance, 4.0);
    budget.reconfigure(Tokens::default().max(20).ratio(0.5)).expect("valid");
    assert_eq!(budget.snapshot().balance, 4.0);
}

/// A server that is up only for these of all the attempts that reach it, and a client of four attempts a call.
#[test]
fn a_throttled_client_stops_retrying_and_begins_again() {
    const UP_AT: [usize; 10] = [0, 3, 6, 10, 11, 12, 13, 14, 16, 18];
    let (budget, _time) = budget(Tokens::default().max(10).ratio(0.5));
    let mut next = 0;
    let mut call = || {
        for attempt in 1.. {
            let good = UP_AT.contains(&next);
            next += 1;
            budget.record(if good { Success } else { Failure });
            if good || attempt == 4 || budget.spend().is_none() {
                return (good, next - 1);
            }
        }
        unreachable!("a call has four attempts")
    };
    let ended: Vec<_> = (0..12).map(|_| call()).collect();
    let up = |at| (true, at);
    let down = |at| (false, at);
    assert_eq!(
        ended,
        [up(0), up(3), up(6), down(8), down(9), up(10), up(11), up(12), up(13), up(14), up(16), down(17)]
    );
}
