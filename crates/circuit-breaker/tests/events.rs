//! Every transition is told once, with its cause and figures and after the lock is released; what is logged and measured
//! agrees with what was done.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Duration;

use seawall_circuit_breaker::{Cause, CircuitBreaker, Config, Event, HalfOpen, State, Window};
use seawall_core::Outcome;
use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Value};
use seawall_core::time::{Clock, ManualTime};

const SECOND: Duration = Duration::from_secs(1);

fn breaker(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    (CircuitBreaker::with_clock(config, clock).expect("valid"), time)
}

/// Opens at half of four calls; one probe decides.
fn quick() -> Config {
    Config::default()
        .name("payment")
        .window(Window::count(10).minimum_calls(4))
        .open_for(SECOND)
        .half_open(HalfOpen::probes(1))
}

fn call(breaker: &CircuitBreaker, outcome: Outcome) {
    breaker.try_admit().expect("admitted").finish(outcome);
}

/// Two successes and two failures.
fn trip_by_rate(breaker: &CircuitBreaker) {
    for outcome in [Outcome::Success, Outcome::Success, Outcome::Failure, Outcome::Failure] {
        call(breaker, outcome);
    }
}

/// From all the way through half-open and back, and through the states by hand.
fn drive(breaker: &CircuitBreaker, time: &ManualTime) {
    trip_by_rate(breaker);
    time.advance(SECOND);
    call(breaker, Outcome::Failure);
    time.advance(SECOND);
    call(breaker, Outcome::Success);
    breaker.force_open();
    breaker.disable();
    breaker.metrics_only();
    breaker.reset();
}

#[test]
fn every_transition_is_told_once_with_its_cause_and_figures() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let told = told.clone();
        move |event: &Event| {
            let Event { name, at, from, to, cause, figures, .. } = *event;
            assert_eq!(name.as_str(), "payment");
            told.lock().expect("no panic").push((
                at.as_nanos() / 1_000_000_000,
                from,
                to,
                cause,
                figures.calls,
                figures.failed,
            ));
        }
    };
    let (breaker, time) = breaker(quick().observer(observer));
    drive(&breaker, &time);
    breaker.reset();
    let told = told.lock().expect("no panic");
    assert_eq!(
        *told,
        [
            (0, State::Closed, State::Open, Cause::FailureRate, 4, 2),
            (1, State::Open, State::HalfOpen, Cause::IntervalEnded, 4, 2),
            (1, State::HalfOpen, State::Open, Cause::ProbesFailed, 1, 1),
            (2, State::Open, State::HalfOpen, Cause::IntervalEnded, 1, 1),
            (2, State::HalfOpen, State::Closed, Cause::ProbesSucceeded, 1, 0),
            (2, State::Closed, State::ForcedOpen, Cause::Manual, 0, 0),
            (2, State::ForcedOpen, State::Disabled, Cause::Manual, 0, 0),
            (2, State::Disabled, State::MetricsOnly, Cause::Manual, 0, 0),
            (2, State::MetricsOnly, State::Closed, Cause::Manual, 0, 0),
        ],
        "and nothing when a closed circuit is closed"
    );
}

#[test]
fn metrics_only_tells_each_rule_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let told = told.clone();
        move |event: &Event| told.lock().expect("no panic").push((event.from, event.to, event.cause))
    };
    let config = quick().consecutive_failures(3).failures_in_period(5, SECOND).observer(observer);
    let (breaker, _time) = breaker(config);
    let would_open = |cause| (State::MetricsOnly, State::MetricsOnly, cause);
    for round in 1..=2 {
        breaker.metrics_only();
        told.lock().expect("no panic").clear();
        (0..20).for_each(|_| call(&breaker, Outcome::Failure));
        assert_eq!(
            *told.lock().expect("no panic"),
            [Cause::ConsecutiveFailures, Cause::FailureRate, Cause::FailuresInPeriod].map(would_open),
            "round {round}"
        );
        assert_eq!((breaker.state(), breaker.snapshot().total.opened), (State::MetricsOnly, 0));
    }
}

#[test]
fn an_observer_may_use_the_breaker() {
    let handle: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let (handle, seen) = (handle.clone(), seen.clone());
        move |event: &Event| {
            let breaker = handle.get().expect("it is made before its first event");
            seen.lock().expect("no panic").push((event.to, breaker.state(), breaker.snapshot().state));
            if event.to == State::Open {
                assert!(breaker.try_admit().is_err());
            }
            if event.to == State::HalfOpen {
                // The event is told before its cause is over: this is a transition inside a transition.
                breaker.reset();
            }
        }
    };
    let (breaker, time) = breaker(quick().observer(observer));
    handle.set(breaker.clone()).expect("set once");
    trip_by_rate(&breaker);
    time.advance(SECOND);
    assert_eq!(breaker.state(), State::HalfOpen, "what it was when it was looked at");
    assert_eq!(breaker.state(), State::Closed);
    let same = |state| (state, state, state);
    assert_eq!(*seen.lock().expect("no panic"), [State::Open, State::HalfOpen, State::Closed].map(same));
}

