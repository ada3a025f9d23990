//! Random schedules over more keys than there is room for: each known key does at every step what a breaker of its own does
//! that nobody ever forgets, and a key is forgotten only when there is no room, and nothing but counts is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestCaseError};
use seawall_circuit_breaker::{
    Cause, CircuitBreaker, CircuitBreakers, Config, Event, HalfOpen, Keyed, KeyedToken, OpenInterval, Snapshot, State,
    Token, Window,
};
use seawall_core::time::{Clock, ManualTime, Now};
use seawall_core::{Admits, Ask, Ending, Policy, Report};

use super::SECOND;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A whole call.
    Call(u8, End),
    Admit(u8),
    /// One of the running calls ends.
    End(prop::sample::Index, End),
    Advance(Duration),
    TurnBack(Duration),
    Hand(u8, Hand),
    Remove(u8),
    /// Which configuration, and what capacity.
    Reconfigure(u8, u32),
}

#[derive(Clone, Copy, Debug)]
enum End {
    Success,
    Failure,
    Ignored,
    Cancelled,
    Abandoned,
}

#[derive(Clone, Copy, Debug)]
enum Hand {
    Trip,
    HalfOpen,
    ForceOpen,
    Disable,
    Reset,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        5 => Just(End::Success),
        4 => Just(End::Failure),
        1 => Just(End::Ignored),
        1 => Just(End::Cancelled),
        1 => Just(End::Abandoned),
    ]
}

fn hand() -> impl Strategy<Value = Hand> {
    prop_oneof![
        2 => Just(Hand::Trip),
        2 => Just(Hand::HalfOpen),
        1 => Just(Hand::ForceOpen),
        1 => Just(Hand::Disable),
        3 => Just(Hand::Reset),
    ]
}

fn key() -> impl Strategy<Value = u8> {
    // Some keys are called all the time, others now and then.
    prop_oneof![0..3_u8, 0..12_u8]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (key(), end()).prop_map(|(key, end)| Step::Call(key, end)),
        6 => key().prop_map(Step::Admit),
        6 => (any::<prop::sample::Index>(), end()).prop_map(|(call, end)| Step::End(call, end)),
        4 => (0..4_000_u64).prop_map(|millis| Step::Advance(Duration::from_millis(millis))),
        1 => (0..1_000_u64).prop_map(|millis| Step::TurnBack(Duration::from_millis(millis))),
        2 => (key(), hand()).prop_map(|(key, hand)| Step::Hand(key, hand)),
        1 => key().prop_map(Step::Remove),
        1 => (0..4_u8, 1..7_u32).prop_map(|(config, capacity)| Step::Reconfigure(config, capacity)),
    ]
}

const TIME_WINDOW: u8 = 2;

fn config(number: u8) -> Config {
    let empty = Config::empty().name("hosts").half_open(HalfOpen::probes(2).max(2 * SECOND));
    match number {
        0 => empty.consecutive_failures(2).open_for(3 * SECOND),
        1 => empty.failure_rate(0.5).window(Window::count(6).minimum_calls(3)).open_for(SECOND),
        TIME_WINDOW => empty
            .failure_rate(0.5)
            .window(Window::time(4 * SECOND).buckets(4).minimum_calls(3))
            .open(OpenInterval::exponential(SECOND, 2.0, 8 * SECOND).stable_after(5 * SECOND)),
        _ => empty.failures_in_period(2, 2 * SECOND).slow_calls(SECOND, 0.5).window(Window::count(4).minimum_calls(2)),
    }
}

fn name(key: u8) -> String {
    format!("host {key}")
}

/// What was told of a key.
type Told = Arc<Mutex<Vec<(String, State, State, Cause)>>>;

fn note(told: &Told, key: &str, event: &Event) {
    told.lock().expect("no panic").push((key.to_owned(), event.from, event.to, event.cause));
}

/// A breaker that one key has for itself.
struct Own {
    breaker: CircuitBreaker,
    /// Tells it from another that the same key had before.
    number: usize,
}

struct Running {
    key: u8,
    token: KeyedToken<Token>,
    own: Option<(usize, Token)>,
}

