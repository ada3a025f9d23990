#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod budget;
mod error;
pub mod fallback;
mod hedge;
#[cfg(feature = "http")]
pub mod http;
mod paying;
mod requests;
mod retry;
mod span;
mod timeout;
mod verdict;

pub use budget::{Began, Budget, BudgetConfig, BudgetSnapshot, Deposits, Extra, InFlight, Tokens};
pub use error::TimedOut;
pub use fallback::{Fallback, FallbackConfig, FallbackSnapshot, FallbackTotal};
#[cfg(feature = "tower")]
pub use fallback::{FallbackFuture, FallbackLayer, FallbackService};
#[cfg(feature = "tower")]
pub use hedge::tower::{HedgeFuture, HedgeLayer, HedgeService};
pub use hedge::{Hedge, HedgeConfig, HedgeDelay, HedgeEvent, HedgeSnapshot, HedgeTotal};
pub use paying::Paying;
pub use requests::{Copied, Deadlines, Requests, Undated};
#[cfg(feature = "tower")]
pub use retry::tower::{RetryFuture, RetryLayer, RetryService};
pub use retry::{Attempt, Config, Event, Reason, Retry, Snapshot, Total};
#[cfg(feature = "tower")]
pub use timeout::tower::{Configured, TimeoutFuture, TimeoutLayer, TimeoutService, Within};
pub use timeout::{Timed, Timeout, TimeoutConfig, TimeoutSnapshot, TimeoutTotal};
pub use verdict::{BoxedErrors, ErrIsRetryable, Errors, Judge, Verdict};
