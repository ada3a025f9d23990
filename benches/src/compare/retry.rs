//! Retry, timeout and hedge against tower, tower-resilience, seatbelt and backon.
//!
//! What is measured is what a caller pays while nothing is wrong: the first attempt succeeds, in time. Every side calls the same
//! operation with the same request, which is copied where another attempt could be needed. The contract asks that no layer costs
//! more than tower's own.

mod operation;
mod ours;
mod peers;
mod tower_layers;

use crate::harness::Expected::{self, AllAdmitted, AllRefused};
use crate::harness::{Contest, Subject};

fn contest(path: &'static str, expected: Expected, ours: fn() -> Subject) -> Contest {
    Contest::new("retry", path, expected, ours)
}

pub(super) fn contests() -> Vec<Contest> {
    [layers(), direct()].into_iter().flatten().collect()
}

/// All layers are driven by the same loop, readiness first, inside a current-thread tokio runtime for each thread, whose timer
/// tower and tower-resilience take their time from.
fn layers() -> Vec<Contest> {
    vec![
        // tower has no policy of its own: this one is the least that a user writes, so many attempts and a wait between them.
        contest("tower first good", AllAdmitted, ours::layer_unlimited)
            .at_most(1.0, 1.0, "tower retry", tower_layers::retry_attempts)
            .against("tower-resilience", tower_layers::resilience_retry),
        // A fifth of the calls of ten seconds, and ten a second. tower-resilience has a bucket of tokens instead, into which each
        // success pays one.
        contest("tower first good, budget", AllAdmitted, ours::layer_deposits)
            .at_most(1.0, 1.0, "tower retry, TpsBudget", tower_layers::retry_budget)
            .against("tower-resilience", tower_layers::resilience_retry_budget),
        // Every call fails, and nothing is left for another attempt: what an outage costs the caller.
        contest("tower failed, budget empty", AllRefused, ours::layer_budget_empty)
            .against("tower retry, TpsBudget", tower_layers::retry_budget_empty),
        // tower sets a timer with each call; ours with a call that has to be waited for.
        contest("tower timeout, in time", AllAdmitted, ours::layer_timeout)
            .at_most(1.0, 1.0, "tower timeout", tower_layers::timeout)
            .against("tower-resilience", tower_layers::resilience_timelimiter),
        // The delay is fixed. tower-resilience clones the request and boxes two futures in any case.
        contest("tower hedge, fixed delay", AllAdmitted, ours::layer_hedge_fixed)
            .against("tower-resilience", tower_layers::resilience_hedge),
        // The delay follows the calls, so each is timed. tower's service cannot be cloned: each thread has one with durations
        // of its own, where ours share them.
        contest("tower hedge, measured delay", AllAdmitted, ours::layer_hedge_measured).at_most(
            1.0,
            1.0,
            "tower hedge",
            tower_layers::hedge,
        ),
    ]
}

/// Futures that are polled once, without a runtime, because nothing waits.
fn direct() -> Vec<Contest> {
    vec![
        // Neither backon nor seatbelt has a budget.
        contest("direct first good", AllAdmitted, ours::direct_unlimited)
            .against("backon", peers::backon)
            .against("seatbelt", peers::seatbelt_retry),
        contest("direct first good, budget", AllAdmitted, ours::direct_deposits),
        contest("direct timeout, in time", AllAdmitted, ours::direct_timeout)
            .against("seatbelt", peers::seatbelt_timeout),
        contest("direct hedge, fixed delay", AllAdmitted, ours::direct_hedge)
            .against("seatbelt", peers::seatbelt_hedging),
    ]
}
