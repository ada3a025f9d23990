//! An adaptive throttle: refuses a share of the calls while a dependency accepts too few of them.
//!
//! It is the client-side throttling of Google's *Site Reliability Engineering*, chapter 21. A client counts, over the last
//! seconds, how many requests it made and how many were accepted. While at least one in `k` is accepted (one in two) all
//! calls pass. Beyond that each call is refused with a [probability](Formula) that grows as fewer are accepted, before it costs
//! the dependency anything. One that accepts a part of its load is sent about `k` times what it accepts; one that is down,
//! hardly anything. As it accepts more, it is sent more.
//!
//! # Throttle or breaker?
//! A [circuit breaker](crate::CircuitBreaker) is for what is up or down: it refuses everything for a while, then tries with a
//! few calls. A throttle is for what is overloaded, and for a dependency of many instances of which some fail: it refuses as
//! much as is too much, and never everything. It needs calls to take shares of: below some ten a second, take a breaker.
//!
//! # What counts
//! | call | request | accepted |
//! |---|---|---|
//! | asks | from then on, so that what hangs counts | |
//! | is refused here | stays one, so that the share that is refused does not swing back at once | no |
//! | succeeds | stays one | yes, when it ends |
//! | fails, or panics | stays one | no |
//! | is ignored by its classifier, or cancelled before it began | taken back | |
//! | is dropped before its end | stays one; or taken back, if [so configured](Abandoned) | no |
//!
//! A call that runs is not accepted yet. Where many calls begin at once after a silence, see
//! [`minimum_calls`](Config::minimum_calls).
//!
//! ```
//! use seawall_circuit_breaker::AdaptiveThrottle;
//! use seawall_circuit_breaker::throttle::Config;
//! use seawall_core::time::Clock;
//! use std::time::Duration;
//!
//! let (clock, time) = Clock::manual();
//! let search = AdaptiveThrottle::with_clock(Config::default().minimum_calls(0), clock)?;
//! for _ in 0..500 {
//!     if let Ok(permit) = search.try_admit() {
//!         permit.failure();
//!     }
//! }
//! let snapshot = search.snapshot();
//! assert_eq!((snapshot.requests, snapshot.accepts), (500, 0));
//! assert_eq!(snapshot.probability, 500.0 / 501.0);
//! assert!(snapshot.refused > 450, "of a dependency that is down, nearly all calls are refused");
//!
//! time.advance(Duration::from_secs(10));
//! assert!(search.try_admit().is_ok(), "what was counted has left the window");
//! # Ok::<(), seawall_core::ConfigError>(())
//! ```

mod chance;
mod config;
mod control;
mod error;
mod event;
#[cfg(feature = "serde")]
mod format;
mod formula;
mod gate;
mod handle;
mod lane;
mod metrics;
mod policy;
mod preset;
pub(crate) mod settings;
mod snapshot;
mod state;
mod tenancy;
mod token;

pub use config::{Abandoned, Config};
pub use error::Throttled;
pub use event::{Change, Event};
pub use formula::Formula;
pub use handle::{AdaptiveThrottle, Throttle};
pub use snapshot::{Snapshot, Total};
pub use token::Token;

pub(crate) use metrics::sample_total;
