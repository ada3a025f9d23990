//! What a gauge makes of its signals, and who makes it look.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use seawall_bulkhead::load::{Combine, Config, Event, Feature, Hysteresis, Level, LoadGauge, Signal};
use seawall_bulkhead::{Bulkhead, Config as Limit};
use seawall_core::Name;
use seawall_core::time::{BoxFuture, Clock, Now, TimeDriver, Timestamp};
use seawall_core::{Admits, Ask};
use seawall_testkit::cancel::CancelAtEveryPoll;
use seawall_testkit::exec::Executor;

use crate::support::{MS, Pushed, SECOND, metrics, raw};

fn near(load: Option<f64>, expected: f64) {
    let load = load.expect("known");
    assert!((load - expected).abs() < 1e-9, "{load} instead of {expected}");
}

/// A signal that is read from a number, and how often it was.
fn counted(name: &str) -> (Signal, Arc<AtomicU64>, Arc<AtomicUsize>) {
    let (value, reads) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let (its, count) = (value.clone(), reads.clone());
    let signal = Signal::read(name, move || {
        count.fetch_add(1, Ordering::Relaxed);
        f64::from_bits(its.load(Ordering::Relaxed))
    });
    (signal, value, reads)
}

#[test]
fn an_update_looks_once_per_interval() {
    let (clock, time) = Clock::manual();
    let gauge = LoadGauge::with_clock(raw().interval(100 * MS), clock).expect("valid");
    let (signal, _, reads) = counted("cpu");
    gauge.signal(signal).expect("the first");
    let looks = |after| {
        time.advance(after);
        gauge.update();
        gauge.update();
        reads.load(Ordering::Relaxed)
    };
    assert_eq!(looks(Duration::ZERO), 1);
    assert_eq!(looks(99 * MS), 1);
    assert_eq!(looks(MS), 2);
    gauge.sample();
    assert_eq!(looks(99 * MS), 3, "a sample counts as a look");
    assert_eq!(looks(MS), 4);
}

/// A clock that is where it is set.
struct Stepping(Arc<AtomicU64>);

