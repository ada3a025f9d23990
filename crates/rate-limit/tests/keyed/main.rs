//! One limit for each of many keys.

mod allocation;
mod bursts;
mod classes;
mod config;
mod debts;
mod operations;
mod reconfigure;
mod schedules;
mod support;
mod threads;

use seawall_testkit::alloc::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;
