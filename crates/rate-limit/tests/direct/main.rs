//! One limiter, every algorithm, on a clock that moves when it is told to.

mod adaptive;
mod bursts;
mod clock;
mod debt;
mod operations;
mod reconfigure;
mod refunds;
mod reservations;
mod schedules;
mod shadow;
mod snapshot;
mod support;
mod texts;
