//! Calls over HTTP: what a response says about whoever sent it, when such a call ends, and what a refused caller is told.
//!
//! - [`Statuses`] judges a response by its status; a failure brings the `Retry-After` that it came with.
//! - [`UntilBodyEnd`] lets a call end with the response's body, inside [`Held`], instead of with its head.
//! - [`Problem`] and [`respond`] answer a refused request: 429 or 503, `Retry-After`, a body as RFC 9457 has it.
//! - [`retry_after`] reads the header, [`delay_seconds`] writes it.
//!
//! Only the types of `http` and `http-body` are used, so any server, client or framework on them is served.
//!
//! # In a tower stack
//! With feature `tower` the layer of every policy has `statuses` and `until_body_end`:
//!
//! ```
//! # #[cfg(feature = "tower")]
//! # fn stack<P: seawall_core::Policy>(policy: &seawall_core::Shared<P>) {
//! use seawall_core::http::{Statuses, respond};
//!
//! // Of a client: a refusal is an error, and a download lasts until it is whole.
//! let downloads = policy.layer().statuses(Statuses::default()).until_body_end().boxed();
//! // Of a server whose services cannot fail: a refusal is a response.
//! let routes = policy.layer().statuses(Statuses::default()).on_rejection(respond::<String>);
//! # let _ = (downloads, routes);
//! # }
//! ```

mod held;
mod problem;
mod retry_after;
mod status_range;
mod statuses;
mod until_body_end;
mod verdict;

#[cfg(feature = "serde")]
mod format;

pub use held::Held;
pub use problem::{Problem, respond};
pub use retry_after::{delay_seconds, retry_after};
pub use status_range::StatusRange;
pub use statuses::Statuses;
pub use until_body_end::UntilBodyEnd;
