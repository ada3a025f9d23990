//! The algorithms that find a limit, fed by hand: what each formula says in numbers, and what holds for all of them.

#![allow(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "models compute as the algorithms do, of small numbers, to the last bit"
)]
#![allow(clippy::needless_for_each, reason = "of some calls only what comes after them matters")]

mod all;
mod config;
mod correlation;
mod gates;
mod gradient;
mod models;
mod per_call;
mod stats;
mod windowed;

use std::time::Duration;

use seawall_bulkhead::limit::{LimitAlgorithm, Sample, Signal};
use seawall_core::time::Timestamp;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Timestamp {
    Timestamp::ZERO + ms(millis)
}

/// An algorithm, and calls that end when they are told to.
struct Fed<A> {
    algorithm: A,
    now: Timestamp,
}

impl<A: LimitAlgorithm> Fed<A> {
    fn new(algorithm: A) -> Self {
        Self { algorithm, now: at(100_000) }
    }

    /// A call that begins now and takes so many milliseconds, while all of the limit is in use.
    fn call(&mut self, rtt: u64) -> u32 {
        let in_flight = self.algorithm.limit();
        self.end(rtt, in_flight, Signal::Completed)
    }

    /// A call that begins now.
    fn end(&mut self, rtt: u64, in_flight: u32, signal: Signal) -> u32 {
        self.now = self.now + ms(rtt);
        self.algorithm.on_sample(&Sample::new(self.now, ms(rtt), in_flight, signal))
    }

    /// A call that ends now.
    fn ended(&mut self, rtt: u64, in_flight: u32, signal: Signal) -> u32 {
        self.algorithm.on_sample(&Sample::new(self.now, ms(rtt), in_flight, signal))
    }

    fn wait(&mut self, millis: u64) -> u32 {
        self.now = self.now + ms(millis);
        self.algorithm.on_tick(self.now)
    }
}
