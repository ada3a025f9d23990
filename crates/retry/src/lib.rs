#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod budget;
mod error;
mod requests;
mod retry;
mod verdict;

pub use budget::Budget;
pub use error::TimedOut;
pub use requests::{Copied, Requests};
#[cfg(feature = "tower")]
pub use retry::tower::{RetryFuture, RetryLayer, RetryService};
pub use retry::{Attempt, Config, Event, Reason, Retry, Snapshot, Total};
pub use verdict::{ErrIsRetryable, Errors, Judge, Verdict};
