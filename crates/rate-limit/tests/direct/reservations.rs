use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use seawall_core::time::{Clock, Timestamp};
use seawall_rate_limit::{Algorithm, Config, Quota, RateLimiter};
use seawall_testkit::drive::poll;
use seawall_testkit::exec::Executor;

use crate::support::*;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn turns_come_in_the_order_of_the_questions() {
    each(algorithms(), |algorithm, limiter, time| {
        let mut last = Timestamp::ZERO;
        for asked in 0..100 {
            let turn = limiter.reserve(1 + asked % 3, HOUR).expect("an hour is enough");
            assert!(turn.act_at() >= last, "{algorithm:?}: {} before {last}", turn.act_at());
            last = turn.act_at();
            _ = turn.keep();
            if asked % 10 == 0 {
                time.advance(Duration::from_millis(130));
            }
        }
        assert!(last > time.now() + SECOND, "{algorithm:?}: somebody had to wait");
    });
}

#[test]
fn nobody_who_does_not_wait_overtakes_who_does() {
    each(algorithms(), |algorithm, limiter, time| {
        exhaust(limiter);
        let turn = limiter.reserve(1, HOUR).expect("an hour is enough");
        let (act_at, wait) = (turn.act_at(), turn.wait());
        assert_eq!(act_at, time.now() + wait, "{algorithm:?}");
        _ = turn.keep();
        let throttled = limiter.check().expect_err("its turn is to come");
        assert!(throttled.retry_after() >= Some(wait), "{algorithm:?}");
        time.advance(just_below(wait));
        limiter.check().expect_err("its turn is still to come");
    });
}

#[test]
fn a_turn_is_used_from_the_moment_on_that_was_told() {
    each(algorithms(), |algorithm, limiter, time| {
        exhaust(limiter);
        // What a call that does not wait is told is when a reservation has its turn.
        let told = limiter.check().expect_err("exhausted").retry_after();
        let turn = limiter.reserve(1, HOUR).expect("an hour is enough");
        assert_eq!(Some(turn.wait()), told, "{algorithm:?}");
        let grant = turn.keep();
        assert_eq!(grant.act_at(), time.now() + grant.wait());
        assert_eq!(limiter.snapshot().waited, 1, "{algorithm:?}");
    });
}

#[test]
fn too_long_a_wait_is_refused_at_once_and_takes_nothing() {
    each(algorithms(), |algorithm, limiter, _| {
        exhaust(limiter);
        let before = standing(limiter);
        let wait = limiter.check().expect_err("exhausted").retry_after().expect("later");
        let refused = limiter.reserve(1, just_below(wait)).expect_err("a nanosecond is missing");
        assert_eq!(refused.retry_after(), Some(wait), "{algorithm:?}");
        let executor = Executor::new(1);
        let refused = executor.block_on(limiter.admit_within(just_below(wait))).map(seawall_core::Permit::success);
        assert_eq!(refused.expect_err("at its first poll").retry_after(), Some(wait), "{algorithm:?}");
        assert_eq!(standing(limiter), before, "{algorithm:?}: a refusal took something");
        assert_eq!(limiter.reserve(1, wait).expect("just in time").wait(), wait, "{algorithm:?}");
    });
}

#[test]
fn the_last_turn_is_given_back_whole() {
    each(algorithms(), |algorithm, limiter, time| {
        exhaust(limiter);
        _ = limiter.reserve(1, HOUR).expect("an hour is enough").keep();
        let before = standing(limiter);
        let turn = limiter.reserve(1, HOUR).expect("an hour is enough");
        let act_at = turn.act_at();
        drop(turn);
        let again = limiter.reserve(1, HOUR).expect("an hour is enough");
        assert_eq!(again.act_at(), act_at, "{algorithm:?}");
        drop(again);
        time.advance(Duration::ZERO);
        assert!(standing(limiter).0 <= before.0, "{algorithm:?}");
    });
}

