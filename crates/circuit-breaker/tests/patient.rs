//! Calls that wait for a half-open circuit's verdict, and whoever follows a circuit's time.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_circuit_breaker::{
    Abandoned, CircuitBreaker, Config, Event, HalfOpen, Open, Patient, Recovery, State, Undecided,
};
use seawall_core::Shared;
use seawall_core::time::Clock;
use seawall_testkit::cancel::CancelAtEveryPoll;
use seawall_testkit::exec::Executor;

const SECOND: Duration = Duration::from_secs(1);

fn one_probe() -> Config {
    Config::classic().open_for(SECOND).half_open(HalfOpen::probes(1)).abandoned(Abandoned::Ignore)
}

fn patient(config: Config, clock: Clock, most: usize) -> (CircuitBreaker, Shared<Patient>) {
    let breaker = CircuitBreaker::with_clock(config, clock).expect("valid");
    let patient = Patient::over(breaker.clone(), most).expect("somebody may wait");
    (breaker, patient)
}

fn half_opened(config: Config, clock: Clock) -> (CircuitBreaker, Shared<Patient>) {
    let (breaker, patient) = patient(config, clock, 10);
    breaker.trip();
    breaker.half_open().expect("it is open");
    (breaker, patient)
}

/// Three calls that wait for the one probe that is out; then the probe ends so, and they tell what became of them.
fn verdicts(end: impl FnOnce(&CircuitBreaker, seawall_core::Permit<&Patient>)) -> Vec<Result<(), State>> {
    let executor = Executor::new(1);
    let (breaker, patient) = half_opened(one_probe(), executor.clock());
    let probe = patient.try_admit().expect("the probe");
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let patient = patient.clone();
            executor.spawn(async move { patient.admit().await.map(drop).map_err(|open: Open| open.state()) })
        })
        .collect();
    executor.block_on(executor.clock().sleep(SECOND));
    assert_eq!(patient.waiting(), 3);
    end(&breaker, probe);
    waiting.into_iter().map(|call| executor.block_on(call)).collect()
}

#[test]
fn when_the_circuit_closes_all_may_start() {
    assert_eq!(verdicts(|_, probe| probe.success()), [Ok(()); 3]);
}

#[test]
fn when_the_circuit_opens_all_are_refused() {
    assert_eq!(verdicts(|_, probe| probe.failure()), [Err(State::Open); 3]);
}

#[test]
fn what_is_done_by_hand_reaches_those_who_wait() {
    assert_eq!(verdicts(|breaker, _probe| breaker.disable()), [Ok(()); 3]);
    assert_eq!(verdicts(|breaker, _probe| breaker.force_open()), [Err(State::ForcedOpen); 3]);
}

#[test]
fn a_probe_that_comes_back_goes_to_the_first_in_line() {
    let executor = Executor::new(7);
    let (_breaker, patient) = half_opened(one_probe(), executor.clock());
    let probe = patient.try_admit().expect("the probe");
    let served = Rc::new(RefCell::new(Vec::new()));
    let calls: Vec<_> = (0..5)
        .map(|place| {
            let (patient, clock, served) = (patient.clone(), executor.clock(), served.clone());
            executor.spawn(async move {
                clock.sleep(Duration::from_millis(place)).await;
                let permit = patient.admit().await.expect("it is decided by nobody");
                served.borrow_mut().push(place);
                clock.sleep(SECOND).await;
                permit.ignore();
            })
        })
        .collect();
    executor.block_on(executor.clock().sleep(SECOND));
    assert!(patient.try_admit().is_err());
    probe.ignore();
    for call in calls {
        executor.block_on(call);
    }
    assert_eq!(*served.borrow(), [0, 1, 2, 3, 4]);
}

