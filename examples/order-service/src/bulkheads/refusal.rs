//! What a caller is told for whom there is no room.

use seawall_core::Rejection;

use crate::http::Problem;

/// The answer to a request that the bulkhead of `rejection` has no room for.
pub(crate) fn full(rejection: &Rejection) -> Problem {
    tracing::debug!(%rejection, "there was no room");
    let why = match rejection.reason() {
        "too_late" => "its line is longer than the request may wait",
        "timed_out" | "overdue" => "there was no room in time",
        "displaced" => "the place in its line was given to a request that matters more",
        _ => "it is full, and so is its line",
    };
    Problem::crowded(format!("the bulkhead {}: {why}; trying again is safe", rejection.name())).refused_by(rejection)
}
