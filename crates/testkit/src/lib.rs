#![doc = include_str!("../README.md")]

pub mod alloc;
pub mod cancel;
pub mod contract;
pub mod drive;
pub mod exec;
#[cfg(seawall_loom)]
pub mod model;
pub mod random;
#[cfg(unix)]
pub mod server;
pub mod service;
pub mod watch;
