#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(
    clippy::inline_always,
    reason = "admission and success are on every call: inlined whole, a success costs half"
)]

mod breaker;
mod config;
mod durations;
mod ema;
mod error;
mod event;
mod figures;
#[cfg(feature = "serde")]
mod format;
mod gate;
mod keyed;
mod metrics;
mod patient;
mod period;
mod policy;
mod preset;
mod settings;
mod snapshot;
mod state;
mod text;
pub mod throttle;
mod token;
mod trial;
mod watch;
mod window;

pub use breaker::{Breaker, CircuitBreaker};
pub use config::{
    Abandoned, Config, EmaWindow, FailuresInPeriod, HalfOpen, OpenInterval, Recovery, SlowCalls, SuccessRateEma,
    Undecided, Window,
};
pub use durations::Durations;
pub use error::{NotOpen, Open};
pub use event::{Cause, Event, State, Trip};
pub use figures::Figures;
pub use keyed::{
    AdaptiveThrottles, Breakers, CircuitBreakers, Key, Keyed, KeyedSnapshot, KeyedToken, KeysByRefusal, KeysByState,
    Pinned, Throttles,
};
pub use patient::{Patient, Waiting};
pub use snapshot::{Snapshot, Total};
pub use throttle::{AdaptiveThrottle, Throttle, Throttled};
pub use token::Token;
