use std::cell::{Cell, RefCell};
use std::error::Error;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use seawall_core::time::Timestamp;
use seawall_core::{Deadline, Rejection};
use seawall_retry::TimeoutConfig;
use seawall_testkit::cancel::{CancelAtEveryPoll, cancel_at_every_poll};
use seawall_testkit::drive::poll;
use seawall_testkit::exec::{Executor, yield_now};

use crate::{MS, NS, counted, just_under, timeout};

/// Tells when it is dropped.
struct Bell<'a>(&'a Cell<u32>);

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_call_that_ends_in_time_keeps_its_own_result() {
    let (timeout, clock, time) = timeout(100 * MS);
    let mut call = pin!(timeout.run(async {
        clock.sleep(99 * MS).await;
        Err::<(), _>("sold out")
    }));
    assert!(poll(call.as_mut()).is_pending());
    time.advance(99 * MS);
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(Err("sold out"))));
    assert_eq!(counted(&timeout), [1, 0, 0, 0, 0]);
}

#[test]
fn a_call_that_takes_longer_is_dropped_and_told_apart() {
    let (timeout, _clock, time) = timeout(100 * MS);
    let dropped = Cell::new(0);
    let bell = Bell(&dropped);
    let mut call = pin!(timeout.run(async {
        let _bell = bell;
        std::future::pending::<()>().await;
    }));
    assert!(poll(call.as_mut()).is_pending());
    time.advance(Duration::from_nanos(99_999_999));
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!(dropped.get(), 0);
    time.advance(NS);
    let Poll::Ready(Err(timed_out)) = poll(call.as_mut()) else { panic!("its time is over") };
    assert_eq!(dropped.get(), 1, "the call lives on in a future that has ended");
    assert!(!timed_out.is_deadline());
    assert_eq!(timed_out.after(), 100 * MS);
    assert_eq!(timed_out.to_string(), "`inventory` did not end within 100ms");
    let rejection = Rejection::find(&timed_out).expect("its source");
    assert_eq!((rejection.pattern(), rejection.reason()), ("timeout", "elapsed"));
    assert!(timed_out.source().is_some());
    assert_eq!(counted(&timeout), [0, 1, 0, 0, 0]);
}

#[test]
fn the_earlier_of_both_times_ends_the_call() {
    for (own, deadline, ends, is_deadline) in
        [(100, 30, 30, true), (100, 100, 100, true), (100, 101, 100, false), (100, 5_000, 100, false)]
    {
        let (timeout, clock, time) = timeout(own * MS);
        time.advance(7 * MS);
        let deadline = Deadline::after(&clock, deadline * MS);
        let mut call = pin!(timeout.run_until(deadline, std::future::pending::<()>()));
        assert!(poll(call.as_mut()).is_pending());
        time.advance(just_under(ends * MS));
        assert!(poll(call.as_mut()).is_pending(), "{own} and {deadline:?}");
        time.advance(NS);
        let Poll::Ready(Err(timed_out)) = poll(call.as_mut()) else { panic!("its time is over") };
        assert_eq!((timed_out.is_deadline(), timed_out.after()), (is_deadline, ends * MS));
        assert_eq!(counted(&timeout), if is_deadline { [0, 0, 1, 0, 0] } else { [0, 1, 0, 0, 0] });
    }
}

#[test]
fn a_deadline_that_has_passed_refuses_the_call_unpolled() {
    let (timeout, clock, time) = timeout(100 * MS);
    time.advance(10 * MS);
    for past in [Timestamp::ZERO, clock.now() - NS, clock.now()] {
        let dropped = Cell::new(0);
        let bell = Bell(&dropped);
        let mut call = pin!(timeout.run_until(Deadline::at(past), async {
            let _bell = bell;
            panic!("it is polled");
        }));
        let Poll::Ready(Err(refused)) = poll(call.as_mut()) else { panic!("the deadline has passed") };
        assert_eq!(dropped.get(), 1);
        assert_eq!((refused.is_deadline(), refused.after()), (true, Duration::ZERO));
        assert_eq!(refused.to_string(), "`inventory`: the deadline had passed before the call began");
    }
    assert_eq!(counted(&timeout), [0, 0, 0, 3, 0]);
}

#[test]
fn a_deadline_that_passes_before_the_first_poll_refuses_the_call() {
    let (timeout, clock, time) = timeout(100 * MS);
    let deadline = Deadline::after(&clock, 10 * MS);
    let mut call = pin!(timeout.run_until(deadline, async { panic!("it is polled") }));
    time.advance(10 * MS);
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(refused)) if refused.is_deadline()));
}

#[test]
fn a_calls_time_begins_when_it_is_first_polled() {
    let (timeout, _clock, time) = timeout(100 * MS);
    let mut call = pin!(timeout.run(std::future::pending::<()>()));
    time.advance(1_000 * MS);
    assert!(poll(call.as_mut()).is_pending());
    time.advance(99 * MS);
    assert!(poll(call.as_mut()).is_pending());
    time.advance(MS);
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(timed_out)) if timed_out.after() == 100 * MS));
}

#[test]
fn a_call_that_is_ready_in_the_poll_in_which_its_time_is_over_has_ended_in_time() {
    let (timeout, clock, time) = timeout(100 * MS);
    let mut call = pin!(timeout.run(clock.sleep(100 * MS)));
    assert!(poll(call.as_mut()).is_pending());
    // Both are due, and long past.
    time.advance(5_000 * MS);
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(counted(&timeout), [1, 0, 0, 0, 0]);
}

