//! Whatever calls do and time does, the throttle shows what a list of all events says, and refuses by that.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use seawall_circuit_breaker::throttle::{Config, Formula};
use seawall_core::Outcome;

use crate::model::History;
use crate::throttle;

const BUCKET: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
enum Op {
    Ask,
    /// The oldest call that runs ends so.
    End(How),
    Record(Outcome),
    Advance(u32),
    Look,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Well,
    Badly,
    Ignored,
    Cancelled,
    Dropped,
}

/// At most 128 requests, so that no decision may lack any.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let how = prop_oneof![
        5 => Just(How::Well),
        2 => Just(How::Badly),
        1 => Just(How::Ignored),
        1 => Just(How::Cancelled),
        1 => Just(How::Dropped),
    ];
    let op = prop_oneof![
        8 => Just(Op::Ask),
        6 => how.prop_map(Op::End),
        1 => prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Ignored)].prop_map(Op::Record),
        3 => (1..3_000_000_u32).prop_map(Op::Advance),
        1 => (1..20_000_000_u32).prop_map(Op::Advance),
        1 => Just(Op::Look),
    ];
    prop::collection::vec(op, 1..127)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/throttle/regressions.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_throttle_decides_as_the_list_of_all_events_says(
        ops in ops(), buckets in 1..12_u32, k in 1.01..4.0, minimum in 0..20_u32, seed in any::<Option<u64>>(),
    ) {
        let window = BUCKET * buckets;
        let config = Config::default().k(k).minimum_calls(minimum).window(window).buckets(buckets);
        let (throttle, time) = throttle(match seed {
            Some(seed) => config.seed(seed),
            None => config,
        });
        let formula = Formula::new(k).expect("valid").minimum_calls(u64::from(minimum));
        let mut history = History::new(window, buckets);
        let mut running = std::collections::VecDeque::new();
        // When somebody last had to notice the time.
        let mut looked = 0;
        for op in ops {
            let now = time.now().as_nanos();
            match op {
                Op::Ask => {
                    let (requests, accepts) = (history.requests(now), history.accepts(now));
                    let least = formula.probability(requests.0, accepts.1);
                    let most = formula.probability(requests.1, accepts.0);
                    let decided = throttle.try_admit();
                    match &decided {
                        Ok(_) => prop_assert!(least < 1.0),
                        Err(refusal) => {
                            let probability = refusal.probability();
                            prop_assert!(probability > 0.0);
                            prop_assert!(
                                (least - 1e-12..=most + 1e-12).contains(&probability),
                                "{} is not within {} and {}", probability, least, most
                            );
                        }
                    }
                    history.ask(now, decided.is_err());
                    running.extend(decided);
                    looked = now;
                }
                Op::End(how) => {
                    let Some(permit) = running.pop_front() else { continue };
                    match how {
                        How::Well => {
                            permit.success();
                            history.accept(looked, now);
                        }
                        How::Badly => permit.failure(),
                        How::Ignored => {
                            permit.ignore();
                            history.withdraw(looked, now);
                        }
                        How::Cancelled => {
                            permit.cancel();
                            history.withdraw(looked, now);
                        }
                        How::Dropped => drop(permit),
                    }
                }
                Op::Record(outcome) => {
                    throttle.record(outcome);
                    history.ask(now, false);
                    looked = now;
                    match outcome {
                        Outcome::Success => history.accept(now, now),
                        Outcome::Ignored => history.withdraw(now, now),
                        _ => {}
                    }
                }
                Op::Advance(nanos) => time.advance(Duration::from_nanos(u64::from(nanos))),
                Op::Look => {
                    let snapshot = throttle.snapshot();
                    let (requests, accepts) = (history.requests(now), history.accepts(now));
                    prop_assert!((requests.0..=requests.1).contains(&snapshot.requests), "{:?}", requests);
                    prop_assert!((accepts.0..=accepts.1).contains(&snapshot.accepts), "{:?}", accepts);
                    prop_assert_eq!(snapshot.refused, history.refused(now));
                    let exact = formula.probability(snapshot.requests, snapshot.accepts);
                    prop_assert!((snapshot.probability - exact).abs() < 1e-15);
                    looked = now;
                }
            }
        }
    }
}
