//! Features: off with the level, and step by step on again.

use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use seawall_bulkhead::load::{Config, Event, Feature, FeatureSwitch, Level, SwitchedOff};
use seawall_bulkhead::{Bulkhead, Config as Limit};
use seawall_core::{Rejection, all};

use crate::support::{MS, Pushed, SECOND, raw};

fn register(it: &Pushed, features: &[(&str, Level)]) -> Vec<FeatureSwitch> {
    features.iter().map(|(name, until)| it.gauge.feature(Feature::new(*name).until(*until)).expect("valid")).collect()
}

/// The switches of features that were told: `+name` or `-name`.
fn switched(events: &[Event]) -> Vec<String> {
    let sign = |on| if on { '+' } else { '-' };
    events
        .iter()
        .filter_map(|event| match event {
            Event::FeatureSwitched { feature, on, .. } => Some(format!("{}{feature}", sign(*on))),
            _ => None,
        })
        .collect()
}

const FOUR: [(&str, Level); 4] = [
    ("suggestions", Level::Elevated),
    ("search", Level::Critical),
    ("statistics", Level::Elevated),
    ("history", Level::Critical),
];

#[test]
fn features_go_with_their_level_and_come_back_with_it() {
    let it = Pushed::new(raw());
    let switches = register(&it, &FOUR);
    let on = || switches.iter().map(|switch| switch.is_on()).collect::<Vec<_>>();
    assert_eq!(on(), [true; 4]);
    it.load(0.85);
    assert_eq!(on(), [false, true, false, true]);
    assert_eq!(switched(&it.told()), ["-statistics", "-suggestions"]);
    it.hold(0.97, 5);
    assert_eq!(on(), [false; 4]);
    assert_eq!(switched(&it.told()), ["-history", "-search"]);
    it.hold(0.1, 5);
    assert_eq!(on(), [false, true, false, true]);
    assert_eq!(switched(&it.told()), ["+search", "+history"]);
    it.hold(0.1, 5);
    assert_eq!(on(), [true; 4]);
    assert_eq!(switched(&it.told()), ["+suggestions", "+statistics"]);
}

#[test]
fn what_matters_least_goes_first_and_comes_last_when_the_level_jumps() {
    let it = Pushed::new(raw());
    register(&it, &FOUR);
    it.load(1.0);
    let told = it.told();
    assert_eq!(switched(&told), ["-statistics", "-suggestions", "-history", "-search"]);
    assert!(matches!(told[0], Event::LevelChanged { .. }), "the level is told before its features");
    let listed: Vec<_> = it.gauge.snapshot().features.iter().map(|feature| feature.name.to_string()).collect();
    assert_eq!(listed, ["search", "history", "suggestions", "statistics"]);
}

#[test]
fn staggered_features_come_back_one_at_a_time() {
    let it = Pushed::new(raw().stagger(2 * SECOND));
    register(&it, &FOUR);
    it.load(1.0);
    it.told();
    let mut came = Vec::new();
    for second in 1..=20 {
        it.load(0.0);
        came.extend(switched(&it.told()).into_iter().map(|feature| (second, feature)));
    }
    let came: Vec<_> = came.iter().map(|(second, feature)| (*second, feature.as_str())).collect();
    assert_eq!(came, [(5, "+search"), (7, "+history"), (10, "+suggestions"), (12, "+statistics")]);
}

#[test]
fn a_feature_that_has_not_come_back_yet_stays_off_when_the_level_rises_again() {
    let it = Pushed::new(raw().stagger(20 * SECOND));
    let switches = register(&it, &FOUR[..3]);
    it.load(0.9);
    it.hold(0.0, 10);
    assert!(switches[0].is_on() && !switches[2].is_on());
    it.told();
    it.load(0.9);
    assert_eq!(switched(&it.told()), ["-suggestions"], "the other one is off already");
    it.hold(0.0, 60);
    assert_eq!(switched(&it.told()), ["+suggestions", "+statistics"]);
}

proptest! {
    #[test]
    fn whatever_the_load_was_every_feature_comes_back(
        loads in proptest::collection::vec(0.0..=1.0_f64, 1..100),
        stagger in 0..4_u32,
        smoothing in 0..3_u32,
    ) {
        let it = Pushed::new(Config::default().stagger(stagger * SECOND).smoothing(smoothing * SECOND));
        let switches = register(&it, &FOUR);
        let mut last = it.gauge.level();
        for load in loads {
            it.load(load);
            let level = it.gauge.level();
            for switch in &switches {
                prop_assert!(!switch.is_on() || level < switch.until(), "{switch:?} at {level}");
            }
            prop_assert!(level >= last.below());
            last = level;
        }
        // Two dwell times, the time that smoothing takes, a stagger for each feature.
        it.hold(0.0, 12 + 3 * smoothing + 4 * (stagger + 1));
        prop_assert!(switches.iter().all(|switch| switch.is_on()), "{:?}", it.gauge.snapshot());
    }
}

