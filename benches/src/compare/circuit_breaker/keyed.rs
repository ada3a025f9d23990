//! One circuit for each of many keys. Every call goes to the next key, in an order that no cache line follows.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::Waker;

use layered::{Execute, Layer, Service};
use seatbelt::breaker::{Breaker, BreakerId, HalfOpenMode};
use seatbelt::{RecoveryInfo, ResilienceContext};
use seawall_circuit_breaker::{CircuitBreakers, Config, Keyed, Window};
use tick::runtime::{ClockDriver, InactiveClock};

use super::operation::{FOREVER, Failure, WINDOW_CALLS, WINDOW_TIME, succeed};
use crate::harness::{Mismatch, Subject, Tally, drive_sync, poll_to_end};

/// How many keys there are: the hosts of a large service.
const KEYS: usize = 10_000;

fn names() -> Arc<[String]> {
    (0..KEYS).map(|key| format!("host-{key:05}.example")).collect()
}

/// A walk over all keys that differs from thread to thread: its step and their number have no common divisor.
fn walk(thread: usize) -> impl FnMut() -> usize {
    let (mut at, step) = (thread * 4_999 % KEYS, 7_919);
    move || {
        at = (at + step) % KEYS;
        at
    }
}

fn ours<K: std::hash::Hash + Eq + Clone + std::fmt::Debug + Send + Sync + 'static>() -> CircuitBreakers<K> {
    let minimum = u32::try_from(WINDOW_CALLS).expect("a small constant");
    let each =
        Config::default().window(Window::time(WINDOW_TIME).minimum_calls(minimum)).failure_rate(0.5).open_for(FOREVER);
    let capacity = u32::try_from(KEYS).expect("a small constant");
    CircuitBreakers::new(Keyed::new(each).capacity(capacity)).expect("valid")
}

fn audit(len: usize, untracked: u64) -> Result<(), Mismatch> {
    Mismatch::check("keys", KEYS, len)?;
    Mismatch::check("untracked", 0, untracked)
}

/// Keys are numbers.
pub(super) fn by_number() -> Subject {
    let breakers = ours::<u64>();
    for key in 0..KEYS as u64 {
        breakers.with(&key).run_sync(succeed).expect("closed").expect("a success");
    }
    let audited = breakers.clone();
    Subject::new(move |thread| {
        let (breakers, mut next) = (breakers.clone(), walk(thread));
        drive_sync(move || breakers.with(&(next() as u64)).run_sync(succeed).is_ok())
    })
    .audited(move |_: &Tally| audit(audited.len(), audited.snapshot().untracked))
}

/// Keys are names, looked up by what is borrowed.
pub(super) fn by_name() -> Subject {
    let (breakers, names) = (ours::<String>(), names());
    for name in names.iter() {
        breakers.with(name.as_str()).run_sync(succeed).expect("closed").expect("a success");
    }
    let audited = breakers.clone();
    Subject::new(move |thread| {
        let (breakers, names, mut next) = (breakers.clone(), names.clone(), walk(thread));
        drive_sync(move || breakers.with(names[next()].as_str()).run_sync(succeed).is_ok())
    })
    .audited(move |_: &Tally| audit(audited.len(), audited.snapshot().untracked))
}

type Out = Result<u64, Refusal>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Refused,
    Failed(Failure),
}

struct Protected<S> {
    service: S,
    /// The clock reads the time without its driver, but counts as gone once the driver is.
    _driver: ClockDriver,
}

/// seatbelt's partitions: a circuit for each id, in a map that never forgets.
fn partitions<In: Send + 'static>(
    id: impl Fn(&In) -> BreakerId + Send + Sync + 'static,
) -> Protected<impl Service<In, Out = Out> + 'static> {
    let (clock, driver) = InactiveClock::default().activate(Waker::noop().clone());
    let context = ResilienceContext::<In, Out>::new(&clock);
    let layer = Breaker::layer("hosts", &context)
        .recovery_with(|out: &Out, _| match out {
            Ok(_) => RecoveryInfo::never(),
            Err(_) => RecoveryInfo::retry(),
        })
        .rejected_input_error(|_, _| Refusal::Refused)
        .breaker_id(id)
        .failure_threshold(0.5)
        .min_throughput(u32::try_from(WINDOW_CALLS).expect("a small constant"))
        .sampling_duration(WINDOW_TIME)
        .break_duration(FOREVER)
        .half_open_mode(HalfOpenMode::quick());
    Protected { service: layer.layer(Execute::new(operation)), _driver: driver }
}

fn operation<In>(_key: In) -> Ready<Out> {
    ready(succeed().map_err(Refusal::Failed))
}

/// seatbelt, keys are numbers.
pub(super) fn seatbelt_by_number() -> Subject {
    let partitions = Arc::new(partitions(|key: &u64| BreakerId::from(*key)));
    Subject::new(move |thread| {
        let (partitions, mut next) = (partitions.clone(), walk(thread));
        drive_sync(move || poll_to_end(partitions.service.execute(next() as u64)) != Err(Refusal::Refused))
    })
}

/// seatbelt, keys are names. An id owns its name, so each call copies one.
pub(super) fn seatbelt_by_name() -> Subject {
    let names = names();
    let known = names.clone();
    let partitions = Arc::new(partitions(move |key: &usize| BreakerId::from(known[*key].clone())));
    Subject::new(move |thread| {
        let (partitions, mut next) = (partitions.clone(), walk(thread));
        drive_sync(move || poll_to_end(partitions.service.execute(next())) != Err(Refusal::Refused))
    })
}
