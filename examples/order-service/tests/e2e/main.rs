//! The service from outside: real sockets, real files, real processes.

#[macro_use]
mod support;

mod bad_input;
mod bulkheads;
mod callers;
mod circuits;
mod configuration;
mod crash;
mod degradation;
mod lifecycle;
mod load_test;
mod orders;
mod outage;
mod postgres;
mod postgres_outage;
mod providers;
mod random_input;
mod rate_limits;
mod suggestions;
mod telling;
mod worker_pools;
