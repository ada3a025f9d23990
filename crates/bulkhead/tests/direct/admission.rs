//! Who is let in, who waits, and who is refused.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use seawall_bulkhead::{Claiming, CoDel, Config, Order, Reason};
use seawall_core::{Claim, Priority, Rejection};

use crate::{Driven, SECOND, bulkhead, poll_once};

#[test]
fn two_clones_share_one_permit() {
    let (one, _time) = bulkhead(Config::new(1).queue(1));
    let other = one.clone();
    let first = one.try_admit().expect("it is free");
    let second = Driven::waiting(other.admit());
    assert_eq!((one.in_flight(), one.queued(), one.available()), (1, 1, 0));
    first.success();
    let second = second.output().expect("its turn has come");
    assert_eq!((one.in_flight(), one.queued()), (1, 0));
    drop(second);
    assert_eq!((one.in_flight(), one.available()), (0, 1));
}

#[test]
fn five_who_wait_are_served_in_the_order_in_which_they_came() {
    let (bulkhead, _time) = bulkhead(Config::new(1).queue(5));
    let mut running = bulkhead.try_admit().expect("it is free");
    let mut waiting: Vec<_> = (0..5).map(|_| Driven::waiting(bulkhead.admit())).collect();
    while !waiting.is_empty() {
        running.success();
        let next = waiting.remove(0);
        assert!(waiting.iter().all(|later| !later.is_woken()), "one permit woke two");
        running = next.output().expect("its turn has come");
        assert!(waiting.iter_mut().all(|later| later.poll().is_pending()));
    }
    assert_eq!(bulkhead.snapshot().waited, 5);
}

#[test]
fn an_error_a_panic_and_a_dropped_future_release() {
    let (bulkhead, _time) = bulkhead(Config::new(1));
    let free = |what: &str| assert_eq!((bulkhead.in_flight(), bulkhead.available()), (0, 1), "{what}");
    assert_eq!(bulkhead.run_sync(|| Err::<(), _>("broken")), Ok(Err("broken")));
    free("an error");
    let panicked = catch_unwind(AssertUnwindSafe(|| bulkhead.run_sync(|| -> Result<(), ()> { panic!("on purpose") })));
    assert!(panicked.is_err());
    free("a panic");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        poll_once(bulkhead.run(async {
            assert!(!bulkhead.name().as_str().is_empty(), "never");
            panic!("on purpose");
            #[expect(unreachable_code, reason = "it tells the type")]
            Ok::<(), ()>(())
        }))
    }));
    assert!(panicked.is_err());
    free("a panic in a future");
    drop(Driven::waiting(bulkhead.run(std::future::pending::<Result<(), ()>>())));
    free("a dropped future");
    assert_eq!(bulkhead.snapshot().abandoned, 1);
}

#[test]
fn a_call_that_has_waited_long_enough_is_refused_and_leaves_nothing_behind() {
    let (bulkhead, time) = bulkhead(Config::new(1).queue(2).max_wait(SECOND));
    let running = bulkhead.try_admit().expect("it is free");
    let by_default = Driven::waiting(bulkhead.admit());
    let of_its_own = Driven::waiting(bulkhead.admit_within(3 * SECOND));
    time.advance(SECOND);
    let full = by_default.output().expect_err("a second has passed");
    assert_eq!((full.reason(), full.queued(), full.in_flight()), (Reason::TimedOut, 1, 1));
    assert!(!of_its_own.is_woken());
    time.advance(2 * SECOND);
    assert_eq!(of_its_own.output().expect_err("three have").reason(), Reason::TimedOut);
    assert_eq!(bulkhead.queued(), 0);
    running.success();
    assert_eq!(bulkhead.available(), 1, "the permit went to one who had gone");
    assert_eq!(bulkhead.snapshot().refused.timed_out, 2);
}

#[test]
fn a_full_queue_refuses_at_once_with_its_figures() {
    let (bulkhead, _time) = bulkhead(Config::new(2).queue(1).name("payments"));
    let _running = [bulkhead.try_admit().expect("free"), bulkhead.try_admit().expect("free")];
    let _waiting = Driven::waiting(bulkhead.admit());
    let std::task::Poll::Ready(Err(full)) = poll_once(bulkhead.admit_within(100 * SECOND)) else {
        panic!("it is told at once")
    };
    assert_eq!((full.reason(), full.limit(), full.in_flight(), full.queued()), (Reason::Full, 2, 2, 1));
    assert_eq!(full.to_string(), "the bulkhead `payments` is full: 2 of 2 in use, 1 queued");
    let rejection = Rejection::from(full);
    assert_eq!((rejection.pattern(), rejection.reason()), ("bulkhead", "full"));
    let error: Box<dyn std::error::Error + Send + Sync> = full.into();
    assert_eq!(Rejection::find(&*error).expect("it is found").name().as_str(), "payments");
    assert_eq!(bulkhead.snapshot().refused.full, 1);
}