#[test]
fn the_tail_rule_gives_back_what_nobody_has_built_upon() {
    // One cell a second, one at once: turns at 0, 1, 2 and 3 seconds.
    let config = config(seawall_rate_limit::Algorithm::Gcra);
    let one = seawall_rate_limit::Quota::per_second(1);
    let (clock, time) = seawall_core::time::Clock::manual();
    let config = config.name("tail");
    let limiter = RateLimiter::with_clock(config.clone(), clock.clone()).expect("valid");
    limiter
        .reconfigure(seawall_rate_limit::Config::new(one).algorithm(seawall_rate_limit::Algorithm::Gcra).name("tail"))
        .expect("valid");
    let turn = || limiter.reserve(1, HOUR).expect("an hour is enough");
    _ = turn().keep();
    let second = turn();
    let third = turn();
    assert_eq!((second.wait(), third.wait()), (SECOND, 2 * SECOND));
    drop(second);
    assert_eq!(turn().wait(), 3 * SECOND, "the third has built upon the second: nothing comes back");
    drop(third);
    assert_eq!(turn().wait(), SECOND, "nobody stands behind the third any more, nor behind the second");
    time.advance(SECOND);
    assert_eq!(turn().wait(), Duration::ZERO);
}

/// Who of a crowd is the next to give up.
type Next = fn(usize) -> usize;

/// In which order a crowd gives up.
fn orders() -> [(&'static str, Next); 3] {
    // 389 and 1 000 have no divisor in common.
    [("first to last", |place| place), ("last to first", |place| 999 - place), ("any", |place| place * 389 % 1_000)]
}

#[test]
fn a_thousand_who_give_up_leave_what_was_before_them() {
    for (order, place) in orders() {
        each(algorithms(), |algorithm, limiter, time| {
            exhaust(limiter);
            time.advance(Duration::from_millis(30));
            let (before, wait) = (standing(limiter), limiter.check().expect_err("exhausted").retry_after());
            let mut turns: Vec<_> = (0..1_000).map(|_| Some(limiter.reserve(1, HOUR).expect("in turn"))).collect();
            let longest = turns.last().and_then(|turn| turn.as_ref()).map(seawall_rate_limit::Reservation::wait);
            assert!(longest > Some(50 * SECOND), "{algorithm:?}: {longest:?}");
            (0..1_000).for_each(|gone| turns[place(gone)] = None);
            assert_eq!(standing(limiter), before, "{algorithm:?}: {order}");
            assert_eq!(limiter.check().expect_err("exhausted").retry_after(), wait, "{algorithm:?}: {order}");
        });
    }
}

#[test]
fn whoever_waits_on_holds_the_place_of_those_before_and_of_nobody_behind() {
    for (order, place) in orders() {
        each(algorithms(), |algorithm, limiter, time| {
            exhaust(limiter);
            let mut turns: Vec<_> = (0..1_000).map(|_| Some(limiter.reserve(1, HOUR).expect("in turn"))).collect();
            let mut waits_on = turns[300].take().expect("nobody has given up");
            let act_at = waits_on.act_at();
            (0..1_000).for_each(|gone| turns[place(gone)] = None);
            let next = limiter.reserve(1, HOUR).expect("in turn").keep().act_at();
            let room = if *algorithm == Algorithm::SlidingLog { 100 * SECOND } else { 2 * SECOND };
            assert!(act_at <= next && next <= act_at + room, "{algorithm:?}: {order}: {next} after {act_at}");
            limiter.check().expect_err("a turn is to come");
            time.advance(waits_on.wait());
            waits_on = limiter.reserve(1, HOUR).expect("in turn");
            assert!(waits_on.act_at() >= next, "{algorithm:?}: {order}");
        });
    }
}

#[test]
fn a_call_that_passes_before_a_turn_is_still_counted_when_the_turn_is_given_up() {
    let (clock, time) = Clock::manual();
    let config = Config::new(Quota::per_second(1).burst(3)).algorithm(Algorithm::Gcra);
    let limiter = RateLimiter::with_clock(config, clock).expect("valid");
    limiter.check_n(3).expect("the burst");
    let three = limiter.reserve(3, HOUR).expect("in turn");
    let one = limiter.reserve(1, HOUR).expect("in turn");
    // Two of the three cells come back, so that a call passes while the last turn is still to come.
    drop(three);
    time.advance(3 * SECOND);
    assert!(one.wait() > Duration::ZERO);
    limiter.check().expect("what was given back");
    drop(one);
    let more = std::iter::repeat_with(|| limiter.check()).take_while(Result::is_ok).count();
    assert!(more <= 2, "{more} pass after one at the same instant, of a burst of three");
}

#[test]
fn a_turn_that_has_come_counts_as_used() {
    each(algorithms(), |algorithm, limiter, time| {
        exhaust(limiter);
        let turn = limiter.reserve(1, HOUR).expect("an hour is enough");
        time.advance(turn.wait() + NANO);
        let given_back = limiter.snapshot().given_back;
        drop(turn);
        assert_eq!(limiter.snapshot().given_back, given_back, "{algorithm:?}");
    });
}

#[test]
fn a_call_with_a_deadline_waits_for_its_turn_and_no_other_does() {
    each(algorithms(), |algorithm, limiter, _| {
        exhaust(limiter);
        let executor = Executor::new(1);
        let wait = limiter.check().expect_err("exhausted").retry_after().expect("later");
        let refused = executor.block_on(limiter.admit()).map(seawall_core::Permit::success);
        assert_eq!(refused.expect_err("nobody waits").retry_after(), Some(wait), "{algorithm:?}");
        let next = config(*algorithm).max_wait(wait);
        limiter.reconfigure(next).expect("valid");
        let promised = limiter.reserve(1, wait).map(|turn| turn.wait());
        assert_eq!(promised, Ok(wait), "{algorithm:?}");
    });
}

/// 1 000 waiters on one limiter: each is polled when it asks and when its turn has come, and at no other time.
#[test]
fn a_thousand_waiters_have_one_timer_each_and_come_in_order() {
    for algorithm in algorithms() {
        for door in [acquire, admit] {
            let executor = Executor::new(7);
            let limiter = RateLimiter::with_clock(config(algorithm), executor.clock()).expect("valid");
            let log = Rc::new(RefCell::new(Vec::new()));
            let asked = Rc::new(RefCell::new(Vec::new()));
            let polls = Rc::new(RefCell::new(vec![0_u32; 1_000]));
            for waiter in 0..1_000 {
                let (limiter, log, asked, polls) = (limiter.clone(), log.clone(), asked.clone(), polls.clone());
                let clock = executor.clock();
                executor.spawn(async move {
                    let mut wait = std::pin::pin!(async {
                        asked.borrow_mut().push(waiter);
                        door(&limiter).await;
                    });
                    std::future::poll_fn(|cx| {
                        polls.borrow_mut()[waiter] += 1;
                        wait.as_mut().poll(cx)
                    })
                    .await;
                    log.borrow_mut().push((clock.now(), waiter));
                });
            }
            assert_eq!(executor.run(), 0, "{algorithm:?}: everybody has had a turn");
            let log = log.borrow();
            assert_eq!(log.len(), 1_000);
            assert!(polls.borrow().iter().all(|polls| *polls <= 2), "{algorithm:?}: {:?}", polls.borrow().iter().max());
            let waited = polls.borrow().iter().filter(|polls| **polls == 2).count();
            assert_eq!(limiter.snapshot().waited, waited as u64, "{algorithm:?}");
            assert!(waited >= 980, "{algorithm:?}");
            // Whoever asked earlier has its turn no later.
            let mut turns: Vec<Timestamp> = vec![Timestamp::ZERO; 1_000];
            log.iter().for_each(|(at, waiter)| turns[*waiter] = *at);
            let in_order: Vec<Timestamp> = asked.borrow().iter().map(|waiter: &usize| turns[*waiter]).collect();
            assert!(in_order.is_sorted(), "{algorithm:?}");
        }
    }
}

type Boxed<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

fn acquire(limiter: &RateLimiter) -> Boxed<'_> {
    Box::pin(async { _ = limiter.acquire(1).await.expect("it waits however long it takes") })
}

