//! What fails is answered otherwise: one call, a service's calls; counted, and marked.

mod config;
mod cost;
mod run;
#[cfg(feature = "tower")]
mod tower;

use seawall_retry::{Fallback, FallbackConfig};
use seawall_testkit::alloc::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn fallback() -> Fallback {
    Fallback::new(FallbackConfig::default().name("stock")).expect("valid")
}

/// Calls that were good, fell back, failed all the same, were passed on, abandoned.
fn counted(fallback: &Fallback) -> [u64; 5] {
    let total = fallback.snapshot().total;
    [total.good, total.fell_back, total.failed, total.passed_on, total.abandoned]
}
