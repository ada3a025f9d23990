#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(
    clippy::inline_always,
    reason = "a decision is on every call: inlined whole, what nobody looks at is never made"
)]

mod adaptive;
mod algorithm;
mod burst;
mod cell;
mod config;
mod event;
mod figures;
mod grant;
#[cfg(feature = "http")]
pub mod http;
mod keyed;
mod layered;
pub mod limit;
mod limiter;
mod meter;
mod metrics;
mod policy;
mod quota;
mod reservation;
mod snapshot;
mod throttled;
mod weighed;

pub use adaptive::AdaptiveConfig;
pub use algorithm::Algorithm;
pub use burst::BurstConfig;
pub use config::{Config, Mode, Scaling};
pub use event::Event;
pub use grant::Grant;
pub use keyed::{
    Debts, KeyStanding, Keyed, KeyedLimiter, KeyedRateLimiter, KeyedReservation, KeyedSnapshot, QuotaClass, Seed,
    SeededHash, SipHash,
};
pub use layered::{Layered, LayeredRateLimiter, Layers, Rule, Violation};
pub use limit::Carry;
pub use limiter::{Debt, Limiter, RateLimiter};
pub use policy::Turn;
pub use quota::Quota;
pub use reservation::Reservation;
pub use snapshot::Snapshot;
pub use throttled::Throttled;
pub use weighed::Weighed;
