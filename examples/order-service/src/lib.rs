//! The order service: a coffee shop's back office that stays up while what it depends on does not.
//!
//! | room | what is in it |
//! |---|---|
//! | [`service`](Service) | the whole, started and stopped |
//! | [`config`] | settings: defaults, file, command line, and what each may be |
//! | `app` | what the routes share, and which routes each listener has |
//! | `orders` | what an order is, how one is accepted, where it is kept, its routes |
//! | `products` | the catalogue |
//! | `suggestions`, `statistics` | what else a customer may like; what was ordered, in figures |
//! | [`inventory`], [`payment`] | reservations and payments, the redrive of what is owed, and providers to depend on |
//! | [`provider`] | how providers are called: deadline, retry, circuit breaker and bulkhead, timeout; and the faults of the service's own |
//! | [`breakers`] | what keeps calls from dependencies that fail, and the levers on it |
//! | [`bulkheads`] | how much of each dependency is used at once, who waits for it, and the levers on it |
//! | `worker_pools` | who processes orders that are stored, how many at once, and the levers on it |
//! | `caller` | who calls: a user of a tenant by key, or an address |
//! | `rate_limits` | how often callers may ask, and the levers on it |
//! | `degradation` | what is left undone under load, and the lever on it |
//! | `load_test` | load that the service puts on itself, and the report on it |
//! | `http` | problem documents, JSON bodies, ids, headers, connections: what all routes have in common |
//! | `health`, `scrape`, `openapi`, `overview` | routes that tell about the service |
//! | `provider_control` | the admin listener's levers on the providers |
//! | `database`, `metrics`, `clock`, `limit`, [`logging`], `shutdown` | what everything stands on |
//!
//! An order's way: `http::edge` (id, client's address, figures, headers), `degradation` (which lets it pass), `caller` (whose key it is), `rate_limits`, `http::json` (strict reading), `orders::validate`,
//! `orders::store` (on the disk before anything else happens), `worker_pools` (a job of its own), `orders::process` (`inventory`
//! and `payment` by way of `provider::calls`), and the answer, which comes first where that takes too long. Where one of the two
//! fails, or no worker takes the order, `payment::redrive` does both later.

mod app;
mod audit;
pub mod breakers;
pub mod bulkheads;
mod caller;
mod clock;
pub mod config;
mod database;
mod degradation;
mod health;
mod http;
pub mod inventory;
mod limit;
mod load_test;
pub mod logging;
mod metrics;
mod openapi;
mod orders;
mod overview;
pub mod payment;
mod products;
pub mod provider;
mod provider_control;
mod rate_limits;
mod scrape;
mod service;
mod shutdown;
mod statistics;
mod suggestions;
mod worker_pools;

pub use service::{Service, StartError};
pub use shutdown::Signals;
