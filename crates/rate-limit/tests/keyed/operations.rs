use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall_core::Rejection;
use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_rate_limit::{Algorithm, Config, Keyed, Mode, Quota, QuotaClass};

use crate::support::{AT_ONCE, limiter, with};

#[test]
fn every_key_has_a_limit_of_its_own_whatever_the_algorithm() {
    for algorithm in AT_ONCE {
        let (users, time) = limiter::<str>(algorithm, 3, 1_000);
        for user in ["anne", "bill", ""] {
            let left: Vec<u32> = (0..3).map(|_| users.check(user).expect("three of three").remaining()).collect();
            assert_eq!(left, [2, 1, 0], "{algorithm:?}");
            assert!(users.check(user).is_err(), "{algorithm:?}");
        }
        assert_eq!(users.check("cleo").expect("a new one").remaining(), 2);
        time.advance(Duration::from_secs(3));
        assert_eq!(users.check("anne").expect("all has come back").remaining(), 2, "{algorithm:?}");
    }
}

#[test]
fn who_comes_back_exactly_when_told_passes_and_a_nanosecond_earlier_does_not() {
    for algorithm in AT_ONCE {
        let (users, time) = limiter::<u32>(algorithm, 3, 1_000);
        time.advance(Duration::from_millis(123));
        users.check_n(&7, 3).expect("three of three");
        let wait = users.check(&7).unwrap_err().retry_after().expect("not never");
        time.advance(wait.saturating_sub(Duration::from_nanos(1)));
        assert!(users.check(&7).is_err(), "{algorithm:?} passes too early");
        time.advance(Duration::from_nanos(1));
        assert!(users.check(&7).is_ok(), "{algorithm:?} told a wrong time");
    }
}

#[test]
fn a_look_takes_nothing_and_as_much_as_there_is_can_be_taken() {
    let (users, _time) = limiter::<str>(Algorithm::Gcra, 5, 64);
    assert_eq!((users.peek("anne").remaining(), users.peek("anne").cells()), (5, 0));
    assert_eq!(users.snapshot().arrived, 0, "a look is no reason to keep a key");
    assert_eq!(users.take_up_to("anne", 3).cells(), 3);
    assert_eq!(users.take_up_to("anne", 3).cells(), 2);
    assert_eq!(users.take_up_to("anne", 3).cells(), 0);
    assert_eq!(users.check_n("anne", 0).expect("no cell always passes").remaining(), 0);
    assert!(users.check_n("anne", 6).unwrap_err().is_never());
}

#[test]
fn a_grant_is_given_back_without_its_key_and_only_where_it_comes_from() {
    for algorithm in [Algorithm::Gcra, Algorithm::sliding_window()] {
        let (users, _time) = limiter::<str>(algorithm, 2, 64);
        let (others, _) = limiter::<str>(algorithm, 2, 64);
        let grant = users.check_n("anne", 2).expect("two of two");
        others.check_n("anne", 2).expect("two of two");
        users.check_n("bill", 2).expect("two of two");
        users.refund(others.take_up_to("anne", 0));
        users.refund(grant);
        assert_eq!(users.peek("anne").remaining(), 2, "{algorithm:?}");
        assert_eq!((users.peek("bill").remaining(), others.peek("anne").remaining()), (0, 0));
        let grant = others.check("cleo").expect("one of two");
        users.check("cleo").expect("one of two");
        users.refund(grant);
        assert_eq!(users.peek("cleo").remaining(), 1, "a stranger's grant was taken back");
        assert_eq!(users.snapshot().given_back, 1);
    }
}

#[test]
fn a_reset_key_is_new_and_its_receipts_are_void() {
    for algorithm in [Algorithm::Gcra, Algorithm::sliding_window()] {
        let (users, _time) = limiter::<str>(algorithm, 2, 64);
        let grant = users.check_n("anne", 2).expect("two of two");
        users.reset("anne");
        users.check_n("anne", 2).expect("two of two again");
        users.refund(grant);
        assert!(users.check("anne").is_err(), "{algorithm:?}: what was forgotten was given back");
    }
}

