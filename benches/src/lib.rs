//! Measures the family and its peers side by side.
//!
//! - [`harness`]: how a path is driven, timed, checked and reported; knows no pattern.
//! - [`compare`]: one file per pattern with its contests: the path, ours, the peers, the targets.
//!
//! The same contests feed `--bin compare` (ours against the peers), `--bench self` (ours under criterion) and
//! `--bin instructions` (instruction counts of ours under callgrind).

pub mod compare;
pub mod harness;
