//! What cannot be is refused with its field, its value and what would be valid; then nothing has changed.

use std::time::Duration;

use seawall_bulkhead::{CoDel, Config, Order};

use crate::{SECOND, bulkhead};

const YEAR: Duration = Duration::from_secs(367 * 24 * 3600);

fn impossible() -> Vec<(Config, &'static str, &'static str, &'static str)> {
    let config = || Config::new(3);
    let name = "1 to 31 bytes of printable text";
    let long = "at most 366 days";
    let some = "1 ns to 366 days";
    vec![
        (Config::new(0), "limit", "0", "1 to 4294967295"),
        (Config::custom(|| NoLimit).with_limit(0), "limit", "0", "1 to 4294967295"),
        (config().name(""), "name", "\"\"", name),
        (config().name("a name of thirty-two bytes, a-b-c"), "name", "\"a name of thirty-two bytes, a-b-c\"", name),
        (config().max_wait(YEAR), "max_wait", "31708800s", long),
        (config().aging(Duration::ZERO), "aging", "0ns", some),
        (config().aging(YEAR), "aging", "31708800s", some),
        (config().order(Order::AdaptiveLifo { after: YEAR }), "order.adaptive_lifo.after", "31708800s", long),
        (config().codel(CoDel::new(Duration::ZERO, SECOND)), "codel.target", "0ns", some),
        (config().codel(CoDel::new(SECOND, Duration::ZERO)), "codel.interval", "0ns", some),
        (config().codel(CoDel::new(YEAR, SECOND)), "codel.target", "31708800s", some),
        (config().codel(CoDel::new(SECOND, YEAR)), "codel.interval", "31708800s", some),
    ]
}

#[derive(Debug)]
struct NoLimit;

impl seawall_bulkhead::limit::LimitAlgorithm for NoLimit {
    fn limit(&self) -> u32 {
        0
    }

    fn on_sample(&mut self, _: &seawall_bulkhead::limit::Sample) -> u32 {
        0
    }
}

#[test]
fn what_cannot_be_is_named_and_changes_nothing() {
    let (bulkhead, _time) = bulkhead(Config::new(3).queue(2));
    let before = bulkhead.snapshot();
    for (config, field, value, valid) in impossible() {
        let error = bulkhead.reconfigure(config).expect_err(field);
        assert_eq!((error.field(), error.value()), (field, value), "{error}");
        assert!(error.valid().starts_with(valid), "{field}: {:?} does not begin with {valid:?}", error.valid());
    }
    let error = bulkhead.reconfigure(Config::new(3).name("other")).expect_err("another name");
    assert_eq!((error.field(), error.value()), ("name", "\"other\""));
    assert_eq!(bulkhead.snapshot(), before);
}

#[test]
fn the_edges_of_what_can_be_are_taken() {
    let longest = Duration::from_secs(366 * 24 * 3600);
    let tiny = Duration::from_nanos(1);
    for config in [
        Config::new(u32::MAX).queue(usize::MAX),
        Config::new(1).max_wait(Duration::ZERO),
        Config::new(1).max_wait(longest).aging(longest).order(Order::AdaptiveLifo { after: longest }),
        Config::new(1)
            .aging(tiny)
            .codel(CoDel::new(tiny, longest))
            .order(Order::AdaptiveLifo { after: Duration::ZERO }),
        Config::custom(|| NoLimit),
        Config::new(1).name("a-name-of-thirty-one-bytes-a-b-"),
    ] {
        let (bulkhead, _time) = bulkhead(config);
        bulkhead.try_admit().expect("free").success();
        assert!(matches!(crate::poll_once(bulkhead.admit()), std::task::Poll::Ready(Ok(_))));
    }
}

#[test]
fn those_who_wait_stay_and_calls_that_run_count_in_what_is_configured_next() {
    let (bulkhead, time) = bulkhead(Config::new(2).queue(3).max_wait(10 * SECOND));
    let [first, second] = [(); 2].map(|()| bulkhead.try_admit().expect("free"));
    let waiting = [(); 3].map(|()| crate::Driven::waiting(bulkhead.admit()));
    bulkhead.reconfigure(Config::new(1).max_wait(SECOND)).expect("valid");
    assert_eq!((bulkhead.limit(), bulkhead.in_flight(), bulkhead.queued()), (1, 2, 3));
    assert!(bulkhead.admit_within(SECOND / 2).try_is_full(), "there is no queue any more");
    time.advance(9 * SECOND);
    drop(first);
    drop(second);
    for one in waiting {
        drop(one.output().expect("it may wait for ten seconds"));
    }
    assert_eq!(bulkhead.available(), 1);
}

