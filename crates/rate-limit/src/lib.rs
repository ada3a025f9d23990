#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "http")]
pub mod http;
pub mod limit;
mod quota;

pub use quota::Quota;

/// Placeholder for the paths in the docs.
#[derive(Debug)]
pub enum Algorithm {
    /// .
    Gcra,
    /// .
    TokenSteps,
}
