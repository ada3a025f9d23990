//! A million keys through room for ten thousand: memory stays at its bound, and what was opened stays open.

use std::sync::atomic::{AtomicUsize, Ordering};

use seawall_circuit_breaker::{CircuitBreakers, Config, Keyed, State};
use seawall_core::time::Clock;

const CAPACITY: u32 = 10_000;
const KEYS: usize = 1_000_000;
/// Every so many keys one opens.
const OPENS: usize = 1_000;

/// How many keys exist, wherever.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// A key of which every copy is counted.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Host(String);

impl Host {
    fn new(number: usize) -> Self {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Self(format!("host-{number}.of.many.example"))
    }
}

impl Clone for Host {
    fn clone(&self) -> Self {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the process holds in memory, in bytes, where that can be asked.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<usize>().ok()? * 4_096)
}

#[test]
fn a_million_keys_take_no_more_memory_than_ten_thousand() {
    let (clock, _time) = Clock::manual();
    let each = Config::empty().name("hosts").consecutive_failures(2);
    let hosts = CircuitBreakers::<Host>::with_clock(Keyed::new(each).capacity(CAPACITY), clock).expect("valid");
    let mut before = None;
    for number in 0..KEYS {
        let host = Host::new(number);
        let admit = || hosts.with(&host).try_admit().expect("closed");
        if number % OPENS == 0 {
            admit().failure();
            admit().failure();
        } else {
            admit().success();
        }
        if number == KEYS / 5 {
            before = resident();
        }
        if number % 10_000 == 0 {
            assert!(hosts.len() <= CAPACITY as usize);
            // One in the index and one beside the circuit; what the index lets go is freed in batches.
            let live = LIVE.load(Ordering::Relaxed);
            assert!(live <= 2 * hosts.len() + 1_000, "{live} keys at {number}");
        }
    }
    let snapshot = hosts.snapshot();
    assert_eq!((snapshot.len, snapshot.untracked), (CAPACITY as usize, 0));
    assert_eq!(snapshot.evicted, (KEYS - CAPACITY as usize) as u64);
    assert_eq!(snapshot.states.open, KEYS / OPENS);
    for number in (0..KEYS).step_by(OPENS) {
        let host = Host::new(number);
        assert!(hosts.with(&host).try_admit().is_err(), "{host:?} was forgotten");
        assert_eq!(hosts.get(&host).map(|own| own.state()), Some(State::Open));
    }
    if let (Some(before), Some(after)) = (before, resident()) {
        let grown = after.saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes more than after the first fifth, {before}");
    }
    drop(hosts);
    assert_eq!(LIVE.load(Ordering::Relaxed), 0, "a key outlived its breakers");
}
