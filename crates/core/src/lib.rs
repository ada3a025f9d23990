#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(
    clippy::inline_always,
    reason = "the front doors and the clock are on every call: inlined whole, a success costs half"
)]

#[cfg(feature = "http")]
pub mod http;
pub mod observe;
pub mod random;
pub mod spawn;
pub mod stripe;
#[doc(hidden)]
pub mod sync;
pub mod time;
#[cfg(feature = "tower")]
pub mod tower;

mod admit;
mod all;
mod backoff;
mod by;
mod deadline;
mod error;
mod name;
mod outcome;
mod ratio;
mod rejection;
mod shared;
pub mod wait;

pub use admit::{Admit, AdmitOwned, Admits, Ask, Classified, Conclude, Configure, Entry, Hold, Permit, Policy, With};
pub use all::{Both, BothPlace, Members, all};
pub use backoff::{Backoff, Jitter};
pub use by::By;
pub use deadline::Deadline;
pub use error::ConfigError;
pub use name::Name;
pub use outcome::{Classify, Ending, ErrIsFailure, Outcome, Report};
pub use ratio::Ratio;
pub use rejection::{Kind, Rejection};
pub use shared::Shared;
pub use wait::{Claim, Place, Priority, Turn, Unserved, WaitQueue};