#[test]
fn turns_of_a_key_are_promised_in_order_and_given_back_when_dropped() {
    let (users, time) = limiter::<str>(Algorithm::Gcra, 1, 64);
    users.check("anne").expect("one of one");
    let first = users.reserve("anne", 1, Duration::from_secs(5)).expect("in a second");
    let second = users.reserve("anne", 1, Duration::from_secs(5)).expect("in two");
    assert_eq!((first.wait(), second.wait()), (Duration::from_secs(1), Duration::from_secs(2)));
    assert!(users.reserve("anne", 1, Duration::from_millis(2_999)).is_err());
    assert_eq!(users.reserve("bill", 1, Duration::ZERO).expect("nobody was before").wait(), Duration::ZERO);
    drop(second);
    assert_eq!(users.reserve("anne", 1, Duration::from_secs(5)).expect("its place").wait(), Duration::from_secs(2));
    let mut turn = pin!(first.turn());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(turn.as_mut().poll(&mut cx).is_pending());
    time.advance(Duration::from_secs(1));
    assert!(turn.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_turn_that_has_come_counts_as_used_even_at_its_own_instant() {
    for algorithm in AT_ONCE {
        let (users, time) = limiter::<str>(algorithm, 2, 64);
        drop(users.reserve("anne", 1, Duration::ZERO).expect("one of two"));
        drop(users.reserve("anne", 1, Duration::ZERO).expect("two of two"));
        assert!(users.check("anne").is_err(), "{algorithm:?}: what was used is free");
        let turn = users.reserve("anne", 1, Duration::from_secs(5)).expect("in turn");
        time.advance(turn.wait());
        drop(turn);
        assert_eq!(users.snapshot().given_back, 0, "{algorithm:?}");
    }
}

#[test]
fn whoever_waits_for_a_key_is_admitted_in_turn() {
    let each = Config::new(Quota::per_second(1)).algorithm(Algorithm::Gcra).max_wait(Duration::from_secs(1));
    let (users, time) = with::<str>(Keyed::new(each));
    users.check("anne").expect("one of one");
    let mut cx = Context::from_waker(Waker::noop());
    let mut waits = pin!(users.with("anne").admit());
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    let Poll::Ready(refused) = pin!(users.with("anne").admit()).poll(&mut cx) else { panic!("it waits too long") };
    assert!(refused.is_err());
    time.advance(Duration::from_secs(1));
    let Poll::Ready(Ok(permit)) = waits.as_mut().poll(&mut cx) else { panic!("its turn has come") };
    permit.success();
    assert_eq!(users.snapshot().waited, 1);
}

#[test]
fn a_call_that_never_began_gives_its_cell_back() {
    let (users, _time) = limiter::<str>(Algorithm::Gcra, 1, 64);
    users.with("anne").try_admit().expect("one of one").cancel();
    users.with("anne").try_admit().expect("one of one").failure();
    let throttled = users.with("anne").try_admit().map(|_| ()).unwrap_err();
    assert_eq!(Rejection::from(throttled).name().as_str(), "keys");
}

#[test]
fn the_key_is_found_in_a_call_and_borrowed() {
    struct Request {
        user: Option<String>,
    }

    let (users, _time) = limiter::<str>(Algorithm::Gcra, 1, 64);
    let calls = users.by(|request: &Request| request.user.as_deref());
    let (anne, nobody) = (Request { user: Some("anne".into()) }, Request { user: None });
    assert!(calls.with(&anne).try_admit().is_ok());
    assert!(calls.with(&anne).try_admit().is_err());
    assert!(users.check("anne").is_err());
    (0..5).for_each(|_| assert!(calls.with(&nobody).try_admit().is_ok()));
}

#[test]
fn a_key_has_the_quota_of_its_class() {
    for algorithm in [Algorithm::Gcra, Algorithm::sliding_window()] {
        let class_of = |user: &str| QuotaClass::new(user.len().try_into().unwrap_or(u8::MAX));
        let each = Config::new(Quota::per_second(2)).algorithm(algorithm);
        let classes = [Quota::per_second(3), Quota::per_minute(4)];
        let (users, _time) = with::<str>(Keyed::new(each).classes(classes).class_of(class_of));
        for (user, limit) in [("", 2), ("a", 3), ("ab", 4), ("abc", 2)] {
            assert_eq!((0..9).filter(|_| users.check(user).is_ok()).count(), limit, "{algorithm:?} {user:?}");
            assert_eq!(users.quota_of(user).limit() as usize, limit);
            assert_eq!(users.check(user).unwrap_err().quota().limit() as usize, limit);
        }
    }
}

#[test]
fn each_key_that_has_taken_something_is_told_with_what_it_has_left() {
    for algorithm in AT_ONCE {
        let (users, time) = limiter::<str>(algorithm, 5, 64);
        let told = || {
            let mut told = Vec::new();
            users.each(|key| told.push((key.mark, key.remaining, key.reset_after)));
            told.sort_unstable();
            told
        };
        assert_eq!(told(), []);
        let mut expected = Vec::new();
        for (user, cells) in [("anne", 3), ("bill", 1), ("carl", 5)] {
            let grant = users.check_n(user, cells).expect("there are five");
            assert_eq!(grant.remaining(), 5 - cells, "{algorithm:?}");
            expected.push((users.mark_of(user), grant.remaining(), grant.reset_after()));
        }
        users.peek("dave");
        expected.sort_unstable();
        assert_eq!(told(), expected, "{algorithm:?}");
        assert_eq!(users.snapshot().algorithm, algorithm);
        time.advance(Duration::from_secs(3));
        assert_eq!(told(), [], "{algorithm:?}");
    }
}

#[test]
fn each_key_is_told_by_the_quota_of_its_class_and_asks_the_limiter_meanwhile() {
    let class_of = |user: &str| QuotaClass::new(user.len().try_into().unwrap_or(u8::MAX));
    for algorithm in [Algorithm::Gcra, Algorithm::sliding_window()] {
        let each = Config::new(Quota::per_second(2)).algorithm(algorithm);
        let (users, _time) = with::<str>(Keyed::new(each).classes([Quota::per_second(30)]).class_of(class_of));
        users.check("").expect("one of two");
        users.check("a").expect("one of thirty");
        let mut told = Vec::new();
        users.each(|key| {
            told.push((key.class, key.remaining));
            users.reset("a");
        });
        told.sort_unstable();
        assert!(told.contains(&(QuotaClass::FIRST, 1)), "{told:?}");
        assert!(told.iter().all(|key| *key != (QuotaClass::new(1), 1)), "{told:?}");
    }
}

#[test]
fn a_shadow_refuses_nobody_and_counts_what_it_would_have() {
    let each = Config::new(Quota::per_second(2)).mode(Mode::Shadow);
    let (users, _time) = with::<str>(Keyed::new(each));
    (0..5).for_each(|_| assert!(users.check("anne").is_ok()));
    let snapshot = users.snapshot();
    assert_eq!((snapshot.admitted, snapshot.shadowed, snapshot.throttled), (2, 3, 0));
}

#[test]
fn metrics_are_of_all_keys_together() {
    #[derive(Default)]
    struct Samples(Vec<(&'static str, String, Value)>);

    impl Sink for Samples {
        fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
            self.0.push((metric.name, format!("{labels:?}"), value));
        }
    }

    let (users, _time) = limiter::<u32>(Algorithm::Gcra, 1, 64);
    (0..10).for_each(|user| {
        let _ = (users.check(&user), users.check(&user));
    });
    let mut samples = Samples::default();
    users.collect(&mut samples);
    let of = |name: &str, label: &str| {
        let found = samples.0.iter().find(|(metric, labels, _)| *metric == name && labels.contains(label));
        found.map_or_else(|| panic!("no {name}"), |(_, _, value)| *value)
    };
    assert_eq!(of("seawall_rate_limit_calls", "admitted"), Value::Integer(10));
    assert_eq!(of("seawall_rate_limit_calls", "throttled"), Value::Integer(10));
    assert_eq!(of("seawall_rate_limit_keys", "keys"), Value::Integer(10));
    assert_eq!(of("seawall_rate_limit_keys_capacity", "keys"), Value::Integer(64));
    assert_eq!(of("seawall_rate_limit_keys_evicted_live", "keys"), Value::Integer(0));
}