struct Both {
    hosts: CircuitBreakers<String>,
    owns: BTreeMap<u8, Own>,
    running: Vec<Running>,
    config: u8,
    capacity: u32,
    clock: Clock,
    time: ManualTime,
    hosts_told: Told,
    owns_told: Told,
    made: usize,
    evicted: u64,
    untracked: u64,
}

impl Both {
    fn new(number: u8, capacity: u32) -> Self {
        let (clock, time) = Clock::manual();
        let hosts_told = Told::default();
        let hosts = CircuitBreakers::with_clock(Self::keyed(number, capacity, &hosts_told), clock.clone());
        Self {
            hosts: hosts.expect("valid"),
            owns: BTreeMap::new(),
            running: Vec::new(),
            config: number,
            capacity,
            clock,
            time,
            hosts_told,
            owns_told: Told::default(),
            made: 0,
            evicted: 0,
            untracked: 0,
        }
    }

    fn keyed(number: u8, capacity: u32, told: &Told) -> Keyed<String> {
        let told = told.clone();
        Keyed::new(config(number)).capacity(capacity).observer(move |key: &String, event| note(&told, key, event))
    }

    fn own_config(&self, key: u8) -> Config {
        let told = self.owns_told.clone();
        config(self.config).observer(move |event: &Event| note(&told, &name(key), event))
    }

    fn is_known(&self, key: u8) -> bool {
        self.hosts.get(name(key).as_str()).is_some()
    }

