#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod gather;
pub mod health;
mod instances;

use std::fmt;

/// The registry that [`Instances`] are registered with.
pub use prometheus_client;

pub use instances::Instances;

/// The media type of what [`open_metrics`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The answer to a scrape: everything in `registry` as OpenMetrics text.
///
/// # Errors
/// When a collector in the registry reports an error; those of this crate do not.
pub fn open_metrics(registry: &prometheus_client::registry::Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry)?;
    Ok(text)
}
