//! The pure algorithms, by random schedules against exact models, and by example.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "milliseconds and small counts, which both hold"
)]

mod buckets;
mod carry;
mod drive;
mod examples;
mod extremes;
mod guarantee;
mod merge;
mod pacing;
mod schedule;
mod threshold;
mod windows;

use proptest::prelude::ProptestConfig;

/// As many cases as the environment says; a failing case is told whole, and kept nowhere.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}