    /// The breaker that `key` has for itself, if it has one among the others now.
    fn own(&mut self, key: u8) -> Option<&Own> {
        if !self.is_known(key) {
            return None;
        }
        if !self.owns.contains_key(&key) {
            self.made += 1;
            let breaker = CircuitBreaker::with_clock(self.own_config(key), self.clock.clone()).expect("valid");
            self.owns.insert(key, Own { breaker, number: self.made });
        }
        self.owns.get(&key)
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Admit(key) => self.admit(key)?,
            Step::Call(key, how) => {
                let running = self.running.len();
                self.admit(key)?;
                if self.running.len() > running {
                    self.end(running, how);
                }
            }
            Step::End(which, how) => {
                if !self.running.is_empty() {
                    self.end(which.index(self.running.len()), how);
                }
            }
            Step::Advance(by) => self.time.advance(by),
            // A time window that is used again waits for the time that it has seen, as one that was emptied does.
            Step::TurnBack(_) if self.config == TIME_WINDOW => {}
            Step::TurnBack(by) => self.time.step_back(by),
            Step::Hand(key, hand) => self.by_hand(key, hand)?,
            Step::Remove(key) => {
                let known = self.owns.remove(&key).is_some();
                prop_assert_eq!(self.hosts.remove(name(key).as_str()), known);
                prop_assert!(!self.is_known(key));
            }
            Step::Reconfigure(number, capacity) => {
                (self.config, self.capacity) = (number, capacity);
                self.hosts.reconfigure(Self::keyed(number, capacity, &self.hosts_told)).expect("valid");
                for key in self.owns.keys().copied().collect::<Vec<_>>() {
                    self.owns[&key].breaker.reconfigure(self.own_config(key)).expect("valid");
                }
            }
        }
        self.look()
    }

    /// Who was forgotten by a step of `key`, if it was new.
    fn note_who_went(&mut self, key: u8, before: usize, was_known: bool) -> Result<(), TestCaseError> {
        let gone: BTreeSet<u8> = self.owns.keys().copied().filter(|key| !self.is_known(*key)).collect();
        if was_known {
            prop_assert!(gone.is_empty(), "{gone:?} went although {key} was known");
        }
        // As the capacity shrinks two go for one that comes.
        let most = if before > self.capacity as usize { 2 } else { usize::from(before == self.capacity as usize) };
        prop_assert!(gone.len() <= most, "{gone:?} went, at {before} of {}", self.capacity);
        for key in gone {
            let own = self.owns.remove(&key).expect("it was there");
            prop_assert_eq!(own.breaker.state(), State::Closed, "{} was forgotten", key);
            self.evicted += 1;
        }
        if !was_known && !self.is_known(key) {
            // Nobody could be forgotten.
            prop_assert!(before >= self.capacity as usize);
            for (key, own) in &self.owns {
                prop_assert!(own.breaker.state() != State::Closed, "{key} could have been forgotten");
            }
        }
        Ok(())
    }

    fn admit(&mut self, key: u8) -> Result<(), TestCaseError> {
        let (was_known, before) = (self.is_known(key), self.hosts.len());
        let now = Now::new(Some(&self.clock));
        let admitted = self.hosts.try_admit(&Ask::new(name(key).as_str(), &now));
        self.note_who_went(key, before, was_known)?;
        let (clock, own) = (self.clock.clone(), self.own(key));
        let own = own.map(|own| (own.number, Admits::try_admit(&own.breaker, &Ask::new(&(), &Now::new(Some(&clock))))));
        match (admitted, own) {
            (Ok(token), None) => {
                self.untracked += 1;
                self.running.push(Running { key, token, own: None });
            }
            (Ok(token), Some((number, Ok(own)))) => self.running.push(Running { key, token, own: Some((number, own)) }),
            (Err(refusal), Some((_, Err(own)))) => prop_assert_eq!(refusal, own),
            (hosts, own) => prop_assert!(false, "{key}: {hosts:?}, alone {own:?}"),
        }
        Ok(())
    }

    fn end(&mut self, place: usize, how: End) {
        let Running { key, token, own } = self.running.remove(place);
        let ending = || match how {
            End::Success => Ending::Finished(Report::success()),
            End::Failure => Ending::Finished(Report::failure()),
            End::Ignored => Ending::Finished(Report::ignored()),
            End::Cancelled => Ending::Cancelled,
            End::Abandoned => Ending::Abandoned,
        };
        self.hosts.settle(token, ending(), &Now::new(Some(&self.clock)));
        if let Some((number, token)) = own
            && let Some(own) = self.owns.get(&key)
            && own.number == number
        {
            own.breaker.settle(token, ending(), &Now::new(Some(&self.clock)));
        }
    }

    fn by_hand(&mut self, key: u8, hand: Hand) -> Result<(), TestCaseError> {
        let (was_known, before) = (self.is_known(key), self.hosts.len());
        let hosts = self.hosts.clone();
        let pinned = hosts.get_or_insert(name(key).as_str());
        self.note_who_went(key, before, was_known)?;
        let (Some(pinned), Some(own)) = (pinned, self.own(key)) else {
            prop_assert!(!was_known);
            return Ok(());
        };
        for breaker in [&*pinned, &*own.breaker] {
            match hand {
                Hand::Trip => breaker.trip(),
                Hand::HalfOpen => drop(breaker.half_open()),
                Hand::ForceOpen => breaker.force_open(),
                Hand::Disable => breaker.disable(),
                Hand::Reset => breaker.reset(),
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), TestCaseError> {
        let snapshots: BTreeMap<String, Snapshot> = self.hosts.snapshots().into_iter().collect();
        prop_assert_eq!(snapshots.len(), self.owns.len());
        for (key, own) in &self.owns {
            let mut own = own.breaker.snapshot();
            let keyed = &snapshots[&name(*key)];
            // A circuit that is used again goes on with its generations.
            own.generation = keyed.generation;
            prop_assert_eq!(keyed, &own, "{}", key);
        }
        let sort = |told: &Told| {
            let mut told = std::mem::take(&mut *told.lock().expect("no panic"));
            // One look at all keys finds them in another order here and there.
            told.sort_by(|(one, ..), (other, ..)| one.cmp(other));
            told
        };
        prop_assert_eq!(sort(&self.hosts_told), sort(&self.owns_told));
        let all = self.hosts.snapshot();
        prop_assert_eq!((all.len, self.hosts.len()), (self.owns.len(), self.owns.len()));
        prop_assert_eq!((all.evicted, all.untracked), (self.evicted, self.untracked));
        for (state, keys) in [
            (State::Closed, all.states.closed),
            (State::Open, all.states.open),
            (State::HalfOpen, all.states.half_open),
            (State::Disabled, all.states.disabled),
            (State::ForcedOpen, all.states.forced_open),
        ] {
            prop_assert_eq!(keys, self.owns.values().filter(|own| own.breaker.state() == state).count(), "{}", state);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_known_key_does_what_a_breaker_of_its_own_does(
        number in 0..4_u8,
        capacity in 1..7_u32,
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut both = Both::new(number, capacity);
        for step in steps {
            both.step(step)?;
        }
    }
}
