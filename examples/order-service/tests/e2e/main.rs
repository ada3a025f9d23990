//! The service from outside: real sockets, real files, real processes.

mod bad_input;
mod configuration;
mod crash;
mod lifecycle;
mod orders;
mod outage;
mod random_input;
mod support;
mod telling;
