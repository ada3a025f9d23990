//! One limit for each of many keys, in bounded memory.

mod arrivals;
mod config;
mod debts;
mod gcra_store;
mod gcra_table;
mod limiter;
mod locked_store;
mod locked_table;
mod metrics;
#[cfg(all(test, not(seawall_loom)))]
mod model;
mod policy;
mod print;
mod reservation;
mod seed;
mod settings;
mod snapshot;
mod standings;
mod store;
mod watch;

pub use config::{Keyed, QuotaClass};
pub use debts::Debts;
pub use limiter::{KeyedLimiter, KeyedRateLimiter};
pub use reservation::KeyedReservation;
pub use seed::{Seed, SeededHash, SipHash};
pub use snapshot::KeyedSnapshot;
pub use standings::KeyStanding;
