//! Load that the service puts on itself, and what becomes of it: an open-loop load test in one request.
//!
//! | room | what is in it |
//! |---|---|
//! | `parameters` | how much load, for how long |
//! | `schedule` | when which request begins, fixed beforehand |
//! | `run` | the requests, none of which waits for the answer to another |
//! | `visitor` | one request over HTTP, through the public listener and every layer |
//! | `report` | what is counted, and the latency from the moment at which a request was to begin |
//! | `slot` | one test at a time |
//!
//! The visitor has a key of its own, which no row stands for and which ends with the process. So each request is limited like
//! any user's, and nobody else's quota is used up but what all callers share.

mod parameters;
mod report;
mod routes;
mod run;
mod schedule;
mod slot;
mod visitor;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use seawall_core::time::Clock;
use seawall_retry::Timeout;

use crate::caller::Keyring;
use crate::limit::limit;

pub(crate) use routes::routes;
pub(crate) use slot::{LoadTestFigures, Slot};

/// The user whose key the requests have, and the customer of the orders that they place.
pub(crate) const VISITOR: &str = "load-test";

/// What load tests need of the service.
#[derive(Debug)]
pub(crate) struct LoadTests {
    slot: Slot,
    /// Where the requests go.
    target: SocketAddr,
    key: String,
    timeout: Timeout,
}

impl LoadTests {
    /// Tests of the listener at `address`, by a visitor whom `keyring` knows from now on.
    pub(crate) fn new(address: SocketAddr, keyring: &Keyring, figures: LoadTestFigures, clock: &Clock) -> Self {
        Self {
            slot: Slot::new(figures),
            target: reachable(address),
            key: keyring.issue(VISITOR),
            timeout: limit("load-test", run::PATIENCE, clock),
        }
    }

    /// What limits how long a request may take, for whoever counts.
    pub(crate) fn timeout(&self) -> &Timeout {
        &self.timeout
    }
}

/// Where a listener on `address` is reached from within: one on every address also on loopback. That is IPv4's even where it
/// was bound as IPv6, since machines without an IPv6 loopback bind that too.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_over_loopback() {
        for (bound, target) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "127.0.0.1:8080"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(bound.parse().expect("an address")).to_string(), target);
        }
    }
}
