//! The adaptive throttle through its public interface, on manual time and with drawn seeds.

mod admission;
mod allocation;
mod bound;
mod cancellation;
mod config;
mod control;
mod events;
mod model;
mod properties;
mod runtimes;
mod scenarios;
mod statistics;

use std::time::Duration;

use seawall_circuit_breaker::throttle::Config;
use seawall_circuit_breaker::{AdaptiveThrottle, Throttle};
use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Outcome, Permit};
use seawall_testkit::alloc::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const SECOND: Duration = Duration::from_secs(1);

fn throttle(config: Config) -> (AdaptiveThrottle, ManualTime) {
    let (clock, time) = Clock::manual();
    (AdaptiveThrottle::with_clock(config, clock).expect("valid"), time)
}

/// One that decides from the first request on, the same at every run.
fn eager() -> Config {
    Config::default().minimum_calls(0).seed(1)
}

fn record(throttle: &Throttle, outcome: Outcome, calls: u64) {
    (0..calls).for_each(|_| throttle.record(outcome));
}

/// So many calls that are let through, however often it takes to ask.
fn admitted(throttle: &AdaptiveThrottle, calls: usize) -> Vec<Permit<&Throttle>> {
    let mut permits = Vec::new();
    for _ in 0..1_000_000 {
        permits.extend(throttle.try_admit());
        if permits.len() == calls {
            return permits;
        }
    }
    panic!("{calls} calls of a million should have passed, and {} did", permits.len());
}