impl TimeDriver for Stepping {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture {
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_look_is_due_after_a_step_back_of_the_clock() {
    let now = Arc::new(AtomicU64::new(1_000_000_000_000));
    let gauge = LoadGauge::with_clock(raw(), Clock::custom(Arc::new(Stepping(now.clone())))).expect("valid");
    gauge.signal(Signal::read("cpu", || 1.0)).expect("the first");
    now.store(5_000_000_000, Ordering::Relaxed);
    assert_eq!(gauge.update(), Level::Critical);
}

#[test]
fn a_call_that_was_held_up_since_it_read_the_time_does_not_turn_the_time_back() {
    let it = Pushed::new(raw());
    let switch = it.gauge.feature(Feature::new("extras")).expect("the first");
    it.load(0.9);
    let long_ago = Now::at(it.time.now() - 60 * SECOND);
    it.gauge.push("cpu", 0.1).expect("a load");
    for _ in 0..4 {
        it.time.advance(SECOND);
        Admits::try_admit(&switch, &Ask::new(&(), &long_ago)).expect_err("off for five seconds");
    }
    assert_eq!(it.gauge.snapshot().since, 4 * SECOND);
    it.time.advance(SECOND);
    Admits::try_admit(&switch, &Ask::new(&(), &long_ago)).expect("on again");
}

#[test]
fn the_highest_signal_decides() {
    let it = Pushed::new(raw());
    it.gauge.signal(Signal::pushed("memory")).expect("another");
    it.gauge.push("memory", 0.85).expect("a load");
    it.load(0.3);
    assert_eq!((it.gauge.load(), it.gauge.level()), (Some(0.85), Level::Elevated));
}

#[test]
fn weights_count_in_a_mean() {
    let it = Pushed::new(raw().combine(Combine::WeightedMean));
    it.gauge.signal(Signal::pushed("queue").weight(3.0)).expect("another");
    it.gauge.signal(Signal::pushed("silent").weight(100.0)).expect("another");
    it.gauge.push("queue", 0.8).expect("a load");
    it.load(0.4);
    near(it.gauge.load(), 0.7);
}

#[test]
fn smoothing_forgets_by_time() {
    let it = Pushed::new(Config::default().smoothing(2 * SECOND));
    it.load(0.2);
    near(it.gauge.load(), 0.2);
    it.load(1.0);
    let expected = 1.0 - 0.8 * (-0.5_f64).exp();
    near(it.gauge.load(), expected);
    // Two looks in half the time each move it as far as one.
    it.time.advance(SECOND / 2);
    it.gauge.sample();
    it.time.advance(SECOND / 2);
    it.gauge.sample();
    near(it.gauge.load(), 1.0 - 0.8 * (-1.0_f64).exp());
}

#[test]
fn what_cannot_be_is_refused_with_its_name_and_counted() {
    let it = Pushed::new(raw());
    it.load(0.5);
    for (value, told) in [(f64::NAN, "NaN"), (-0.1, "-0.1"), (f64::INFINITY, "inf")] {
        let error = it.gauge.push("cpu", value).expect_err(told);
        assert_eq!(error.to_string(), format!("`cpu` is {told}, must be a number of at least 0"));
    }
    let signal = &it.gauge.snapshot().signals[0];
    assert_eq!((signal.value, signal.refused), (Some(0.5), 3));
    it.gauge.push("cpu", 1.5).expect("an overload");
    assert_eq!(it.gauge.snapshot().signals[0].value, Some(1.0));
}

#[test]
fn a_signal_that_reads_nonsense_is_left_out_once_it_is_too_old() {
    let it = Pushed::new(raw());
    let (signal, value, _) = counted("broken");
    it.gauge.signal(signal).expect("another");
    value.store(0.9_f64.to_bits(), Ordering::Relaxed);
    it.load(0.1);
    assert_eq!(it.gauge.load(), Some(0.9));
    value.store(f64::NAN.to_bits(), Ordering::Relaxed);
    it.hold(0.1, 10);
    assert_eq!(it.gauge.load(), Some(0.9), "ten seconds old");
    it.load(0.1);
    assert_eq!(it.gauge.load(), Some(0.1));
    let broken = &it.gauge.snapshot().signals[1];
    assert_eq!((broken.value, broken.refused), (None, 11));
}

#[test]
fn a_signal_that_falls_silent_does_not_hold_the_level() {
    let it = Pushed::new(raw());
    it.load(1.0);
    for _ in 0..30 {
        it.time.advance(SECOND);
        it.gauge.update();
    }
    assert_eq!((it.gauge.load(), it.gauge.level()), (None, Level::Normal));
}

#[test]
fn names_of_signals_are_their_own() {
    let it = Pushed::new(raw());
    let told = |result: Result<(), seawall_core::ConfigError>| result.expect_err("it cannot be").to_string();
    let taken = told(it.gauge.signal(Signal::pushed("cpu")));
    assert_eq!(taken, "`signal.name` is \"cpu\", must be a name that no other signal of the gauge has");
    assert!(told(it.gauge.signal(Signal::pushed(""))).starts_with("`name` is \"\""));
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = told(it.gauge.signal(Signal::pushed("x").weight(weight)));
        assert_eq!(error, format!("`weight` is {weight}, must be a number above 0"));
    }
    assert_eq!(told(it.gauge.push("x", 0.5)), "`signal` is \"x\", must be the name of a signal of the gauge");
    it.gauge.signal(Signal::read("read", || 0.0)).expect("another");
    assert_eq!(told(it.gauge.push("read", 0.5)), "`read` is 0.5, must be left to what the signal is read from");
    assert_eq!(it.gauge.snapshot().signals.len(), 2);
}

#[test]
fn a_bulkhead_tells_its_calls_and_the_age_of_its_queue() {
    let (clock, time) = Clock::manual();
    let database = Bulkhead::with_clock(Limit::new(4).name("database").queue(9), clock.clone()).expect("valid");
    let gauge = LoadGauge::with_clock(raw(), clock).expect("valid");
    gauge.signal(Signal::in_flight(&database)).expect("the first");
    gauge.signal(Signal::queue_age("database_queue", &database, SECOND)).expect("another");
    let values = || {
        gauge.sample();
        let values: Vec<_> = gauge.snapshot().signals.iter().map(|signal| signal.value.expect("read")).collect();
        values
    };
    assert_eq!(values(), [0.0, 0.0]);
    let calls: Vec<_> = (0..4).map(|_| database.try_admit().expect("of four")).collect();
    assert_eq!(values(), [1.0, 0.0]);
    let mut waiting = Box::pin(database.admit_within(10 * SECOND));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(Future::poll(waiting.as_mut(), &mut cx).is_pending());
    time.advance(250 * MS);
    assert_eq!(values(), [1.0, 0.25]);
    time.advance(SECOND);
    assert_eq!(values(), [1.0, 1.0]);
    drop((waiting, calls));
    assert_eq!(values(), [0.0, 0.0]);
}

#[test]
fn each_change_is_told_once_with_its_load() {
    let it = Pushed::new(raw());
    it.hold(0.1, 3);
    it.hold(0.97, 3);
    it.hold(0.1, 20);
    let name = Name::from_static("load");
    let change = |from, to, load| Event::LevelChanged { name, from, to, load };
    assert_eq!(
        it.told(),
        [
            change(Level::Normal, Level::Critical, 0.97),
            change(Level::Critical, Level::Elevated, 0.1),
            change(Level::Elevated, Level::Normal, 0.1),
        ]
    );
    let snapshot = it.gauge.snapshot();
    assert_eq!((snapshot.changes, snapshot.entered), (3, [1, 1, 1]));
    // Critical in the 4th second, elevated in the 9th, normal in the 14th, of 26.
    assert_eq!(snapshot.since, 12 * SECOND);
}

#[test]
fn another_configuration_keeps_the_level_and_holds_at_once() {
    let it = Pushed::new(raw());
    it.load(0.85);
    it.told();
    let name = Name::from_static("load");
    let renamed = it.gauge.reconfigure(Config::default().name("other")).expect_err("another name");
    assert_eq!(renamed.to_string(), "`name` is \"other\", must be \"load\": a gauge keeps its name");
    it.gauge.reconfigure(raw().interval(Duration::ZERO)).expect_err("zero");
    assert_eq!(it.gauge.level(), Level::Elevated);

    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let levels = Hysteresis::default().elevated(0.9).critical(0.92).dwell(Duration::ZERO);
    let config = raw().levels(levels).observer(move |event: &Event| heard.lock().expect("alone").push(*event));
    it.gauge.reconfigure(config).expect("valid");
    assert_eq!(it.gauge.level(), Level::Elevated, "it is kept until the next look");
    it.gauge.push("cpu", 0.84).expect("a load");
    assert_eq!(it.gauge.update(), Level::Normal, "which is due");
    let expected = [
        Event::Reconfigured { name, level: Level::Elevated },
        Event::LevelChanged { name, from: Level::Elevated, to: Level::Normal, load: 0.84 },
    ];
    assert_eq!(*told.lock().expect("alone"), expected);
    assert_eq!(it.told(), [], "the observer before hears no more");
}

#[test]
fn a_signal_or_observer_that_panics_does_not_end_the_looking() {
    let it = Pushed::new(raw());
    let panics = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let its = panics.clone();
    let broken = Signal::read("broken", move || if its.load(Ordering::Relaxed) { panic!("no reading") } else { 0.0 });
    it.gauge.signal(broken).expect("another");
    it.gauge.push("cpu", 0.9).expect("a load");
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| it.gauge.sample())).is_err());
    panics.store(false, Ordering::Relaxed);
    assert_eq!(it.gauge.sample(), Level::Elevated);
}

