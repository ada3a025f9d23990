//! `retry.json`: waits, jitter, budgets, and calls that are made again.

mod backoff;
mod budget;
mod calls;

use crate::miss::Miss;
use crate::vector::Vector;

pub(crate) fn run(vector: &Vector) -> Vec<Miss> {
    match vector.text("pattern") {
        Some("backoff" | "jitter") => backoff::run(vector),
        Some("retry-budget" | "retry-throttle" | "token-bucket") => budget::run(vector),
        Some("retry") => calls::run(vector),
        other => vec![Miss::before_all("pattern", format!("{other:?}"))],
    }
}