#[test]
fn probes_that_hang_keep_nobody_waiting_for_ever() {
    for (undecided, admitted) in [(Undecided::Open, false), (Undecided::Close, true)] {
        let executor = Executor::new(3);
        let half_open = HalfOpen::probes(1).max(5 * SECOND).after_max(undecided);
        let (_breaker, patient) = half_opened(one_probe().half_open(half_open), executor.clock());
        let _hangs = patient.try_admit().expect("the probe");
        let started = executor.now();
        let permit = executor.block_on(patient.admit());
        assert_eq!(permit.is_ok(), admitted);
        assert_eq!(executor.now().saturating_duration_since(started), 5 * SECOND);
    }
}

#[test]
fn a_caller_waits_no_longer_than_it_wants() {
    let executor = Executor::new(3);
    let (_breaker, patient) = half_opened(one_probe(), executor.clock());
    let _hangs = patient.try_admit().expect("the probe");
    let started = executor.now();
    let refused = executor.block_on(patient.admit_within(2 * SECOND)).map(drop).expect_err("no probe came back");
    assert_eq!(refused.state(), State::HalfOpen);
    assert_eq!(executor.now().saturating_duration_since(started), 2 * SECOND);
    assert_eq!(patient.waiting(), 0);
}

#[test]
fn an_open_circuit_a_stage_and_a_full_line_refuse_at_once() {
    let executor = Executor::new(5);
    let config = one_probe().recovery(Recovery::new([0.5]));
    let (breaker, patient) = patient(config, executor.clock(), 1);
    breaker.trip();
    let state = |refused: Result<_, Open>| refused.map(|_: seawall_core::Permit<&Patient>| ()).map_err(|it| it.state());
    assert_eq!(state(executor.block_on(patient.admit())), Err(State::Open));
    breaker.half_open().expect("it is open");
    let probe = patient.try_admit().expect("the probe");
    let waits = executor.spawn({
        let patient = patient.clone();
        async move { patient.admit().await.map(drop).map_err(|open| open.state()) }
    });
    executor.block_on(executor.clock().sleep(SECOND));
    assert_eq!(state(executor.block_on(patient.admit())), Err(State::HalfOpen), "one waits already");
    probe.success();
    assert_eq!(executor.block_on(waits), Ok(()), "the first of two calls of the stage");
    assert_eq!(state(executor.block_on(patient.admit())), Err(State::HalfOpen), "the second of two");
    assert_eq!(executor.now().as_nanos(), 1_000_000_000, "nobody waited after that");
}

#[test]
fn wherever_a_waiting_call_is_dropped_its_turn_goes_on() {
    let (clock, _time) = Clock::manual();
    let (breaker, patient) = half_opened(one_probe(), clock);
    let mut probe = Some(patient.try_admit().expect("the probe"));
    let probe = RefCell::new(&mut probe);
    let polls = CancelAtEveryPoll::new()
        .between(|_| {
            if let Some(permit) = probe.borrow_mut().take() {
                permit.ignore();
            }
        })
        .run(
            || async { patient.admit().await.map(seawall_core::Permit::ignore) },
            |_| {
                if probe.borrow().is_none() {
                    assert_eq!((breaker.snapshot().probes_left, patient.waiting()), (Some(1), 0));
                    **probe.borrow_mut() = Some(patient.try_admit().expect("the probe came back"));
                }
                assert_eq!(patient.waiting(), 0);
            },
        );
    assert_eq!(polls, 2);
}

#[test]
fn nobody_may_wait_is_no_configuration() {
    let breaker = CircuitBreaker::new(Config::classic()).expect("valid");
    let error = Patient::over(breaker, 0).map(drop).expect_err("zero");
    assert_eq!(error.to_string(), "`most` is 0, must be at least 1 call that may wait");
}

