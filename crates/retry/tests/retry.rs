//! Making a call again: how often, when, and with what result.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_core::random::Random;
use seawall_core::time::Timestamp;
use seawall_core::{Deadline, Jitter, Kind, Name, Rejection};
use seawall_retry::{Attempt, Budget, Config, Deposits, Errors, Event, Reason, Retry, TimedOut, Verdict};
use seawall_testkit::cancel::CancelAtEveryPoll;
use seawall_testkit::exec::Executor;

const SECOND: Duration = Duration::from_secs(1);

fn retry(executor: &Executor, config: Config) -> Retry {
    Retry::seeded(config, executor.clock(), Random::new(1)).expect("valid")
}

/// Waits of 1, 2, 4, … seconds, exactly.
fn plain() -> Config {
    Config::default().name("payment").jitter(Jitter::None).without_budget()
}

type Ending = Result<Result<u32, &'static str>, TimedOut>;

/// Makes one call whose attempts end as `results` one after the other, each after `takes`. Tells its result, the attempts, and the
/// seconds it took.
fn make(config: Config, results: &[Result<u32, &'static str>], takes: Duration) -> (Ending, usize, f64) {
    let executor = Executor::new(1);
    let retry = retry(&executor, config);
    let left = RefCell::new(results.iter().copied().collect::<VecDeque<_>>());
    let attempts = Cell::new(0);
    let clock = executor.clock();
    let ended = executor.block_on(retry.run(|attempt: Attempt| {
        attempts.set(attempts.get() + 1);
        assert_eq!(attempt.number as usize, attempts.get());
        assert_eq!(attempt.is_retry(), attempts.get() > 1);
        let (clock, left) = (clock.clone(), &left);
        async move {
            clock.sleep(takes).await;
            left.borrow_mut().pop_front().expect("an attempt too many")
        }
    }));
    let seconds = executor.now().saturating_duration_since(Timestamp::ZERO).as_secs_f64();
    (ended, attempts.get(), seconds)
}

#[test]
fn a_good_first_attempt_is_the_only_one() {
    assert_eq!(make(plain(), &[Ok(7)], SECOND), (Ok(Ok(7)), 1, 1.0));
}

#[test]
fn a_call_is_made_again_until_it_is_good() {
    let (failed, good) = (Err("down"), Ok(7));
    assert_eq!(make(plain().max_attempts(5), &[failed, failed, failed, good], SECOND), (Ok(Ok(7)), 4, 4.0 + 7.0));
}

#[test]
fn after_the_last_attempt_its_own_result_is_given() {
    let (ended, attempts, seconds) = make(plain(), &[Err("one"), Err("two"), Err("three")], Duration::ZERO);
    assert_eq!((ended, attempts, seconds), (Ok(Err("three")), 3, 3.0));
    let (ended, attempts, _) = make(plain().max_retries(3), &[Err("down"); 4], Duration::ZERO);
    assert_eq!((ended, attempts), (Ok(Err("down")), 4), "retries come after the first attempt");
}

#[test]
fn no_attempt_begins_after_the_deadline_and_none_outlives_it() {
    let config = || plain().max_attempts(10).within(6 * SECOND);
    let (ended, attempts, seconds) = make(config(), &[Err("down"); 10], Duration::ZERO);
    assert_eq!((ended, attempts, seconds), (Ok(Err("down")), 3, 3.0), "the next would begin at 7");
    let (ended, attempts, seconds) = make(config(), &[Err("down"); 10], 4 * SECOND);
    let timed_out = ended.expect_err("the second attempt was out from 5 on");
    assert!(timed_out.is_deadline());
    assert_eq!((timed_out.after(), attempts, seconds), (SECOND, 2, 6.0));
}

#[test]
fn an_attempt_that_takes_too_long_is_dropped_and_made_again() {
    let config = plain().attempt_timeout(SECOND);
    let (ended, attempts, seconds) = make(config, &[Ok(7); 3], 5 * SECOND);
    let timed_out = ended.expect_err("no attempt ended in time");
    assert_eq!((attempts, seconds), (3, 3.0 + 3.0));
    assert!(!timed_out.is_deadline());
    assert_eq!(timed_out.after(), SECOND);
    assert_eq!(timed_out.to_string(), "`payment` did not end within 1s");
    let rejection: Rejection = timed_out.into();
    assert_eq!((rejection.pattern(), rejection.reason()), ("timeout", "elapsed"));
}

#[test]
fn a_caller_whose_deadline_passed_is_refused_before_anything_is_done() {
    let executor = Executor::new(1);
    let retry = retry(&executor, plain());
    executor.block_on(executor.clock().sleep(SECOND));
    let past = Deadline::at(executor.now());
    let ended = executor.block_on(retry.run_until(past, |_| async { unreachable!("it must not be asked") }));
    let timed_out: TimedOut = Result::<Result<(), ()>, _>::expect_err(ended, "its deadline is now");
    assert!(timed_out.is_deadline() && timed_out.after().is_zero());
    assert_eq!(timed_out.to_string(), "`payment`: the deadline had passed before the call began");
    assert_eq!(retry.snapshot().total.deadline, 1);
}

#[test]
fn the_earlier_of_both_deadlines_counts_and_reaches_the_attempt() {
    let executor = Executor::new(1);
    let retry = retry(&executor, plain().within(10 * SECOND).attempt_timeout(4 * SECOND));
    let seen = RefCell::new(Vec::new());
    let clock = executor.clock();
    let until = Deadline::at(Timestamp::ZERO + 6 * SECOND);
    let ended: Result<Result<(), ()>, _> = executor.block_on(retry.run_until(until, |attempt| {
        seen.borrow_mut().push(attempt.deadline.expect("there is one").time());
        let clock = clock.clone();
        async move {
            clock.sleep(60 * SECOND).await;
            Ok(())
        }
    }));
    assert!(ended.expect_err("nothing ended").is_deadline());
    let at = |seconds: u32| Timestamp::ZERO + seconds * SECOND;
    assert_eq!(*seen.borrow(), [at(4), at(6)], "its own time, then the caller's");
    assert_eq!(executor.now(), at(6));
}

fn judged(config: Config, verdicts: &[Verdict]) -> (usize, f64, Retry) {
    let executor = Executor::new(1);
    let retry = retry(&executor, config);
    let left = RefCell::new(verdicts.iter().copied().collect::<VecDeque<_>>());
    let attempts = Cell::new(0);
    let attempt = |_| {
        attempts.set(attempts.get() + 1);
        let verdict = left.borrow_mut().pop_front().expect("an attempt too many");
        async move { verdict }
    };
    executor.block_on(retry.run_judged(attempt, |verdict: &Verdict| *verdict, None)).expect("no time limit");
    let seconds = executor.now().saturating_duration_since(Timestamp::ZERO).as_secs_f64();
    (attempts.get(), seconds, retry)
}

#[test]
fn a_final_result_is_not_tried_again() {
    let (attempts, _, retry) = judged(plain(), &[Verdict::again(), Verdict::is_final()]);
    assert_eq!((attempts, retry.snapshot().total.not_retryable), (2, 1));
}

#[test]
fn a_hint_lengthens_a_wait_and_never_shortens_it() {
    let hint = |seconds| Verdict::again().after(seconds * SECOND);
    let (attempts, seconds, _) = judged(plain(), &[hint(5), hint(1), Verdict::good()]);
    assert_eq!((attempts, seconds), (3, 5.0 + 2.0));
}

#[test]
fn a_hint_beyond_what_is_kept_to_ends_the_call() {
    let config = plain().max_hint(10 * SECOND);
    let (attempts, seconds, retry) = judged(config, &[Verdict::again().after(11 * SECOND)]);
    assert_eq!((attempts, seconds, retry.snapshot().total.hint), (1, 0.0, 1));
}

#[test]
fn a_refusal_waits_as_long_as_it_says() {
    static OPEN: Kind = Kind::new("circuit_breaker", "open");
    let executor = Executor::new(1);
    let retry = retry(&executor, plain());
    let refusal = Rejection::new(&OPEN, Name::from_static("payment")).after(8 * SECOND);
    let mut asked = Vec::new();
    let ended = executor.block_on(retry.run_judged(
        |attempt| {
            asked.push(executor.now());
            async move { if attempt.is_retry() { Ok(7) } else { Err(refusal) } }
        },
        Errors,
        None,
    ));
    assert_eq!(ended, Ok(Ok(7)));
    assert_eq!(asked, [Timestamp::ZERO, Timestamp::ZERO + 8 * SECOND]);
}

#[test]
fn waits_are_at_random_and_repeat_with_their_seed() {
    let waits = |seed| {
        let executor = Executor::new(1);
        let config = Config::default().max_attempts(8).without_budget();
        let retry = Retry::seeded(config, executor.clock(), Random::new(seed)).expect("valid");
        let ended = executor.block_on(retry.run(|_| async { Err::<(), _>("down") }));
        assert_eq!(ended, Ok(Err("down")));
        executor.now()
    };
    assert_eq!(waits(5), waits(5));
    assert_ne!(waits(5), waits(6));
    assert!(waits(5) < Timestamp::ZERO + 122 * SECOND, "1 + 2 + 4 + 8 + 16 + 30 + 30 at most, and less at random");
}

#[test]
fn every_further_attempt_and_every_end_is_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let told = told.clone();
        move |event: &Event| told.lock().expect("nobody panics").push(*event)
    };
    let _ = make(plain().observer(observer), &[Err("down"); 3], Duration::ZERO);
    let name = Name::from_static("payment");
    let again = |attempts, wait: u32| Event::Again { name, attempts, wait: wait * SECOND };
    assert_eq!(
        *told.lock().expect("nobody panics"),
        [again(1, 1), again(2, 2), Event::GivenUp { name, attempts: 3, reason: Reason::Exhausted }]
    );
}

