#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(
    clippy::inline_always,
    reason = "what is hardly ever so is asked for each job: the question is inlined, and what follows from it is not"
)]

mod attempts;
mod config;
mod dead;
mod door;
mod drain;
mod engine;
mod error;
mod event;
mod growth;
mod handle;
mod job;
mod keeper;
#[cfg(all(test, seawall_loom))]
mod loom_tests;
mod meter;
mod metrics;
mod options;
mod pool;
mod redrive;
mod refused;
mod reply;
mod retry;
mod returned;
mod router;
mod seat;
mod snapshot;
mod state;
mod submit;
mod task;
#[cfg(feature = "tower")]
pub mod tower;
mod unit;
mod weights;
mod worker;

pub use config::{Config, FullPolicy, Order};
pub use dead::{DeadLetter, Failure};
pub use door::Door;
pub use drain::Report;
pub use error::{JobError, Panic};
pub use event::{DeadReason, Event};
pub use growth::{Growth, GrowthPolicy, Load};
pub use handle::JobHandle;
pub use job::{Attempt, Finish, Job};
pub use meter::Signals;
pub use options::JobOptions;
pub use pool::Pool;
pub use refused::{Reason, Refused};
pub use retry::Retry;
pub use returned::Returned;
pub use router::Router;
pub use seawall_core::{Backoff, Jitter, Priority};
pub use snapshot::{Refusals, Snapshot};
pub use submit::{Execute, Run, Submit};
pub use task::{Blocking, Repeat, RepeatBlocking, Runs, Task, Work, blocking, repeat, repeat_blocking};
pub use weights::Weights;