/// What a breaker tells while its time is followed, and at which second.
fn followed(config: Config, drive: impl AsyncFnOnce(&CircuitBreaker, Clock)) -> Vec<(State, u64)> {
    let executor = Executor::new(11);
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let (told, clock) = (told.clone(), executor.clock());
        move |event: &Event| {
            assert_eq!(event.at, clock.now(), "it is told when it happens");
            told.lock().expect("nobody panics").push((event.to, event.at.as_nanos() / 1_000_000_000));
        }
    };
    let breaker = CircuitBreaker::with_clock(config.observer(observer), executor.clock()).expect("valid");
    let following = executor.spawn({
        let breaker = breaker.clone();
        async move { breaker.follow_time().await }
    });
    executor.block_on(drive(&breaker, executor.clock()));
    drop(following);
    std::mem::take(&mut *told.lock().expect("nobody panics"))
}

#[test]
fn followed_time_makes_the_transitions_when_they_are_due() {
    let config = Config::classic().open_for(10 * SECOND).half_open(HalfOpen::probes(2).max(5 * SECOND));
    let told = followed(config, async |breaker, clock| {
        clock.sleep(3 * SECOND).await;
        breaker.trip();
        clock.sleep(12 * SECOND).await;
        let _hangs = breaker.try_admit().expect("a probe");
        clock.sleep(20 * SECOND).await;
    });
    assert_eq!(told, [(State::Open, 3), (State::HalfOpen, 13), (State::Open, 20), (State::HalfOpen, 30)]);
}

#[test]
fn followed_time_passes_the_stages_of_a_recovery() {
    let recovery = Recovery::new([0.1, 0.5]).each(10 * SECOND).calls(1);
    let told = followed(one_probe().recovery(recovery), async |breaker, clock| {
        breaker.trip();
        clock.sleep(2 * SECOND).await;
        for _ in 0..2 {
            breaker.try_admit().expect("the first of a stage, or the probe").success();
            clock.sleep(SECOND).await;
        }
        clock.sleep(20 * SECOND).await;
        breaker.try_admit().expect("the first of the second stage").success();
        clock.sleep(SECOND).await;
    });
    let half = State::HalfOpen;
    assert_eq!(told, [(State::Open, 0), (half, 1), (half, 2), (half, 12), (State::Closed, 24)]);
}

#[test]
fn an_interval_that_is_changed_by_hand_is_followed() {
    let told = followed(Config::classic().open_for(100 * SECOND), async |breaker, clock| {
        breaker.trip();
        clock.sleep(SECOND).await;
        breaker.isolate(5 * SECOND);
        clock.sleep(10 * SECOND).await;
    });
    assert_eq!(told, [(State::Open, 0), (State::HalfOpen, 6)]);
}

#[cfg(feature = "tower")]
mod tower {
    use seawall_circuit_breaker::{Config, HalfOpen, Patient, State};
    use seawall_core::Shared;
    use seawall_testkit::contract::{Situation, Subject};

    struct OfPatient;

    impl OfPatient {
        fn make(situation: &Situation) -> Shared<Patient> {
            let config = Config::empty().consecutive_failures(1_000_000).half_open(HalfOpen::probes(1));
            // The one who holds the probe gives it back by going away.
            let config = config.abandoned(super::Abandoned::Ignore);
            super::patient(config, situation.clock.clone(), 100).1
        }
    }

    impl Subject for OfPatient {
        type Policy = Patient;

        const RESERVES: bool = false;

        fn admitting(&self, situation: &Situation) -> Shared<Patient> {
            Self::make(situation)
        }

        fn single(&self, situation: &Situation) -> Shared<Patient> {
            let patient = Self::make(situation);
            patient.breaker().trip();
            patient.breaker().half_open().expect("it is open");
            patient
        }

        fn refusing(&self, situation: &Situation) -> Shared<Patient> {
            let patient = Self::make(situation);
            patient.breaker().force_open();
            patient
        }

        fn in_use(&self, patient: &Patient) -> usize {
            let snapshot = patient.breaker().snapshot();
            match snapshot.probes_left {
                Some(left) if snapshot.state == State::HalfOpen => 1 - usize::try_from(left).expect("one at most"),
                _ => 0,
            }
        }
    }

    seawall_testkit::tower_contract!(OfPatient);
}