#[test]
fn one_call_can_have_a_time_of_its_own() {
    let (timeout, clock, time) = timeout(100 * MS);
    let begin = time.now();
    for own in [3 * MS, 5_000 * MS] {
        let mut call = pin!(timeout.run(std::future::pending::<()>()).within(own));
        assert!(poll(call.as_mut()).is_pending());
        time.advance(just_under(own));
        assert!(poll(call.as_mut()).is_pending());
        time.advance(NS);
        assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(timed_out)) if timed_out.after() == own));
    }
    assert_eq!(time.now(), begin + 5_003 * MS);
    let deadline = Deadline::after(&clock, 4 * MS);
    let mut both = pin!(timeout.run_until(deadline, std::future::pending::<()>()).within(5_000 * MS));
    assert!(poll(both.as_mut()).is_pending());
    time.advance(4 * MS);
    assert!(matches!(poll(both.as_mut()), Poll::Ready(Err(timed_out)) if timed_out.is_deadline()));
}

#[test]
fn a_call_without_any_time_is_polled_once() {
    let (timeout, _clock, _time) = timeout(100 * MS);
    assert_eq!(poll(pin!(timeout.run(async { 7 }).within(Duration::ZERO))), Poll::Ready(Ok(7)));
    let nothing = poll(pin!(timeout.run(std::future::pending::<()>()).within(Duration::ZERO)));
    assert!(matches!(nothing, Poll::Ready(Err(timed_out)) if !timed_out.is_deadline()));
}

#[test]
fn a_time_that_never_comes_is_no_time_in_the_past() {
    let (timeout, _clock, time) = timeout(100 * MS);
    time.advance(MS);
    let mut call = pin!(timeout.run(std::future::pending::<()>()).within(Duration::MAX));
    assert!(poll(call.as_mut()).is_pending());
    time.advance(Duration::from_secs(3_600 * 24 * 366 * 100));
    assert!(poll(call.as_mut()).is_pending());
}

#[test]
fn calls_that_are_out_keep_the_time_they_were_given() {
    let (timeout, _clock, time) = timeout(100 * MS);
    let mut before = pin!(timeout.run(std::future::pending::<()>()));
    assert!(poll(before.as_mut()).is_pending());
    timeout.reconfigure(TimeoutConfig::new(10 * MS).name("inventory")).expect("valid");
    assert_eq!(timeout.clone().duration(), 10 * MS);
    let mut after = pin!(timeout.run(std::future::pending::<()>()));
    assert!(poll(after.as_mut()).is_pending());
    time.advance(10 * MS);
    assert!(poll(before.as_mut()).is_pending());
    assert!(poll(after.as_mut()).is_ready());
    time.advance(90 * MS);
    assert!(poll(before.as_mut()).is_ready());
}

#[test]
fn the_deadline_of_a_call_that_begins_now_can_be_handed_on() {
    let (timeout, clock, time) = timeout(100 * MS);
    time.advance(7 * MS);
    assert_eq!(timeout.deadline(), Deadline::after(&clock, 100 * MS));
}

#[test]
fn a_call_that_is_dropped_at_any_poll_counts_as_abandoned_once_it_was_begun() {
    let (timeout, _clock, _time) = timeout(100 * MS);
    let dropped = Cell::new(0);
    let mut expected = [0; 5];
    let polls = cancel_at_every_poll(
        || {
            dropped.set(0);
            let bell = Bell(&dropped);
            timeout.run(async {
                let _bell = bell;
                yield_now().await;
                yield_now().await;
            })
        },
        |polls| {
            assert_eq!(dropped.get(), 1, "after {polls} polls");
            match polls {
                0 => {}
                3 => expected[0] += 1,
                _ => expected[4] += 1,
            }
            assert_eq!(counted(&timeout), expected, "after {polls} polls");
        },
    );
    assert_eq!((polls, expected), (3, [1, 0, 0, 0, 2]));
}

#[test]
fn a_call_that_hangs_is_woken_when_its_time_is_over_and_leaves_no_timer_wherever_it_is_dropped() {
    let (timeout, clock, time) = timeout(100 * MS);
    let polls = CancelAtEveryPoll::new().between(|_| time.advance(50 * MS)).only_when_woken().run(
        || {
            timeout.run(async {
                clock.sleep(10 * MS).await;
                std::future::pending::<()>().await;
            })
        },
        |polls| assert_eq!(time.next_wake(), None, "a timer is left after {polls} polls"),
    );
    assert_eq!(polls, 3);
}

#[test]
fn a_panic_goes_on_to_the_caller_and_counts_as_abandoned() {
    let (timeout, _clock, _time) = timeout(100 * MS);
    let call = timeout.run(async { panic!("as told") });
    let mut call = Box::pin(call);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(call.as_mut()).is_ready()));
    assert!(caught.is_err());
    drop(call);
    assert_eq!(counted(&timeout), [0, 0, 0, 0, 1]);
}

#[test]
fn many_calls_at_once_end_each_at_its_own_time() {
    let executor = Executor::new(7);
    let timeout = seawall_retry::Timeout::with_clock(TimeoutConfig::new(100 * MS), executor.clock()).expect("valid");
    let ended = std::rc::Rc::new(RefCell::new(Vec::new()));
    for own in [30_u32, 10, 200, 20] {
        let (timeout, clock, ended) = (timeout.clone(), executor.clock(), ended.clone());
        executor.spawn(async move {
            let result = timeout.run(std::future::pending::<()>()).within(own * MS).await;
            ended.borrow_mut().push((clock.now().as_nanos() / 1_000_000, result.is_err()));
        });
    }
    assert_eq!(executor.run(), 0);
    assert_eq!(*ended.borrow(), [(10, true), (20, true), (30, true), (200, true)]);
}
