//! Making a call once more beside the first: when, how often, and whose answer is given.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_core::time::{Clock, Timestamp};
use seawall_core::{Deadline, Name};
use seawall_retry::{Attempt, Hedge, HedgeConfig, HedgeDelay, HedgeEvent, Verdict};
use seawall_testkit::exec::Executor;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn after(delay: Duration, hedges: u32) -> HedgeConfig {
    HedgeConfig::default().name("catalogue").delay(delay).max_hedges(hedges).without_budget()
}

/// Attempts that are out, and how many there ever were.
#[derive(Clone, Default)]
struct Desk {
    out: Rc<Cell<u32>>,
    began: Rc<RefCell<Vec<Timestamp>>>,
}

struct Out(Rc<Cell<u32>>);

impl Drop for Out {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Desk {
    /// An attempt that takes so long and ends so.
    fn attempt<T>(&self, clock: &Clock, takes: Duration, ends: T) -> impl Future<Output = T> + use<T> {
        self.began.borrow_mut().push(clock.now());
        self.out.set(self.out.get() + 1);
        let (out, clock) = (Out(self.out.clone()), clock.clone());
        async move {
            clock.sleep(takes).await;
            drop(out);
            ends
        }
    }

    fn attempts(&self) -> usize {
        self.began.borrow().len()
    }
}

type Answer = Result<&'static str, &'static str>;

/// Makes one call whose attempts are these: how long each takes and how it ends. Tells the answer, how many attempts began, and the
/// milliseconds it took.
fn race(config: HedgeConfig, attempts: &[(u32, Answer)]) -> (Answer, usize, u128) {
    let executor = Executor::new(3);
    let hedge = Hedge::with_clock(config, executor.clock()).expect("valid");
    let desk = Desk::default();
    let answer = executor.block_on(hedge.run(|attempt: Attempt| {
        let (takes, ends) = attempts[attempt.number as usize - 1];
        desk.attempt(&executor.clock(), takes * MS, ends)
    }));
    assert_eq!(desk.out.get(), 0, "an attempt outlived its call");
    let took = executor.now().saturating_duration_since(Timestamp::ZERO).as_millis();
    (answer, desk.attempts(), took)
}

#[test]
fn a_call_that_is_answered_in_time_is_made_once() {
    assert_eq!(race(after(10 * MS, 2), &[(9, Ok("first"))]), (Ok("first"), 1, 9));
}

#[test]
fn the_first_good_answer_is_given_and_the_others_are_dropped() {
    let attempts = [(86_400_000, Ok("first")), (10_000, Ok("apples")), (2_000, Ok("oranges")), (3_000, Ok("pears"))];
    assert_eq!(race(after(SECOND, 3), &attempts), (Ok("oranges"), 4, 4_000));
}

#[test]
fn of_two_answers_at_once_the_first_attempts_is_given() {
    assert_eq!(race(after(20 * MS, 1), &[(100, Ok("first")), (80, Ok("hedge"))]), (Ok("first"), 2, 100));
}

#[test]
fn an_attempt_that_fails_brings_the_next_at_once() {
    let attempts = [(5, Err("first")), (5, Err("second")), (5, Ok("third"))];
    assert_eq!(race(after(SECOND, 2), &attempts), (Ok("third"), 3, 15));
}

#[test]
fn when_none_is_good_the_first_attempts_result_is_given() {
    let attempts = [(5, Err("first")), (50, Err("second")), (10, Err("third"))];
    assert_eq!(race(after(SECOND, 2), &attempts), (Err("first"), 3, 65));
    let slow_first = [(90, Err("first")), (10, Err("second")), (10, Err("third"))];
    assert_eq!(race(after(20 * MS, 2), &slow_first), (Err("first"), 3, 90));
}

#[test]
fn without_a_delay_all_begin_at_once() {
    assert_eq!(race(after(Duration::ZERO, 2), &[(9, Ok("a")), (7, Ok("b")), (8, Ok("c"))]), (Ok("b"), 3, 7));
}

#[test]
fn hedging_can_be_off() {
    let config = HedgeConfig::default().delay(HedgeDelay::Never).without_budget();
    assert_eq!(race(config.clone(), &[(60_000, Ok("first"))]), (Ok("first"), 1, 60_000));
    assert_eq!(race(config, &[(1, Err("first"))]), (Err("first"), 1, 1));
}

#[test]
fn a_result_that_no_other_attempt_would_change_is_given_at_once() {
    let executor = Executor::new(3);
    let hedge = Hedge::with_clock(after(10 * MS, 2), executor.clock()).expect("valid");
    let desk = Desk::default();
    let ends = [(100, Verdict::good()), (5, Verdict::is_final()), (5, Verdict::good())];
    let attempt = |attempt: Attempt| {
        let (takes, verdict) = ends[attempt.number as usize - 1];
        desk.attempt(&executor.clock(), takes * MS, verdict)
    };
    let answer = executor.block_on(hedge.run_judged(attempt, |verdict: &Verdict| *verdict, None));
    assert_eq!((answer, desk.attempts(), desk.out.get()), (Verdict::is_final(), 2, 0));
}

#[test]
fn no_hedge_begins_at_the_deadline_or_after() {
    let executor = Executor::new(3);
    let hedge = Hedge::with_clock(after(10 * MS, 5), executor.clock()).expect("valid");
    let desk = Desk::default();
    let deadline = Some(Deadline::at(Timestamp::ZERO + 30 * MS));
    let attempt = |_| desk.attempt(&executor.clock(), 100 * MS, Verdict::good());
    executor.block_on(hedge.run_judged(attempt, |verdict: &Verdict| *verdict, deadline));
    assert_eq!(*desk.began.borrow(), [0, 10, 20].map(|ms: u32| Timestamp::ZERO + ms * MS));
}

#[test]
fn the_delay_follows_the_calls() {
    let executor = Executor::new(3);
    let delay = HedgeDelay::quantile(0.95).window(30).warm_up(20);
    let hedge =
        Hedge::with_clock(HedgeConfig::default().delay(delay).without_budget(), executor.clock()).expect("valid");
    let desk = Desk::default();
    let call = |takes: u32, hedged: u32| {
        executor.block_on(hedge.run(|attempt: Attempt| {
            let takes = if attempt.is_retry() { hedged } else { takes };
            desk.attempt(&executor.clock(), takes * MS, Ok::<_, ()>(()))
        }))
    };
    for _ in 0..19 {
        call(5, 0).expect("good");
    }
    assert_eq!(hedge.delay(), None, "19 calls are not 20");
    for _ in 0..6 {
        call(5, 0).expect("good");
    }
    assert_eq!((hedge.delay(), desk.attempts()), (Some(5 * MS), 25));
    call(200, 0).expect("good");
    assert_eq!((desk.attempts(), hedge.snapshot().total.hedge), (27, 1));
    // The two slowest of 30 had run for 9 ms when they were dropped.
    call(200, 4).expect("good");
    call(200, 4).expect("good");
    assert_eq!(hedge.delay(), Some(9 * MS), "a slow call is not forgotten because it was hedged");
}

#[test]
fn a_quick_error_does_not_shorten_the_delay() {
    let executor = Executor::new(3);
    let delay = HedgeDelay::mean(1.0).window(10).warm_up(1);
    let hedge =
        Hedge::with_clock(HedgeConfig::default().delay(delay).without_budget(), executor.clock()).expect("valid");
    let desk = Desk::default();
    let call = |takes: u32, ends: Answer| {
        let _ = executor.block_on(hedge.run(|attempt: Attempt| {
            desk.attempt(&executor.clock(), if attempt.is_retry() { 60_000 * MS } else { takes * MS }, ends)
        }));
    };
    call(10, Ok("good"));
    call(1, Err("refused"));
    assert_eq!(hedge.delay(), Some(10 * MS));
    call(30, Err("timed out"));
    assert_eq!(hedge.delay(), Some(20 * MS));
}

#[test]
fn hedges_and_answers_are_counted_and_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let told = told.clone();
        move |event: &HedgeEvent| told.lock().expect("nobody panics").push(*event)
    };
    let executor = Executor::new(3);
    let hedge = Hedge::with_clock(after(10 * MS, 2).observer(observer), executor.clock()).expect("valid");
    let desk = Desk::default();
    let calls: [&[(u32, Answer)]; 4] = [
        &[(1, Ok("first"))],
        &[(100, Ok("first")), (1, Ok("hedge"))],
        &[(1, Err("a")), (1, Err("b")), (1, Err("c"))],
        &[(15, Ok("first")), (10, Ok("hedge"))],
    ];
    for attempts in calls {
        let _ = executor.block_on(hedge.run(|attempt: Attempt| {
            let (takes, ends) = attempts[attempt.number as usize - 1];
            desk.attempt(&executor.clock(), takes * MS, ends)
        }));
    }
    drop(hedge.run(|_| desk.attempt(&executor.clock(), MS, Ok::<(), ()>(()))));
    let total = hedge.snapshot().total;
    assert_eq!((total.first, total.hedge, total.none, total.hedges), (2, 1, 1, 4));
    let name = Name::from_static("catalogue");
    let hedged = |hedge| HedgeEvent::Hedged { name, hedge };
    assert_eq!(*told.lock().expect("nobody panics"), [hedged(1), hedged(1), hedged(2), hedged(1)]);
}