#[test]
fn a_signal_and_an_observer_may_ask_the_gauge() {
    let own = Arc::new(OnceLock::<LoadGauge>::new());
    let asked = own.clone();
    let config = raw().observer(move |_: &Event| {
        let gauge = asked.get().expect("set");
        gauge.sample();
        assert_eq!(gauge.snapshot().level, Level::Critical);
    });
    let (clock, _time) = Clock::manual();
    let gauge = LoadGauge::with_clock(config, clock).expect("valid");
    own.set(gauge.clone()).expect("once");
    let asked = gauge.clone();
    let signal = move || {
        asked.sample();
        asked.update();
        1.0 + f64::from(u8::from(asked.snapshot().changes > 9))
    };
    gauge.signal(Signal::read("itself", signal)).expect("the first");
    assert_eq!(gauge.sample(), Level::Critical);
}

#[test]
fn followed_time_brings_everything_back_without_a_call() {
    let executor = Executor::new(3);
    let told = Arc::new(Mutex::new(Vec::new()));
    let (heard, clock) = (told.clone(), executor.clock());
    let config = raw().observer(move |event: &Event| {
        if let Event::LevelChanged { to, .. } = event {
            heard.lock().expect("alone").push((*to, clock.now()));
        }
    });
    let gauge = LoadGauge::with_clock(config, executor.clock()).expect("valid");
    let (signal, value, reads) = counted("cpu");
    gauge.signal(signal).expect("the first");
    let followed = gauge.clone();
    let following = executor.spawn(async move { followed.follow_time().await });
    let clock = executor.clock();
    executor.block_on(async {
        clock.sleep(10 * SECOND).await;
        value.store(1.0_f64.to_bits(), Ordering::Relaxed);
        clock.sleep(SECOND).await;
        value.store(0, Ordering::Relaxed);
        clock.sleep(60 * SECOND).await;
    });
    let looks = reads.load(Ordering::Relaxed);
    assert!((280..=290).contains(&looks), "{looks} looks in 71 s of 250 ms");
    drop(following);
    let told = std::mem::take(&mut *told.lock().expect("alone"));
    let levels: Vec<_> = told.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::Critical, Level::Elevated, Level::Normal]);
    let [critical, elevated, normal] = [told[0].1, told[1].1, told[2].1];
    assert!(critical <= Timestamp::ZERO + 10 * SECOND + 250 * MS);
    assert_eq!((elevated - 5 * SECOND, normal - 5 * SECOND), (critical, elevated), "a step per dwell time");
}

