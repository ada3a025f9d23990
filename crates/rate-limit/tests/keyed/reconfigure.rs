use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use seawall_rate_limit::{
    AdaptiveConfig, Algorithm, BurstConfig, Carry, Config, Event, Keyed, KeyedRateLimiter, Quota,
};

use crate::support::with;

fn config(quota: Quota, algorithm: Algorithm, carry: Carry) -> Keyed<str> {
    Keyed::new(Config::new(quota).algorithm(algorithm).name("keys").carry(carry)).capacity(64)
}

#[test]
fn a_new_quota_holds_at_once_for_every_key_and_carries_what_was_taken() {
    // Ten of ten a second are taken, then there are twenty.
    for (algorithm, carry, left) in [
        (Algorithm::Gcra, Carry::AsIs, 0),
        (Algorithm::Gcra, Carry::Proportional, 10),
        (Algorithm::Gcra, Carry::Reset, 20),
        (Algorithm::sliding_window(), Carry::AsIs, 10),
        (Algorithm::sliding_window(), Carry::Proportional, 0),
        (Algorithm::sliding_window(), Carry::Reset, 20),
    ] {
        let (users, _time) = with(config(Quota::per_second(10), algorithm, carry));
        let grant = users.check_n("anne", 10).expect("all of it");
        users.reconfigure(config(Quota::per_second(20), algorithm, carry)).expect("valid");
        assert_eq!(users.peek("anne").remaining(), left, "{algorithm:?} {carry:?}");
        assert_eq!(users.peek("bill").remaining(), 20, "{algorithm:?} {carry:?}");
        users.refund(grant);
        assert_eq!(users.peek("anne").remaining(), left, "{algorithm:?} {carry:?}: an old grant was taken back");
    }
}

#[test]
fn what_is_owed_in_proportion_is_owed_although_it_is_more_than_the_new_burst() {
    let fast = Quota::per_second(10).burst(100);
    let slow = Quota::per_second(1).burst(5);
    let (users, time) = with(config(fast, Algorithm::Gcra, Carry::Proportional));
    users.check_n("anne", 100).expect("all of it");
    users.reconfigure(config(slow, Algorithm::Gcra, Carry::Proportional)).expect("valid");
    // A hundred cells at one a second, of which five are there at once.
    let throttled = users.check("anne").expect_err("a hundred cells are owed");
    assert_eq!(throttled.retry_after(), Some(Duration::from_secs(96)));
    time.advance(Duration::from_secs(95));
    assert!(users.check("anne").is_err());
    time.advance(Duration::from_secs(1));
    assert!(users.check("anne").is_ok());
}

#[test]
fn what_a_limiter_keeps_cannot_be_replaced_and_then_nothing_has_changed() {
    let ten = Quota::per_second(10);
    let (users, _time) = with(config(ten, Algorithm::Gcra, Carry::AsIs));
    let other =
        |change: fn(Keyed<str>) -> Keyed<str>| change(config(Quota::per_second(20), Algorithm::Gcra, Carry::AsIs));
    for (config, field) in [
        (other(|config| config.capacity(65)), "capacity"),
        (other(|config| config.classes([Quota::per_second(1)])), "classes"),
        (config(Quota::per_second(20), Algorithm::sliding_window(), Carry::AsIs), "each.algorithm"),
        (Keyed::new(Config::new(ten).algorithm(Algorithm::Gcra).name("others")).capacity(64), "each.name"),
    ] {
        assert_eq!(users.reconfigure(config).unwrap_err().field(), field);
        assert_eq!(users.quota_of("anne"), ten);
    }
}

#[test]
fn quotas_follow_the_load() {
    let each = Config::new(Quota::per_second(100)).adaptive(AdaptiveConfig::default());
    let (users, _time) = with::<str>(Keyed::new(each).classes([Quota::per_second(10)]));
    assert_eq!(users.adapt(0.95).expect("a load"), Quota::per_second(70));
    assert_eq!(users.snapshot().quotas, [Quota::per_second(70), Quota::per_second(7)]);
    assert!(users.adapt(f64::NAN).is_err());
    assert_eq!((0..200).filter(|_| users.check("anne").is_ok()).count(), 70);
}