#[test]
fn nobody_passes_by_while_somebody_waits() {
    let (bulkhead, _time) = bulkhead(Config::new(2).queue(4));
    let claims = Claiming::directly(&bulkhead);
    let one = bulkhead.try_admit().expect("free");
    let two = Claim::new().permits(2);
    let large = Driven::waiting(claims.with(&two).admit());
    assert_eq!(bulkhead.available(), 1);
    assert_eq!(bulkhead.try_admit().expect_err("one waits for two").reason(), Reason::Full);
    assert!(claims.with(&Claim::new().permits(0)).try_admit().is_err(), "one who asks for nothing waits too");
    drop(one);
    let large = large.output().expect("both are free");
    assert_eq!(bulkhead.in_flight(), 2);
    drop(large);
    drop(claims.with(&Claim::new().permits(0)).try_admit().expect("nobody waits"));
    assert_eq!((bulkhead.in_flight(), bulkhead.available()), (0, 2));
}

#[test]
fn fewer_permits_retire_before_anybody_is_admitted_again() {
    let (bulkhead, _time) = bulkhead(Config::new(2).queue(1));
    let running = [bulkhead.try_admit().expect("free"), bulkhead.try_admit().expect("free")];
    let waiting = Driven::waiting(bulkhead.admit());
    bulkhead.resize(1).expect("valid");
    assert_eq!((bulkhead.limit(), bulkhead.in_flight()), (1, 2));
    let [first, second] = running;
    drop(first);
    assert!(!waiting.is_woken(), "the first that comes back retires");
    drop(second);
    drop(waiting.output().expect("the second is given on"));
    assert_eq!((bulkhead.available(), bulkhead.in_flight()), (1, 0));
}

#[test]
fn more_permits_wake_those_who_wait() {
    let (bulkhead, _time) = bulkhead(Config::new(1).queue(20));
    let _running = bulkhead.try_admit().expect("free");
    let waiting: Vec<_> = (0..19).map(|_| Driven::waiting(bulkhead.admit())).collect();
    bulkhead.resize(18).expect("valid");
    let woken = waiting.iter().filter(|one| one.is_woken()).count();
    assert_eq!((woken, bulkhead.queued()), (17, 2));
    bulkhead.resize(u32::MAX).expect("valid");
    assert!(waiting.iter().all(Driven::is_woken));
    assert_eq!(bulkhead.available(), u32::MAX - 20);
}

#[test]
fn a_limit_of_zero_and_one_that_an_algorithm_finds_are_not_set() {
    let (fixed, _time) = bulkhead(Config::new(3));
    let error = fixed.resize(0).expect_err("zero");
    assert_eq!(error.to_string(), "`limit` is 0, must be 1 to 4294967295");
    assert_eq!(fixed.limit(), 3);
}

#[test]
fn one_who_waits_for_more_than_there_will_be_is_told_so() {
    let (bulkhead, _time) = bulkhead(Config::new(3).queue(20));
    let claims = Claiming::directly(&bulkhead);
    let three = Claim::new().permits(3);
    let _running = claims.with(&three).try_admit().expect("free");
    let large: Vec<_> = (0..10).map(|_| Driven::waiting(claims.with(&three).admit())).collect();
    let small = Driven::waiting(bulkhead.admit());
    bulkhead.resize(2).expect("valid");
    for large in large {
        let never = large.output().expect_err("three of two");
        assert!(never.is_never() && never.retry_after().is_none());
        assert_eq!(never.to_string(), "3 permits are more than the limit 2 of the bulkhead `bulkhead`");
    }
    assert!(!small.is_woken());
    assert!(claims.with(&three).try_admit().expect_err("three of two").is_never());
    assert_eq!((bulkhead.snapshot().refused.too_large, bulkhead.queued()), (11, 1));
}

#[test]
fn a_higher_priority_is_served_first_and_takes_a_lower_ones_place() {
    let (bulkhead, _time) = bulkhead(Config::new(1).queue(2));
    let claims = Claiming::directly(&bulkhead);
    let running = bulkhead.try_admit().expect("free");
    let [low, high, critical] = [Priority::Low, Priority::High, Priority::Critical].map(|of| Claim::new().priority(of));
    let first_low = Driven::waiting(claims.with(&low).admit());
    let second_low = Driven::waiting(claims.with(&low).admit());
    let critical = Driven::waiting(claims.with(&critical).admit());
    assert_eq!(second_low.output().expect_err("the last to come gives way").reason(), Reason::Displaced);
    let high = Driven::waiting(claims.with(&high).admit());
    assert_eq!(first_low.output().expect_err("it gives way too").reason(), Reason::Displaced);
    drop(running);
    drop(critical.output().expect("the highest first"));
    drop(high.output().expect("then the other"));
    assert_eq!((bulkhead.snapshot().refused.displaced, bulkhead.available()), (2, 1));
}

#[test]
fn one_who_cannot_wait_displaces_nobody() {
    let (bulkhead, _time) = bulkhead(Config::new(1).queue(1));
    let claims = Claiming::directly(&bulkhead);
    let _running = bulkhead.try_admit().expect("free");
    let low = Driven::waiting(bulkhead.admit());
    let critical = Claim::new().priority(Priority::Critical);
    let refused = poll_once(claims.with(&critical).admit_within(Duration::ZERO));
    let std::task::Poll::Ready(Err(full)) = refused else { panic!("it cannot wait") };
    assert_eq!(full.reason(), Reason::TooLate);
    assert!(!low.is_woken());
}