#[test]
fn what_was_counted_can_be_seen() {
    let executor = Executor::new(1);
    let retry = retry(&executor, plain());
    let calls: [&[bool]; 4] = [&[true], &[false, true], &[false, false, false], &[true]];
    for results in calls {
        let mut left = results.iter();
        let _ = executor.block_on(retry.run(|_| {
            let good = *left.next().expect("an attempt too many");
            async move { if good { Ok(()) } else { Err(()) } }
        }));
    }
    let total = retry.snapshot().total;
    assert_eq!((total.first_good, total.later_good, total.exhausted, total.retries), (2, 1, 1, 3));
}

/// An attempt that is out.
struct Out<'a>(&'a Cell<i32>);

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn wherever_a_call_is_dropped_its_attempt_is_dropped_too() {
    let executor = Executor::new(1);
    let retry = retry(&executor, plain().fixed(Duration::ZERO).max_attempts(3));
    let out = Cell::new(0_i32);
    let polls = CancelAtEveryPoll::new().between(|_| ()).run(
        || {
            retry.run(|_| {
                out.set(out.get() + 1);
                let held = Out(&out);
                async move {
                    let mut first = true;
                    std::future::poll_fn(|cx| {
                        if std::mem::take(&mut first) {
                            cx.waker().wake_by_ref();
                            return std::task::Poll::Pending;
                        }
                        std::task::Poll::Ready(())
                    })
                    .await;
                    drop(held);
                    Err::<(), _>("down")
                }
            })
        },
        |_| assert_eq!(out.get(), 0, "an attempt outlived its call"),
    );
    assert!(polls >= 4, "{polls} polls");
    assert!(retry.snapshot().total.abandoned > 0);
}

