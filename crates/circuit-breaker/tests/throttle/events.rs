//! Throttling is told when it begins and when it ends; what is logged and measured agrees with what was done.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};

use seawall_circuit_breaker::AdaptiveThrottle;
use seawall_circuit_breaker::throttle::{Change, Config, Event};
use seawall_core::Outcome;
use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Value};
use tracing::field::{Field, Visit};
use tracing::span;

use crate::{SECOND, eager, record, throttle};

type Told = Arc<Mutex<Vec<Event>>>;

fn watched(config: Config) -> (Config, Told) {
    let told = Told::default();
    let observer = {
        let told = told.clone();
        move |event: &Event| told.lock().expect("no panic").push(*event)
    };
    (config.observer(observer), told)
}

#[test]
fn an_episode_is_told_once_when_it_begins_and_once_when_it_is_over() {
    let (config, told) = watched(eager().name("search"));
    let (throttle, time) = throttle(config);
    for _ in 0..50 {
        // At the limit, the probability is above zero and zero in turn.
        record(&throttle, Outcome::Failure, 1);
        throttle.snapshot();
        record(&throttle, Outcome::Success, 2);
        throttle.snapshot();
        record(&throttle, Outcome::Failure, 2);
        throttle.snapshot();
        time.advance(SECOND);
    }
    assert!(throttle.snapshot().throttling.is_some());
    let refused = throttle.snapshot().total.refused;
    for _ in 0..30 {
        throttle.try_admit().expect("all is well").success();
        time.advance(SECOND);
    }
    let told = told.lock().expect("no panic");
    let [began, ended] = told[..] else { panic!("one episode: {told:?}") };
    assert_eq!((began.change, began.episode, began.requests, began.accepts), (Change::Began, 1, 1, 0));
    assert_eq!((began.name.as_str(), began.refused, began.lasted.as_secs()), ("search", 0, 0));
    assert!((began.probability - 0.5).abs() < f64::EPSILON);
    assert_eq!((ended.change, ended.episode, ended.refused), (Change::Ended, 1, refused));
    assert!((50..60).contains(&ended.lasted.as_secs()), "{:?}", ended.lasted);
    assert_eq!((throttle.snapshot().throttling, throttle.snapshot().total.episodes), (None, 1));
}

#[test]
fn an_observer_may_use_the_throttle_and_its_panic_reaches_the_caller() {
    let handle: Arc<OnceLock<AdaptiveThrottle>> = Arc::default();
    let observer = {
        let handle = handle.clone();
        move |event: &Event| {
            let throttle = handle.get().expect("it is made before its first event");
            assert!(throttle.snapshot().throttling.is_some());
            drop(throttle.try_admit());
            throttle.record(Outcome::Failure);
            assert_eq!(event.change, Change::Began);
            panic!("the observer panics, as told");
        }
    };
    let (throttle, _time) = throttle(eager().observer(observer));
    handle.set(throttle.clone()).expect("set once");
    record(&throttle, Outcome::Failure, 5);
    let asked = catch_unwind(AssertUnwindSafe(|| throttle.try_admit().map(drop)));
    assert!(asked.is_err(), "the call that brought the change hears of the panic");
    let snapshot = throttle.snapshot();
    assert_eq!(snapshot.total.requests, 7, "5, and the observer's own two: the call that panicked never asked");
    record(&throttle, Outcome::Failure, 100);
    assert!(throttle.snapshot().probability > 0.9, "it goes on");
}

/// Level and target, and the fields.
type Line = (String, BTreeMap<&'static str, String>);

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Line>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(BTreeMap<&'static str, String>);

        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0.insert(field.name(), format!("{value:?}"));
            }
        }

        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        let metadata = event.metadata();
        self.0.lock().expect("no panic").push((format!("{} {}", metadata.level(), metadata.target()), fields.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn what_is_logged_has_a_stable_target_and_stable_fields() {
    let log = Log::default();
    let run = || {
        let (throttle, time) = throttle(eager().name("search"));
        record(&throttle, Outcome::Failure, 3);
        throttle.snapshot();
        time.advance(20 * SECOND);
        throttle.snapshot();
        time.advance(10 * SECOND);
        throttle.snapshot();
    };
    tracing::subscriber::with_default(log.clone(), || {
        // A place that logs asks when it is first reached whether anybody listens, and a test beside this one may reach it just
        // before: so all are reached once, and ask again.
        run();
        tracing::callsite::rebuild_interest_cache();
        log.0.lock().expect("no panic").clear();
        run();
    });
    let logged = log.0.lock().expect("no panic");
    let told: Vec<&str> = logged.iter().map(|(told, _)| told.as_str()).collect();
    assert_eq!(told, ["WARN seawall::adaptive_throttle", "INFO seawall::adaptive_throttle"]);
    let expected = [
        ("accepts", "0"),
        ("episode", "1"),
        ("lasted_seconds", "0.0"),
        ("message", "throttling began"),
        ("name", "\"search\""),
        ("probability", "0.75"),
        ("refused", "0"),
        ("requests", "3"),
    ];
    let fields = |at: usize| logged[at].1.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
    assert_eq!(fields(0), expected);
    assert!(fields(1).contains(&("message", "throttling ended")) && fields(1).contains(&("lasted_seconds", "20.0")));
}

#[derive(Default)]
struct Samples(BTreeMap<(&'static str, Vec<String>), Value>);

impl Sink for Samples {
    fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
        assert!(metric.name.starts_with("seawall_adaptive_throttle_") && !metric.name.ends_with("_total"));
        assert!(metric.help.ends_with('.'));
        if matches!(value, Value::Float(_)) {
            assert_eq!(metric.kind, MetricKind::Gauge);
        }
        let labels = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(self.0.insert((metric.name, labels), value), None, "sampled twice");
    }
}

#[test]
fn what_is_measured_is_what_was_counted() {
    let (throttle, _time) = throttle(eager().name("search"));
    record(&throttle, Outcome::Success, 5);
    record(&throttle, Outcome::Failure, 11);
    record(&throttle, Outcome::Ignored, 2);
    throttle.hold(1.0).expect("a probability");
    (0..3).for_each(|_| assert!(throttle.try_admit().is_err()));
    throttle.release();
    let mut sink = Samples::default();
    throttle.collect(&mut sink);
    let sampled: Vec<String> = sink
        .0
        .iter()
        .map(|((name, labels), value)| {
            format!("{} {} {value:?}", name.trim_start_matches("seawall_adaptive_throttle_"), labels.join(","))
        })
        .collect();
    assert_eq!(
        sampled,
        [
            "calls name=search,outcome=abandoned Integer(0)",
            "calls name=search,outcome=failure Integer(11)",
            "calls name=search,outcome=ignored Integer(2)",
            "calls name=search,outcome=stale Integer(0)",
            "calls name=search,outcome=success Integer(5)",
            "episodes name=search Integer(1)",
            "refusal_ratio name=search Float(0.45)",
            "refused name=search Integer(3)",
            "window_accepts name=search Integer(5)",
            "window_requests name=search Integer(19)",
        ]
    );
}
