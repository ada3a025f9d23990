//! What extra attempts are paid from, so that they cannot multiply an outage.

mod billionths;
mod config;
mod deposited;
mod guard;
mod handle;
mod in_flight;
mod lane;
mod metrics;
mod settings;
mod snapshot;
mod tokens;
mod window;

pub use config::{BudgetConfig, Deposits, InFlight, Tokens};
pub use guard::{Began, Extra};
pub use handle::Budget;
pub use snapshot::BudgetSnapshot;