#[test]
fn following_may_be_dropped_at_any_poll() {
    let it = Pushed::new(raw());
    let before = Cell::new(it.gauge.snapshot().changes);
    let polls = CancelAtEveryPoll::new().between(|_| it.time.advance(SECOND)).run(
        || async {
            let following = std::pin::pin!(it.gauge.follow_time());
            let mut polls = 0;
            let mut following = following;
            std::future::poll_fn(|cx| {
                polls += 1;
                let _ = Future::poll(following.as_mut(), cx);
                if polls > 5 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
        },
        |_| {
            assert_eq!(it.gauge.snapshot().changes, before.get());
            it.gauge.push("cpu", 0.99).expect("a load");
            assert_eq!(it.gauge.sample(), Level::Critical, "it still looks");
            it.hold(0.0, 20);
            assert_eq!(it.gauge.level(), Level::Normal);
            before.set(it.gauge.snapshot().changes);
        },
    );
    assert_eq!(polls, 6);
}

#[test]
fn threads_that_ask_at_once_tell_each_change_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let config = raw().interval(Duration::from_nanos(1)).levels(Hysteresis::default().dwell(MS));
    let config = config.observer(move |event: &Event| heard.lock().expect("nobody panics").push(*event));
    let gauge = LoadGauge::new(config).expect("valid");
    let (signal, value, _) = counted("cpu");
    gauge.signal(signal).expect("the first");
    let _feature = gauge.feature(Feature::new("extras")).expect("the first");
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let (gauge, value) = (&gauge, &value);
            scope.spawn(move || {
                for turn in 0..5_000_u32 {
                    let load = if (turn / 500 + thread) % 2 == 0 { 1.0_f64 } else { 0.0 };
                    value.store(load.to_bits(), Ordering::Relaxed);
                    gauge.update();
                    gauge.sample();
                }
            });
        }
    });
    let told = told.lock().expect("nobody panics");
    let mut level = Level::Normal;
    for event in told.iter() {
        if let Event::LevelChanged { from, to, .. } = event {
            assert_eq!(*from, level, "{told:?}");
            level = *to;
        }
    }
    assert_eq!(level, gauge.level());
}

#[test]
fn metrics_tell_all_of_it() {
    let it = Pushed::new(raw());
    let extras = it.gauge.feature(Feature::new("extras")).expect("the first");
    extras.try_admit().expect("on").success();
    it.load(0.85);
    extras.try_admit().expect_err("off");
    it.gauge.push("cpu", -1.0).expect_err("below 0");
    let mut lines = metrics(&it.gauge);
    lines.sort();
    let expected = [
        "seawall_bulkhead_feature_calls name=load,feature=extras,outcome=admitted 1",
        "seawall_bulkhead_feature_calls name=load,feature=extras,outcome=switched_off 1",
        "seawall_bulkhead_feature_on name=load,feature=extras 0",
        "seawall_bulkhead_load_changes name=load,level=critical 0",
        "seawall_bulkhead_load_changes name=load,level=elevated 1",
        "seawall_bulkhead_load_changes name=load,level=normal 0",
        "seawall_bulkhead_load_level name=load,level=critical 0",
        "seawall_bulkhead_load_level name=load,level=elevated 1",
        "seawall_bulkhead_load_level name=load,level=normal 0",
        "seawall_bulkhead_load_ratio name=load 0.85",
        "seawall_bulkhead_load_signal_ratio name=load,signal=cpu 0.85",
        "seawall_bulkhead_load_signal_refused name=load,signal=cpu 1",
    ];
    assert_eq!(lines, expected);
}
