#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(
    clippy::inline_always,
    reason = "a decision is on every call: inlined whole, what nobody looks at is never made"
)]

pub mod limit;
pub mod load;
pub mod partitions;

mod claiming;
mod compartment;
mod config;
mod event;
mod full;
mod metrics;
mod policy;
mod snapshot;

pub use claiming::Claiming;
pub use compartment::{Bulkhead, Compartment};
pub use config::{Config, Failures};
pub use event::Event;
pub use full::{Full, Reason};
pub use load::{Feature, FeatureSwitch, Level, LoadGauge, Shedder};
pub use partitions::PartitionedBulkhead;
pub use policy::{Token, Waiting};
pub use seawall_core::wait::{CoDel, Order};
pub use seawall_core::{Claim, Priority};
pub use snapshot::{Refusals, Snapshot};
