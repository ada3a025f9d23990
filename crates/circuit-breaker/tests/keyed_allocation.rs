//! No call of a known key allocates, admitted or refused; a key is copied only when it is new.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use seawall_circuit_breaker::{CircuitBreakers, Config, Keyed};
use seawall_testkit::alloc::{self, CountingAllocator, assert_none};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const CALLS: usize = 100;

fn hosts() -> CircuitBreakers<String> {
    let hosts = CircuitBreakers::new(Keyed::new(Config::classic().name("hosts")).capacity(100)).expect("valid");
    hosts.get_or_insert("host").expect("room");
    hosts
}

#[test]
fn an_admitted_call_does_not_allocate_however_it_ends() {
    let hosts = hosts();
    let admit = || hosts.with("host").try_admit().expect("closed");
    assert_none("success", || (0..CALLS).for_each(|_| admit().success()));
    assert_none("failure", || {
        for _ in 0..CALLS {
            admit().failure();
            admit().success();
        }
    });
    assert_none("ignored", || (0..CALLS).for_each(|_| admit().ignore()));
    assert_none("cancelled", || (0..CALLS).for_each(|_| admit().cancel()));
    assert_none("dropped", || {
        for _ in 0..CALLS {
            drop(admit());
            admit().success();
        }
    });
    let run = || pin!(hosts.with("host").run(async { Ok::<_, ()>(7) })).poll(&mut Context::from_waker(Waker::noop()));
    assert_none("run", || (0..CALLS).for_each(|_| assert_eq!(run(), Poll::Ready(Ok(Ok(7))))));
    assert_eq!(hosts.len(), 1);
}

#[test]
fn a_refused_call_does_not_allocate() {
    let hosts = hosts();
    hosts.get("host").expect("known").force_open();
    assert_none("refused", || (0..CALLS).for_each(|_| assert!(hosts.with("host").try_admit().is_err())));
}

#[test]
fn a_look_at_one_key_does_not_allocate() {
    let hosts = hosts();
    assert_none("held", || (0..CALLS).for_each(|_| drop(hosts.get("host").expect("known"))));
    assert_none("held or made", || (0..CALLS).for_each(|_| drop(hosts.get_or_insert("host").expect("known"))));
    assert_none("unknown", || (0..CALLS).for_each(|_| assert!(hosts.get("another").is_none())));
    assert_none("all together", || hosts.snapshot());
}

#[test]
fn a_new_key_that_takes_anothers_place_allocates_little() {
    let hosts = CircuitBreakers::<u64>::new(Keyed::new(Config::default().name("hosts")).capacity(64)).expect("valid");
    let call = |key: u64| hosts.with(&key).try_admit().expect("closed").success();
    (0..10_000).for_each(call);
    let churn = alloc::count(|| (10_000..20_000).for_each(call));
    // The key beside its circuit, its place in the index, and now and then the index itself; no circuit, no window.
    assert!(churn.count <= 30_000 && churn.bytes < 3_000_000, "{churn:?} for 10 000 keys");
}
