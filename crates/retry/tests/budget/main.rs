//! Budgets: what extra attempts they pay for, and that it is never more.
#![allow(clippy::float_cmp, reason = "balances are exact, and what is expected is the nearest number to the same")]

mod allocation;
mod config;
mod deposits;
mod guarantee;
mod in_flight;
mod model;
mod observation;
mod properties;
mod simulation;
mod step;
mod threads;
mod tokens;

use std::time::Duration;

use seawall_core::time::{Clock, ManualTime};
use seawall_retry::{Budget, BudgetConfig, Extra};
use seawall_testkit::alloc::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const SECOND: Duration = Duration::from_secs(1);

fn budget(config: impl Into<BudgetConfig>) -> (Budget, ManualTime) {
    let (clock, time) = Clock::manual();
    (Budget::with_clock(config, clock).expect("valid"), time)
}

/// So many calls begin, and end.
fn calls(budget: &Budget, number: usize) {
    (0..number).for_each(|_| drop(budget.begin()));
}

/// All extra attempts that may begin now.
fn spend_all(budget: &Budget) -> Vec<Extra<'_>> {
    std::iter::from_fn(|| budget.spend()).collect()
}

/// How often proptest tries.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}