#[test]
fn others_go_on_while_an_observer_is_slow() {
    let (entered, waits) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let first = AtomicBool::new(true);
    let observer = move |_: &Event| {
        if first.swap(false, Ordering::SeqCst) {
            entered.send(()).expect("the test waits");
            // Ends with the test even if that fails before it releases.
            let _ = released.lock().expect("no panic").recv();
        }
    };
    let (breaker, _time) = breaker(quick().observer(observer));
    std::thread::scope(|scope| {
        scope.spawn(|| breaker.force_open());
        waits.recv().expect("the observer is called");
        assert_eq!(breaker.state(), State::ForcedOpen, "the change is there before it is told");
        breaker.reset();
        call(&breaker, Outcome::Failure);
        assert_eq!(breaker.snapshot().total.failures, 1);
        drop(release);
    });
}

#[test]
fn under_contention_no_transition_is_told_twice_or_missed() {
    let told = Arc::new(AtomicUsize::new(0));
    let observer = {
        let told = told.clone();
        move |event: &Event| {
            told.fetch_add(usize::from(event.to == State::Open), Ordering::SeqCst);
        }
    };
    let breaker = CircuitBreaker::new(Config::empty().consecutive_failures(3).observer(observer)).expect("valid");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    match breaker.try_admit() {
                        Ok(permit) => permit.failure(),
                        Err(_) => breaker.reset(),
                    }
                }
            });
        }
    });
    let opened = breaker.snapshot().total.opened;
    assert!(opened > 0);
    assert_eq!(told.load(Ordering::SeqCst) as u64, opened);
}

#[test]
fn a_panic_of_the_observer_reaches_the_caller_and_nobody_else() {
    let (breaker, time) = breaker(quick().observer(|event: &Event| {
        assert!(event.to != State::HalfOpen, "the observer's own");
    }));
    trip_by_rate(&breaker);
    time.advance(SECOND);
    assert!(catch_unwind(AssertUnwindSafe(|| breaker.try_admit().map(drop))).is_err());
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.probes_left), (State::HalfOpen, Some(1)), "the probe is not lost");
    call(&breaker, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);
}

mod logged {
    use super::*;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Level, Metadata, Subscriber};

    type Logged = (Level, &'static str, BTreeMap<&'static str, String>);

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<Logged>>>);

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn event(&self, event: &tracing::Event<'_>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let metadata = event.metadata();
            self.0.lock().expect("no panic").push((*metadata.level(), metadata.target(), fields.0));
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[derive(Default)]
    struct Fields(BTreeMap<&'static str, String>);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0.insert(field.name(), format!("{value:?}"));
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            self.0.insert(field.name(), value.to_owned());
        }
    }

    #[test]
    fn every_transition_is_an_event_with_stable_names() {
        let log = Log::default();
        let run = || {
            let (breaker, time) = breaker(quick());
            drive(&breaker, &time);
            breaker.metrics_only();
            trip_by_rate(&breaker);
        };
        tracing::subscriber::with_default(log.clone(), || {
            // A place that logs asks when it is first reached whether anybody listens, and a test beside this one may reach it
            // just before: so all are reached once, and ask again.
            run();
            tracing::callsite::rebuild_interest_cache();
            log.0.lock().expect("no panic").clear();
            run();
        });
        let log = log.0.lock().expect("no panic");
        assert!(log.iter().all(|(_, target, _)| *target == "seawall::circuit_breaker"));
        let (level, _, fields) = &log[0];
        assert_eq!(*level, Level::WARN);
        for (field, value) in [
            ("message", "circuit opened"),
            ("name", "payment"),
            ("from", "closed"),
            ("to", "open"),
            ("cause", "failure_rate"),
            ("calls", "4"),
            ("failed", "2"),
            ("slow", "0"),
            ("abandoned", "0"),
        ] {
            assert_eq!(fields.get(field).map(String::as_str), Some(value), "{field}");
        }
        let short: Vec<_> =
            log.iter().map(|(level, _, fields)| (*level, &*fields["to"], &*fields["message"])).collect();
        assert_eq!(
            short,
            [
                (Level::WARN, "open", "circuit opened"),
                (Level::INFO, "half_open", "circuit changed"),
                (Level::WARN, "open", "circuit opened"),
                (Level::INFO, "half_open", "circuit changed"),
                (Level::INFO, "closed", "circuit changed"),
                (Level::WARN, "forced_open", "circuit opened"),
                (Level::INFO, "disabled", "circuit changed"),
                (Level::INFO, "metrics_only", "circuit changed"),
                (Level::INFO, "closed", "circuit changed"),
                (Level::INFO, "metrics_only", "circuit changed"),
                (Level::WARN, "metrics_only", "circuit would have opened"),
            ]
        );
    }
}