fn admit(limiter: &RateLimiter) -> Boxed<'_> {
    Box::pin(async { weighed(limiter).with(&1).admit_within(HOUR).await.expect("an hour is enough").success() })
}

#[test]
fn among_others_a_limit_without_a_wait_of_its_own_is_waited_for_until_the_callers_deadline() {
    let (clock, time) = Clock::manual();
    let each = |limit| Config::new(Quota::per_second(limit).burst(1)).algorithm(Algorithm::Gcra);
    let [narrow, wide] = [1, 1_000].map(|limit| RateLimiter::with_clock(each(limit), clock.clone()).expect("valid"));
    let both = seawall_core::all((narrow.clone(), wide));
    narrow.check().expect("the only one");

    let mut refused = pin!(both.admit_within(Duration::from_millis(999)));
    let Poll::Ready(Err(rejection)) = poll(refused.as_mut()) else { panic!("it is refused at once") };
    assert_eq!(rejection.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(narrow.snapshot().throttled, 1, "whoever refuses among others counts it");
    let mut waiting = pin!(both.admit_within(Duration::from_secs(1)));
    assert!(poll(waiting.as_mut()).is_pending());
    time.advance(Duration::from_secs(1));
    let Poll::Ready(Ok(permit)) = poll(waiting.as_mut()) else { panic!("its turn has come, and both have room") };
    permit.success();
}