#[test]
fn who_comes_later_waits_by_what_is_configured_then() {
    let (bulkhead, time) = bulkhead(Config::new(1).queue(3).max_wait(SECOND));
    let running = bulkhead.try_admit().expect("free");
    let order = Order::AdaptiveLifo { after: Duration::ZERO };
    bulkhead.reconfigure(Config::new(1).queue(3).max_wait(9 * SECOND).order(order)).expect("valid");
    let [first, last] = [(); 2].map(|()| crate::Driven::waiting(bulkhead.admit()));
    time.advance(8 * SECOND);
    assert!(!first.is_woken() && !last.is_woken(), "they may wait for nine seconds");
    drop(running);
    drop(last.output().expect("the last first"));
    drop(first.output().expect("then the first"));
}

trait TryIsFull {
    fn try_is_full(self) -> bool;
}

impl<F: Future<Output = Result<T, seawall_bulkhead::Full>>, T> TryIsFull for F {
    fn try_is_full(self) -> bool {
        matches!(crate::poll_once(self), std::task::Poll::Ready(Err(full)) if full.reason() == seawall_bulkhead::Reason::Full)
    }
}

#[cfg(feature = "serde")]
mod files {
    use seawall_bulkhead::limit::{Adaptive, Vegas};
    use seawall_bulkhead::{Bulkhead, Failures};

    use super::*;

    fn all() -> Vec<Config> {
        vec![
            Config::new(50),
            Config::new(1).name("database").queue(100).max_wait(SECOND / 4).aging(SECOND),
            Config::new(7)
                .order(Order::AdaptiveLifo { after: SECOND })
                .codel(CoDel::default())
                .failures(Failures::Ignored),
            Config::adaptive(Vegas::default().initial(10)),
        ]
    }

    #[test]
    fn what_is_written_is_read_back_as_the_same() {
        for config in all() {
            let toml = toml::to_string(&config).expect("it is written");
            let json = serde_json::to_string(&config).expect("it is written");
            let read: [Config; 2] =
                [toml::from_str(&toml).expect("it is read"), serde_json::from_str(&json).expect("it is read")];
            for read in read {
                assert_eq!(format!("{read:?}"), format!("{config:?}"));
                Bulkhead::new(read).expect("valid");
            }
        }
    }

    #[test]
    fn a_file_says_no_more_than_it_wants() {
        let text = r#"
            limit = 50
            queue = 100
            max_wait = "250ms"
            aging = "1s"
            order = { adaptive_lifo = { after = "100ms" } }
            codel = { target = "7ms" }
            failures = "completed"
        "#;
        let config: Config = toml::from_str(text).expect("it is read");
        let written = Config::new(50)
            .queue(100)
            .max_wait(SECOND / 4)
            .aging(SECOND)
            .order(Order::AdaptiveLifo { after: SECOND / 10 })
            .codel(CoDel::new(7 * SECOND / 1_000, SECOND / 10))
            .failures(Failures::Completed);
        assert_eq!(format!("{config:?}"), format!("{written:?}"));
        let adaptive: Config = toml::from_str("adaptive = { vegas = { initial = 10 } }").expect("it is read");
        assert_eq!(adaptive.get_adaptive(), Some(Adaptive::from(Vegas::default().initial(10))));
    }

    #[test]
    fn what_is_misspelt_or_of_another_kind_is_refused() {
        for (text, says) in [
            ("limit = 5\nqeue = 3", "unknown field `qeue`"),
            ("limit = 5\norder = \"lifo\"", "unknown variant `lifo`"),
            ("limit = 5\norder = { adaptive_lifo = { afer = \"1s\" } }", "unexpected keys in table: afer"),
            ("limit = 5\ncodel = { goal = \"1s\" }", "unknown field `goal`"),
            ("limit = 5\nfailures = \"some\"", "unknown variant `some`"),
            ("limit = -1", "invalid value: integer `-1`"),
            ("limit = 4294967296", "invalid value: integer `4294967296`"),
            ("limit = 1.5", "invalid type: floating point `1.5`"),
            ("limit = 5\nmax_wait = \"soon\"", "expected a duration"),
            ("adaptive = { magic = {} }", "unknown variant `magic`"),
        ] {
            let error = toml::from_str::<Config>(text).expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_has_either_a_limit_or_an_algorithm() {
        for (text, field, value) in [
            ("queue = 3", "limit", "missing"),
            ("limit = 5\nadaptive = { vegas = {} }", "adaptive", "given"),
            ("limit = 0\nadaptive = { vegas = {} }", "adaptive", "given"),
            ("limit = 0", "limit", "0"),
        ] {
            let error = Bulkhead::new(toml::from_str(text).expect("it is read")).expect_err(text);
            assert_eq!((error.field(), error.value()), (field, value), "{error}");
        }
    }
}