mod measured {
    use super::*;

    /// Samples by metric and labels.
    #[derive(Debug, Default, PartialEq)]
    struct Samples(BTreeMap<(&'static str, Vec<String>), Value>);

    impl Sink for Samples {
        fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
            assert!(metric.name.starts_with("seawall_circuit_breaker_") && !metric.name.ends_with("_total"));
            assert_eq!(labels[0], ("name", "payment"), "the instance comes first");
            let labels = labels[1..].iter().map(|(name, value)| format!("{name}={value}")).collect();
            if matches!(value, Value::Float(_)) {
                assert_eq!(metric.kind, MetricKind::Gauge);
            }
            assert_eq!(self.0.insert((metric.name, labels), value), None, "sampled twice");
        }
    }

    impl Samples {
        fn of(breaker: &CircuitBreaker) -> Self {
            let mut samples = Self::default();
            breaker.collect(&mut samples);
            samples
        }

        fn get(&self, metric: &str, label: &str) -> Option<Value> {
            let found = self.0.iter().find(|((name, labels), _)| {
                name.strip_prefix("seawall_circuit_breaker_") == Some(metric) && labels.iter().all(|own| own == label)
            });
            found.map(|(_, value)| *value)
        }

        /// The one state whose gauge is 1; all others are 0.
        fn state(&self) -> String {
            let gauges = self.0.iter().filter(|((name, _), _)| *name == "seawall_circuit_breaker_state");
            let (ones, zeros): (Vec<_>, Vec<_>) = gauges.partition(|(_, value)| **value == Value::Integer(1));
            assert_eq!((ones.len(), zeros.len()), (1, 5), "{self:?}");
            assert!(zeros.iter().all(|(_, value)| **value == Value::Integer(0)));
            ones[0].0.1[0].clone()
        }
    }

    #[test]
    fn exactly_one_state_is_one_at_any_time() {
        let (breaker, time) = breaker(quick());
        let state = || Samples::of(&breaker).state();
        assert_eq!(state(), "state=closed");
        trip_by_rate(&breaker);
        assert_eq!(state(), "state=open");
        time.advance(SECOND);
        assert_eq!(state(), "state=half_open", "time has done its work");
        breaker.force_open();
        assert_eq!(state(), "state=forced_open");
        breaker.disable();
        assert_eq!(state(), "state=disabled");
        breaker.metrics_only();
        assert_eq!(state(), "state=metrics_only");
        breaker.reset();
        assert_eq!(state(), "state=closed");
    }

    #[test]
    fn the_counters_equal_what_was_driven() {
        let (breaker, time) = breaker(quick());
        let late = breaker.try_admit().expect("closed");
        trip_by_rate(&breaker);
        (0..7).for_each(|_| assert!(breaker.try_admit().is_err()));
        late.success();
        time.advance(SECOND);
        call(&breaker, Outcome::Ignored);
        breaker.try_admit().expect("a probe").cancel();
        call(&breaker, Outcome::Success);
        drop(breaker.try_admit().expect("closed"));
        (0..3).for_each(|_| call(&breaker, Outcome::Success));
        call(&breaker, Outcome::Failure);

        let samples = Samples::of(&breaker);
        for (outcome, calls) in [("success", 6), ("failure", 3), ("ignored", 1), ("abandoned", 1), ("stale", 1)] {
            assert_eq!(samples.get("calls", &format!("outcome={outcome}")), Some(Value::Integer(calls)), "{outcome}");
        }
        assert_eq!(samples.get("refused", ""), Some(Value::Integer(7)));
        for (state, entered) in [("open", 1), ("half_open", 1), ("closed", 1), ("disabled", 0)] {
            assert_eq!(samples.get("transitions", &format!("state={state}")), Some(Value::Integer(entered)), "{state}");
        }
        assert_eq!(samples.get("failure_ratio", ""), Some(Value::Float(0.25)));
        breaker.reset();
        assert_eq!(Samples::of(&breaker).get("failure_ratio", ""), None, "absent below the minimum of calls");
        assert_eq!(
            Samples::of(&breaker).get("calls", "outcome=success"),
            Some(Value::Integer(6)),
            "counters only grow"
        );
    }
}