#[test]
fn a_turn_that_is_expected_after_the_deadline_is_refused_at_once() {
    let (bulkhead, time) = bulkhead(Config::new(1).queue(10).max_wait(SECOND));
    let mut running = bulkhead.try_admit().expect("free");
    for _ in 0..8 {
        let next = Driven::waiting(bulkhead.admit());
        time.advance(SECOND / 10);
        running.success();
        running = next.output().expect("its turn");
    }
    let never = Claiming::directly(&bulkhead).with(&Claim::new().permits(2)).try_admit().expect_err("two of one");
    assert_eq!((never.reason(), never.retry_after()), (Reason::TooLarge, None), "it need not come back");
    assert_eq!(bulkhead.try_admit().expect_err("in use").retry_after(), Some(SECOND / 10));
    let _nine: Vec<_> = (0..9).map(|_| Driven::waiting(bulkhead.admit_within(2 * SECOND))).collect();
    let refused = poll_once(bulkhead.admit_within(999 * SECOND / 1_000));
    let std::task::Poll::Ready(Err(full)) = refused else { panic!("ten turns take a second") };
    assert_eq!((full.reason(), full.retry_after()), (Reason::TooLate, Some(SECOND)));
    let _tenth = Driven::waiting(bulkhead.admit());
    time.advance(SECOND / 1_000);
    assert!(poll_once(bulkhead.admit()).is_ready(), "what is configured as the longest wait is a deadline too");
    assert_eq!(bulkhead.snapshot().refused.too_late, 2);
    assert_eq!(bulkhead.queued(), 10);
}

#[test]
fn the_earlier_of_two_deadlines_holds() {
    let (bulkhead, time) = bulkhead(Config::new(1).queue(10));
    let _running = bulkhead.try_admit().expect("free");
    let claims = Claiming::directly(&bulkhead);
    let claim = Claim::new().until(Some(time.now() + 2 * SECOND));
    let of_the_claim = Driven::waiting(claims.with(&claim).admit_within(3 * SECOND));
    let of_the_caller = Driven::waiting(claims.with(&claim).admit_within(SECOND));
    let past_one_second = Driven::waiting(claims.with(&claim).admit());
    time.advance(SECOND);
    assert_eq!(of_the_caller.output().expect_err("a second").reason(), Reason::TimedOut);
    assert!(!of_the_claim.is_woken() && !past_one_second.is_woken());
    time.advance(SECOND);
    assert_eq!(of_the_claim.output().expect_err("two").reason(), Reason::TimedOut);
    assert_eq!(past_one_second.output().expect_err("two").reason(), Reason::TimedOut);
    assert_eq!(
        poll_once(claims.with(&claim).admit()).map(|late| late.expect_err("past").reason()),
        std::task::Poll::Ready(Reason::TooLate)
    );
}

#[test]
fn the_last_to_come_is_served_first_in_an_overload_and_the_overdue_are_dropped() {
    let lifo = Config::new(1).queue(10).order(Order::AdaptiveLifo { after: SECOND }).max_wait(100 * SECOND);
    let (newest, time) = bulkhead(lifo);
    let running = newest.try_admit().expect("free");
    let [first, second, third] = [(); 3].map(|()| Driven::waiting(newest.admit()));
    drop(running);
    drop(first.output().expect("not yet an overload"));
    let running = second.output().expect("not yet an overload");
    let fourth = Driven::waiting(newest.admit());
    time.advance(SECOND);
    drop(running);
    drop(fourth.output().expect("the last to come"));
    drop(third.output().expect("then the first"));

    let codel = CoDel::new(SECOND / 10, SECOND);
    let (fresh, time) = bulkhead(Config::new(1).queue(10).codel(codel).max_wait(100 * SECOND));
    let running = fresh.try_admit().expect("free");
    let [first, second] = [(); 2].map(|()| Driven::waiting(fresh.admit()));
    time.advance(SECOND);
    let last = Driven::waiting(fresh.admit());
    drop(running);
    assert_eq!(first.output().expect_err("overdue").reason(), Reason::Overdue);
    assert_eq!(second.output().expect_err("overdue").reason(), Reason::Overdue);
    drop(last.output().expect("it has just come"));
    assert_eq!(fresh.snapshot().refused.overdue, 2);
}

#[test]
fn a_lower_priority_ages() {
    let (bulkhead, time) = bulkhead(Config::new(1).queue(10).aging(SECOND).max_wait(100 * SECOND));
    let claims = Claiming::directly(&bulkhead);
    let running = bulkhead.try_admit().expect("free");
    let [low, high] = [Priority::Low, Priority::High].map(|of| Claim::new().priority(of));
    let old = Driven::waiting(claims.with(&low).admit());
    time.advance(3 * SECOND);
    let new = Driven::waiting(claims.with(&high).admit());
    drop(running);
    drop(old.output().expect("it has waited for more than two steps of priority"));
    drop(new.output().expect("then the other"));
}