#[test]
fn what_cannot_be_is_named_with_its_value_and_what_would_be_valid() {
    let config = Config::default;
    let year = Duration::from_secs(400 * 24 * 3600);
    let wrong = [
        (config().max_attempts(0), "max_attempts", "0", "1 to 1000"),
        (config().max_attempts(1_001), "max_attempts", "1001", "1 to 1000"),
        (config().max_retries(u32::MAX), "max_attempts", "4294967295", "1 to 1000"),
        (config().name(""), "name", "\"\"", "1 to 31 bytes of printable text"),
        (config().within(Duration::ZERO), "within", "0ns", "above zero and at most 366 days"),
        (config().attempt_timeout(Duration::ZERO), "attempt_timeout", "0ns", "above zero and at most 366 days"),
        (config().within(year), "within", "34560000s", "above zero and at most 366 days"),
        (config().max_hint(year), "max_hint", "34560000s", "at most 366 days"),
        (config().fixed(year), "backoff.fixed.wait", "34560000s", "at most 366 days"),
        (
            config().exponential(SECOND, f64::NAN, SECOND),
            "backoff.exponential.multiplier",
            "NaN",
            "a number of at least 1",
        ),
        (config().exponential(SECOND, 0.5, SECOND), "backoff.exponential.multiplier", "0.5", "a number of at least 1"),
        (config().exponential(2 * SECOND, 2.0, SECOND), "backoff.exponential.max", "1s", "at least the initial 2s"),
        (config().linear(2 * SECOND, SECOND, SECOND), "backoff.linear.max", "1s", "at least the initial 2s"),
        (config().linear(SECOND, year, SECOND), "backoff.linear.step", "34560000s", "at most 366 days"),
        (
            config().decorrelated(Duration::ZERO, SECOND),
            "backoff.decorrelated.initial",
            "0ns",
            "above zero and at most 366 days",
        ),
        (config().decorrelated(2 * SECOND, SECOND), "backoff.decorrelated.max", "1s", "at least the initial 2s"),
        (config().polynomial(SECOND, 17, SECOND), "backoff.polynomial.exponent", "17", "1 to 16"),
        (config().polynomial(2 * SECOND, 4, SECOND), "backoff.polynomial.max", "1s", "at least the initial 2s"),
        (config().polynomial(SECOND, 4, year), "backoff.polynomial.max", "34560000s", "at most 366 days"),
        (config().jitter(Jitter::Below(101)), "jitter.below", "101", "0 to 100 percent"),
        (config().jitter(Jitter::Spread(101)), "jitter.spread", "101", "0 to 100 percent"),
    ];
    let executor = Executor::new(1);
    let running = retry(&executor, config());
    for (config, field, value, valid) in wrong {
        let error = Retry::new(config.clone()).expect_err(field);
        assert_eq!((error.field(), error.value(), error.valid()), (field, value, valid));
        running.reconfigure(config).expect_err(field);
    }
    assert_eq!(running.snapshot().max_attempts, 3, "nothing has changed");
    let error = running.reconfigure(Config::default().name("other")).expect_err("another name");
    assert_eq!(error.field(), "name");
}