#[test]
fn a_key_that_bursts_is_told_of_once_and_punished_alone() {
    let bursts = Arc::new(AtomicUsize::new(0));
    let heard = bursts.clone();
    let burst = BurstConfig::default().requests(5).period(Duration::from_secs(1)).penalty(Duration::from_secs(60));
    let each = Config::new(Quota::per_second(1_000)).burst(burst).observer(move |event: &Event| {
        if let Event::Burst { key, requests: 5, .. } = event {
            assert_ne!(*key, 0);
            heard.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (users, time) = with::<str>(Keyed::new(each));
    assert_eq!((0..20).filter(|_| users.check("anne").is_ok()).count(), 5);
    assert_eq!(bursts.load(Ordering::Relaxed), 1);
    assert!(users.check("bill").is_ok());
    time.advance(Duration::from_secs(59));
    assert!(users.check("anne").is_err());
    time.advance(Duration::from_secs(1));
    assert!(users.check("anne").is_ok());
    assert_eq!(users.snapshot().bursts, 1);
}

#[test]
fn an_observer_that_asks_the_limiter_when_it_is_dropped_holds_nobody_up() {
    struct Asks {
        users: Weak<KeyedRateLimiter<str>>,
        answers: Sender<usize>,
    }

    impl Drop for Asks {
        fn drop(&mut self) {
            if let Some(users) = self.users.upgrade() {
                let _ = self.answers.send(users.snapshot().quotas.len());
            }
        }
    }

    let ten = || config(Quota::per_second(10), Algorithm::Gcra, Carry::AsIs);
    let (users, _time) = with(ten());
    let users = Arc::new(users);
    let (answers, answered) = channel();
    let asks = |capacity| {
        let asks = Asks { users: Arc::downgrade(&users), answers: answers.clone() };
        let each =
            Config::new(Quota::per_second(10)).name("keys").observer(move |_: &Event| drop(asks.users.upgrade()));
        Keyed::new(each).capacity(capacity)
    };
    let (observed, invalid) = (asks(64), asks(128));
    let changed = users.clone();
    std::thread::spawn(move || {
        changed.reconfigure(observed).expect("valid");
        changed.reconfigure(config(Quota::per_second(20), Algorithm::Gcra, Carry::AsIs)).expect("valid");
        changed.reconfigure(invalid).expect_err("another capacity");
    });
    for dropped in ["the replaced one", "the refused one"] {
        assert_eq!(answered.recv_timeout(Duration::from_secs(10)), Ok(1), "{dropped} waits for ever");
    }
}

#[test]
fn a_flood_of_keys_is_nobodys_burst_and_others_punishments_are_not_ones_own() {
    let burst = BurstConfig::default().requests(5).period(Duration::from_secs(1)).penalty(Duration::from_secs(60));
    let each = Config::new(Quota::per_second(1_000)).burst(burst);
    let (users, time) = with::<u32>(Keyed::new(each).capacity(4));
    // More calls of one key each than there are slots, in one period.
    (0..100).for_each(|user| assert!(users.check(&user).is_ok(), "{user} is punished for the others"));
    assert_eq!(users.snapshot().bursts, 0);
    time.advance(Duration::from_secs(5));
    // More are punished than there are slots, one after the other.
    for user in 1_000..1_008 {
        (0..9).for_each(|_| drop(users.check(&user)));
        time.advance(Duration::from_secs(5));
    }
    assert!(users.snapshot().bursts >= 4);
    assert!((1_000..1_008).any(|user| users.check(&user).is_err()));
    time.advance(Duration::from_secs(5));
    (2_000..2_100).for_each(|user| assert!(users.check(&user).is_ok(), "{user} is punished for the others"));
}

#[test]
fn every_share_that_may_hold_for_a_class_is_checked_before_any_does() {
    let wide = AdaptiveConfig::default().floor(0.1).ceiling(100.0);
    let log = |first, second| {
        let each = Config::new(Quota::per_second(first)).algorithm(Algorithm::SlidingLog).adaptive(wide);
        Keyed::<str>::new(each).capacity(4).classes([Quota::per_second(second)])
    };
    let field = |first, second| {
        let error =
            KeyedRateLimiter::<str>::new(log(first, second)).expect_err("a hundred times as much is too long a log");
        error.field().to_owned()
    };
    assert_eq!((field(1_000, 1), field(1, 1_000)), ("each.quota.limit".into(), "classes[0].limit".into()));
    let (users, _time) = with(log(1, 600));
    users.reconfigure(log(1_000, 600)).expect_err("too long a log");
    assert_eq!(users.snapshot().quotas, [Quota::per_second(1), Quota::per_second(600)]);
    // Rounded, two and four cells a year may become one and three: more than a bucket can owe.
    let year = Duration::from_secs(365 * 24 * 3600);
    let bucket = |burst| {
        let quota = Quota::new(2, year);
        Keyed::<str>::new(Config::new(quota).algorithm(Algorithm::Gcra).adaptive(wide)).classes([quota.burst(burst)])
    };
    let error = KeyedRateLimiter::<str>::new(bucket(4)).expect_err("it may refill for three years");
    assert_eq!((error.field(), error.value()), ("classes[0].burst", "4"));
    let (fits, _time) = with(bucket(2).capacity(4));
    for load in (0..100).map(|step| f64::from(step * 37 % 100) / 100.0) {
        let to = fits.adapt(load).expect("every share fits");
        assert_eq!(fits.snapshot().quotas[0], to);
    }
}
