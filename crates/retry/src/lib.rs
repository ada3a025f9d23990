#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod verdict;

pub use error::TimedOut;
pub use verdict::{ErrIsRetryable, Errors, Judge, Verdict};
