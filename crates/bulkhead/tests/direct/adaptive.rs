//! What an algorithm is told, and what becomes of its word.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use seawall_bulkhead::limit::{Aimd, LimitAlgorithm, Sample, Signal};
use seawall_bulkhead::{Bulkhead, Compartment, Config, Event, Failures};
use seawall_core::time::{ManualTime, Now};
use seawall_core::{Admits, Ask, Ending, Outcome, Policy, Report};

use crate::{Driven, SECOND, bulkhead};

/// Says what it is told to say, and remembers what it heard.
#[derive(Clone, Debug)]
struct Told(Arc<Mutex<Script>>);

#[derive(Debug)]
struct Script {
    says: u32,
    heard: Vec<Sample>,
    made: u32,
}

impl Told {
    fn saying(says: u32) -> Self {
        Self(Arc::new(Mutex::new(Script { says, heard: Vec::new(), made: 0 })))
    }

    fn say(&self, limit: u32) {
        self.0.lock().says = limit;
    }

    /// What was heard since the last time.
    fn heard(&self) -> Vec<(Signal, Duration, u32)> {
        let heard = std::mem::take(&mut self.0.lock().heard);
        heard.into_iter().map(|sample| (sample.signal, sample.rtt, sample.in_flight)).collect()
    }

    fn config(&self) -> Config {
        let told = self.clone();
        Config::custom(move || {
            told.0.lock().made += 1;
            told.clone()
        })
    }

    fn made(&self) -> u32 {
        self.0.lock().made
    }
}

impl LimitAlgorithm for Told {
    fn limit(&self) -> u32 {
        self.0.lock().says
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        let mut script = self.0.lock();
        script.heard.push(*sample);
        script.says
    }
}

fn adaptive(told: &Told, config: impl FnOnce(Config) -> Config) -> (Bulkhead, ManualTime) {
    bulkhead(config(told.config()))
}

#[test]
fn a_sample_tells_what_the_call_took_without_its_wait() {
    let told = Told::saying(1);
    let (bulkhead, time) = adaptive(&told, |config| config.queue(1).max_wait(100 * SECOND));
    let first = bulkhead.try_admit().expect("free");
    let second = Driven::waiting(bulkhead.admit());
    time.advance(3 * SECOND);
    first.success();
    assert_eq!(told.heard(), [(Signal::Completed, 3 * SECOND, 1)]);
    let second = second.output().expect("its turn");
    time.advance(2 * SECOND);
    second.success();
    assert_eq!(told.heard(), [(Signal::Completed, 2 * SECOND, 1)]);
}

#[test]
fn a_sample_tells_how_many_permits_were_in_use_its_own_included() {
    let told = Told::saying(5);
    let (bulkhead, _time) = adaptive(&told, |config| config);
    let permits = [(); 3].map(|()| bulkhead.try_admit().expect("free"));
    permits.into_iter().for_each(seawall_core::Permit::success);
    let in_flight: Vec<u32> = told.heard().into_iter().map(|(_, _, in_flight)| in_flight).collect();
    assert_eq!(in_flight, [3, 2, 1]);
}

#[test]
fn each_way_to_end_has_its_signal_or_none() {
    for (failures, signal) in [
        (Failures::Dropped, Some(Signal::Dropped)),
        (Failures::Completed, Some(Signal::Completed)),
        (Failures::Ignored, None),
    ] {
        let told = Told::saying(5);
        let (bulkhead, _time) = adaptive(&told, |config| config.failures(failures));
        let one = |end: &dyn Fn(&Bulkhead), expected: Option<Signal>| {
            end(&bulkhead);
            let heard: Vec<Signal> = told.heard().into_iter().map(|(signal, _, _)| signal).collect();
            assert_eq!(heard, Vec::from_iter(expected), "{failures:?}");
            assert_eq!(bulkhead.in_flight(), 0);
        };
        one(&|bulkhead| bulkhead.try_admit().expect("free").success(), Some(Signal::Completed));
        one(&|bulkhead| bulkhead.try_admit().expect("free").failure(), signal);
        one(&|bulkhead| bulkhead.try_admit().expect("free").finish(Outcome::Ignored), None);
        one(&|bulkhead| drop(bulkhead.try_admit().expect("free")), Some(Signal::Abandoned));
        one(&|bulkhead| bulkhead.try_admit().expect("free").cancel(), None);
        one(
            &|bulkhead| {
                let panicked = catch_unwind(AssertUnwindSafe(|| {
                    let _permit = bulkhead.try_admit().expect("free");
                    panic!("on purpose");
                }));
                assert!(panicked.is_err());
            },
            None,
        );
    }
}

#[test]
fn the_limit_is_what_the_algorithm_said_last_and_never_zero() {
    let told = Told::saying(0);
    let events: Arc<Mutex<Vec<(u32, u32)>>> = Arc::default();
    let heard = events.clone();
    let (bulkhead, _time) = adaptive(&told, |config| {
        config.observer(move |event: &Event| {
            let Event::LimitChanged { from, to, .. } = event else { panic!("{event:?}") };
            heard.lock().push((*from, *to));
        })
    });
    assert_eq!((bulkhead.limit(), bulkhead.snapshot().adaptive), (1, true));
    for (says, limit) in [(7, 7), (7, 7), (3, 3), (0, 1), (u32::MAX, u32::MAX), (2, 2)] {
        told.say(says);
        bulkhead.try_admit().expect("free").success();
        assert_eq!((bulkhead.limit(), bulkhead.available()), (limit, limit));
    }
    assert_eq!(*events.lock(), [(1, 7), (7, 3), (3, 1), (1, u32::MAX), (u32::MAX, 2)], "one for each change");
    assert_eq!(bulkhead.resize(9).expect_err("it is adaptive").field(), "limit");
    assert_eq!(bulkhead.limit(), 2);
}

