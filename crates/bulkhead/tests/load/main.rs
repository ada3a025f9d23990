//! Load levels: hysteresis, signals, features, shedding.

mod allocation;
mod config;
mod features;
mod gauge;
mod levels;
mod shedding;
mod support;

#[cfg(feature = "tower")]
mod tower_contract;

#[global_allocator]
static ALLOCATOR: seawall_testkit::alloc::CountingAllocator = seawall_testkit::alloc::CountingAllocator;