#[test]
fn a_new_configuration_reaches_calls_that_are_out() {
    let executor = Executor::new(1);
    let retry = retry(&executor, plain().max_attempts(2));
    let asked = Cell::new(0);
    let ended = executor.block_on(retry.run(|_| {
        asked.set(asked.get() + 1);
        retry.reconfigure(plain().max_attempts(5)).expect("valid");
        async { Err::<(), _>("down") }
    }));
    assert_eq!((ended, asked.get()), (Ok(Err("down")), 5));
}

#[test]
fn a_call_that_is_dropped_while_it_waits_takes_back_what_it_had_paid() {
    let executor = Executor::new(1);
    let budget = Budget::with_clock(Deposits::default().ratio(0.0).per_second(0.1), executor.clock()).expect("valid");
    let retry = retry(&executor, plain().budget(budget.clone()));
    let clock = executor.clock();
    for (takes, spent) in [(Duration::ZERO, 0), (60 * SECOND, 1)] {
        let call = retry.run(|attempt: Attempt| {
            let (clock, takes) = (clock.clone(), if attempt.is_retry() { takes } else { Duration::ZERO });
            async move {
                clock.sleep(takes).await;
                Err::<(), _>("down")
            }
        });
        // The second attempt begins after a second.
        let patience = if takes.is_zero() { SECOND / 2 } else { 2 * SECOND };
        executor.block_on(async {
            let (mut call, mut alarm) = (std::pin::pin!(call), std::pin::pin!(clock.sleep(patience)));
            std::future::poll_fn(|cx| {
                assert!(call.as_mut().poll(cx).is_pending());
                alarm.as_mut().poll(cx)
            })
            .await;
        });
        let seen = budget.snapshot();
        assert_eq!(seen.spent - seen.given_back, spent, "{seen:?}");
        assert_eq!(seen.extra_in_flight, 0, "{seen:?}");
    }
}