#[test]
fn a_lower_limit_retires_permits_and_a_higher_one_wakes() {
    let told = Told::saying(3);
    let (bulkhead, _time) = adaptive(&told, |config| config.queue(4));
    let [first, second, third] = [(); 3].map(|()| bulkhead.try_admit().expect("free"));
    let waiting = [(); 3].map(|()| Driven::waiting(bulkhead.admit()));
    told.say(1);
    first.success();
    // The first that comes back is served before the algorithm has its say; two of three retire.
    assert_eq!((bulkhead.limit(), bulkhead.in_flight(), bulkhead.queued()), (1, 3, 2));
    second.success();
    assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (2, 2));
    told.say(4);
    third.success();
    assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (3, 0));
    assert!(waiting.iter().all(Driven::is_woken));
}

#[test]
fn what_an_algorithm_has_learnt_stays_while_it_is_configured_as_before() {
    let told = Told::saying(4);
    let config = told.config();
    let (bulkhead, _time) = bulkhead(config.clone());
    told.say(9);
    bulkhead.try_admit().expect("free").success();
    assert_eq!(bulkhead.limit(), 9);
    told.say(4);
    bulkhead.reconfigure(config.clone().queue(7)).expect("valid");
    assert_eq!((bulkhead.limit(), bulkhead.snapshot().queue), (9, 7), "it was begun anew");
    bulkhead.reconfigure(config.with_limit(3)).expect("valid");
    assert_eq!((bulkhead.limit(), bulkhead.snapshot().adaptive), (3, false));
    let made = told.made();
    bulkhead.reconfigure(told.config()).expect("valid");
    assert_eq!((bulkhead.limit(), told.made()), (4, made + 1));

    let aimd = |max| Config::adaptive(Aimd::default().initial(20).min(1).max(max));
    bulkhead.reconfigure(aimd(100)).expect("valid");
    let all: Vec<_> = (0..20).map(|_| bulkhead.try_admit().expect("free")).collect();
    all.into_iter().for_each(seawall_core::Permit::success);
    let learnt = bulkhead.limit();
    assert_ne!(learnt, 20);
    bulkhead.reconfigure(aimd(100).queue(3)).expect("valid");
    assert_eq!(bulkhead.limit(), learnt);
    bulkhead.reconfigure(aimd(101)).expect("valid");
    assert_eq!(bulkhead.limit(), 20, "other settings begin anew");
}

#[test]
fn a_call_from_before_is_not_measured_and_one_that_outlives_its_algorithm_is_no_harm() {
    let told = Told::saying(4);
    let (bulkhead, time) = bulkhead(Config::new(2));
    let from_before = bulkhead.try_admit().expect("free");
    bulkhead.reconfigure(told.config()).expect("valid");
    time.advance(SECOND);
    let measured = bulkhead.try_admit().expect("free");
    from_before.success();
    assert_eq!(told.heard(), []);
    bulkhead.reconfigure(Config::new(2)).expect("valid");
    measured.success();
    assert_eq!(told.heard(), []);
    assert_eq!((bulkhead.in_flight(), bulkhead.limit()), (0, 2));
}

#[test]
fn another_algorithm_of_ones_own_begins_anew() {
    let (one, other) = (Told::saying(4), Told::saying(6));
    let (bulkhead, time) = bulkhead(one.config());
    bulkhead.reconfigure(other.config()).expect("valid");
    assert_eq!(bulkhead.limit(), 6);
    let call = bulkhead.try_admit().expect("free");
    time.advance(SECOND);
    call.success();
    assert_eq!((one.heard(), other.heard()), (vec![], vec![(Signal::Completed, SECOND, 1)]));
}

#[test]
fn calls_are_measured_from_when_an_algorithm_is_configured() {
    let told = Told::saying(4);
    let (bulkhead, time) = bulkhead(Config::new(2));
    bulkhead.reconfigure(told.config()).expect("valid");
    let call = bulkhead.try_admit().expect("free");
    time.advance(SECOND);
    call.success();
    assert_eq!(told.heard(), [(Signal::Completed, SECOND, 1)]);
}

#[test]
fn the_time_for_which_a_permit_was_reserved_is_not_measured() {
    let told = Told::saying(4);
    let (bulkhead, time) = adaptive(&told, |config| config);
    let compartment: &Compartment = &bulkhead;
    let now = || Now::at(time.now());
    let reserved = now();
    let mut token = compartment.try_admit(&Ask::new(&(), &reserved).reserving()).expect("free");
    time.advance(9 * SECOND);
    compartment.renew(&mut token, &now()).expect("a permit stands");
    time.advance(SECOND);
    compartment.settle(token, Ending::Finished(Report::success()), &now());
    assert_eq!(told.heard(), [(Signal::Completed, SECOND, 1)]);
}