#[test]
fn a_call_of_a_feature_that_is_off_is_told_why_and_when_to_come_again() {
    let it = Pushed::new(raw());
    let switch = it.gauge.feature(Feature::new("suggestions")).expect("the first");
    switch.try_admit().expect("on").success();
    it.load(1.0);
    let off = switch.try_admit().expect_err("off");
    assert_eq!((off.name().as_str(), off.level(), off.until()), ("suggestions", Level::Critical, Level::Elevated));
    // Two steps down, of a dwell time each.
    let told = "the feature `suggestions` is switched off: the load is critical, retry after 10s";
    assert_eq!(off.to_string(), told);
    it.time.advance(100 * MS);
    assert_eq!(switch.try_admit().expect_err("off").retry_after(), Some(9_900 * MS));
    let rejection = *Rejection::find(&off).expect("its source");
    assert_eq!(
        (rejection.pattern(), rejection.reason(), rejection.is_over_quota()),
        ("bulkhead", "switched_off", false)
    );
    assert_eq!(rejection, off.into());
    let seen = &it.gauge.snapshot().features[0];
    assert_eq!((seen.on, seen.until, seen.admitted, seen.refused), (false, Level::Elevated, 1, 2));
}

#[test]
fn a_call_is_never_told_to_come_again_before_the_next_look() {
    let it = Pushed::new(raw());
    let switch = it.gauge.feature(Feature::new("suggestions")).expect("the first");
    it.hold(0.9, 60);
    assert_eq!(switch.try_admit().expect_err("off").retry_after(), Some(250 * MS));
}

#[test]
fn a_call_makes_the_gauge_look() {
    let it = Pushed::new(raw());
    let switch = it.gauge.feature(Feature::new("suggestions")).expect("the first");
    let feature = Feature::new("other");
    it.gauge.push("cpu", 0.9).expect("a load");
    switch.try_admit().expect_err("it has looked");
    it.time.advance(SECOND * 6);
    it.gauge.push("cpu", 0.1).expect("a load");
    assert!(switch.is_on());
    it.time.advance(SECOND * 6);
    it.gauge.push("cpu", 0.9).expect("a load");
    assert!(!feature.is_on(&it.gauge));
}

#[test]
fn a_feature_begins_as_the_level_has_it() {
    let it = Pushed::new(raw());
    it.load(0.9);
    let switches = register(&it, &FOUR[..2]);
    assert_eq!(switches.iter().map(|switch| switch.is_on()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(switched(&it.told()), [""; 0]);
}

#[test]
fn a_feature_has_a_name_of_its_own_and_a_level_to_be_on_at() {
    let it = Pushed::new(raw());
    let first = it.gauge.feature(Feature::new("suggestions")).expect("the first");
    let error = |feature| it.gauge.feature(feature).expect_err("it cannot be").to_string();
    let taken = "`feature.name` is \"suggestions\", must be a name that no other feature of the gauge has";
    assert_eq!(error(Feature::new("suggestions").until(Level::Critical)), taken);
    let never = "`feature.until` is normal, must be elevated or critical";
    assert_eq!(error(Feature::new("x").until(Level::Normal)), never);
    assert!(error(Feature::new("")).starts_with("`name` is \"\""));
    assert_eq!(it.gauge.snapshot().features.len(), 1);
    let again = it.gauge.switch("suggestions").expect("registered");
    again.try_admit().expect("on").success();
    drop(first);
    assert_eq!(it.gauge.snapshot().features[0].admitted, 1);
    assert!(it.gauge.switch("x").is_none());
}

#[test]
fn a_call_that_waits_elsewhere_is_refused_if_its_feature_goes_off_meanwhile() {
    let it = Pushed::new(raw());
    let switch = it.gauge.feature(Feature::new("suggestions")).expect("the first");
    let heavy = Bulkhead::with_clock(Limit::new(1).queue(1), it.gauge.clock().clone()).expect("valid");
    let both = all((switch, heavy.clone()));
    let running = both.try_admit().expect("one at once");
    let mut waiting = Box::pin(both.admit());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Future::poll(waiting.as_mut(), &mut cx).is_pending());
    it.gauge.push("cpu", 0.9).expect("a load");
    it.gauge.sample();
    running.success();
    let Poll::Ready(Err(refused)) = Future::poll(waiting.as_mut(), &mut cx) else { panic!("it is off") };
    assert_eq!(refused.reason(), "switched_off");
    assert_eq!((heavy.in_flight(), it.gauge.snapshot().features[0].refused), (0, 1));
}

/// What a future that waits for nothing gives.
fn now<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn a_feature_that_is_off_may_have_something_else_instead() {
    let it = Pushed::new(raw());
    let switch = it.gauge.feature(Feature::new("suggestions")).expect("the first");
    let suggest = || switch.run_or_else(async { Ok::<_, SwitchedOff>("a cortado") }, |_| Ok("what you had last"));
    assert_eq!(now(suggest()), Ok("a cortado"));
    it.load(0.9);
    assert_eq!(now(suggest()), Ok("what you had last"));
}