#[test]
fn wherever_a_call_is_dropped_all_its_attempts_are() {
    for polls in 0..6 {
        let (clock, time) = Clock::manual();
        let hedge = Hedge::with_clock(after(10 * MS, 2), clock.clone()).expect("valid");
        let desk = Desk::default();
        {
            let call = hedge.run(|_| desk.attempt(&clock, SECOND, Ok::<(), ()>(())));
            let mut call = std::pin::pin!(call);
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            for _ in 0..polls {
                assert!(call.as_mut().poll(&mut cx).is_pending());
                time.advance(10 * MS);
            }
        }
        assert_eq!(desk.attempts(), polls.min(3));
        assert_eq!(desk.out.get(), 0, "after {polls} polls an attempt outlived its call");
        assert_eq!(hedge.snapshot().total.abandoned, u64::from(polls > 0));
    }
}

#[test]
fn what_cannot_be_is_named_with_its_value_and_what_would_be_valid() {
    let config = HedgeConfig::default;
    let year = Duration::from_secs(400 * 24 * 3600);
    let quantile = |it| config().delay(HedgeDelay::quantile(it));
    let mean = HedgeDelay::mean;
    let wrong = [
        (config().max_hedges(0), "max_hedges", "0", "1 to 10"),
        (config().max_hedges(11), "max_hedges", "11", "1 to 10"),
        (config().name("two\nlines"), "name", "\"two\\nlines\"", "1 to 31 bytes of printable text"),
        (config().delay(year), "delay.fixed", "34560000s", "at most 366 days"),
        (quantile(0.0), "delay.quantile.quantile", "0", "a number above 0 and below 1"),
        (quantile(1.0), "delay.quantile.quantile", "1", "a number above 0 and below 1"),
        (quantile(f64::NAN), "delay.quantile.quantile", "NaN", "a number above 0 and below 1"),
        (config().delay(HedgeDelay::quantile(0.5).window(0)), "delay.quantile.window", "0", "1 to 10000"),
        (config().delay(HedgeDelay::quantile(0.5).window(9).warm_up(10)), "delay.quantile.warm_up", "10", "1 to 9"),
        (config().delay(mean(-1.0)), "delay.mean.factor", "-1", "a number of at least 0"),
        (config().delay(mean(f64::INFINITY)), "delay.mean.factor", "inf", "a number of at least 0"),
        (config().delay(mean(1.0).plus(year)), "delay.mean.plus", "34560000s", "at most 366 days"),
    ];
    let running = Hedge::new(after(SECOND, 2)).expect("valid");
    for (config, field, value, valid) in wrong {
        let error = Hedge::new(config.clone()).expect_err(field);
        assert_eq!((error.field(), error.value(), error.valid()), (field, value, valid));
        assert_eq!(running.reconfigure(config).expect_err(field).field(), field);
        assert_eq!(running.delay(), Some(SECOND), "nothing has changed");
    }
}

#[test]
fn a_new_delay_holds_for_the_next_call() {
    let executor = Executor::new(3);
    let hedge = Hedge::with_clock(after(SECOND, 1), executor.clock()).expect("valid");
    hedge.reconfigure(after(10 * MS, 1)).expect("valid");
    let desk = Desk::default();
    let answer = executor.block_on(hedge.run(|attempt: Attempt| {
        desk.attempt(&executor.clock(), if attempt.is_retry() { MS } else { SECOND }, Ok::<_, ()>(attempt.number))
    }));
    assert_eq!((answer, executor.now()), (Ok(2), Timestamp::ZERO + 11 * MS));
}
