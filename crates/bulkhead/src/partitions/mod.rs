//! Named shares of one limit: for each tenant, or each class of traffic, a part that is its own, and what others leave idle.
//!
//! ```
//! use seawall_bulkhead::PartitionedBulkhead;
//! use seawall_bulkhead::partitions::Config;
//!
//! let search = PartitionedBulkhead::new(Config::new(10).name("search").partition("live", 0.7).partition("batch", 0.3))?;
//! // Nobody else is here, so that batch may have all of it.
//! let batch: Vec<_> = (0..10).map(|_| search.with("batch").try_admit().expect("idle")).collect();
//! let full = search.with("live").try_admit().expect_err("everything is in use");
//! assert_eq!((full.partition_in_flight(), full.share()), (0, 7));
//! # drop(batch);
//! # Ok::<(), seawall_core::ConfigError>(())
//! ```

mod asks;
mod bulkhead;
mod config;
mod event;
mod full;
mod metrics;
mod policy;
mod room;
mod snapshot;
mod state;

pub use asks::{Asks, Claims, Partition};
pub use bulkhead::{PartitionedBulkhead, Partitions};
pub use config::{Config, Overrun, Share};
pub use event::Event;
pub use full::{Full, Reason};
pub use policy::{Token, Waiting};
pub use snapshot::{PartitionSnapshot, Snapshot};
