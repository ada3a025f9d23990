//! How long the service waits for what is neither a dependency's call nor a whole request.

use std::time::Duration;

use seawall_core::time::Clock;
use seawall_retry::{Timeout, TimeoutConfig};

/// A limit that counts under `name`. The duration is a constant, or one of the settings, which are checked before anything starts.
pub(crate) fn limit(name: &'static str, duration: Duration, clock: &Clock) -> Timeout {
    Timeout::with_clock(TimeoutConfig::new(duration).name(name), clock.clone())
        .expect("no name is too long, and every duration is above zero and at most some minutes")
}
