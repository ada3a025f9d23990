//! Deadlines of requests over HTTP: read, kept to, tightened, and told to whoever is called.
#![cfg(feature = "http")]

mod header;
#[cfg(feature = "tower")]
mod hops;
mod idempotent;
mod incoming;
#[cfg(feature = "tower")]
mod judge;
mod outgoing;

use std::time::Duration;

use http::HeaderMap;
use proptest::prelude::ProptestConfig;
use proptest::test_runner::FileFailurePersistence;

const MS: Duration = Duration::from_millis(1);
const NS: Duration = Duration::from_nanos(1);

fn just_under(span: Duration) -> Duration {
    span.saturating_sub(NS)
}

/// Headers with this one, as often as there are values.
fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name, value.parse().expect("a header"));
    }
    headers
}

/// How the properties are tried.
fn cases() -> ProptestConfig {
    let regressions = FileFailurePersistence::Direct("tests/deadline/regressions.txt");
    ProptestConfig { cases: 1_000, failure_persistence: Some(Box::new(regressions)), ..ProptestConfig::default() }
}

/// A request whose sender stops waiting `left` from now.
#[cfg(feature = "tower")]
fn dated(clock: &seawall_core::time::Clock, left: Duration) -> http::Request<&'static str> {
    let mut request = http::Request::new("espresso");
    request.extensions_mut().insert(seawall_core::Deadline::after(clock, left));
    request
}
