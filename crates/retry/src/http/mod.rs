//! Calls over HTTP: deadlines that come in and go out in a header, requests that may be made again, responses that show
//! whether they are another's.
//!
//! ```text
//! caller ── x-request-timeout-ms: 800 ──► Incoming ─► Deadline in the request's extensions
//!                                                       │ Timeout, Retry: keep to it, tighten it
//!                                                       ▼
//!                                                     Outgoing ── x-request-timeout-ms: 743 ──► who is called
//! ```
//!
//! A deadline travels as the time that is left, so no two machines' clocks need to agree; what the way takes is lost.
//! At each hop less is left, and nobody works for a caller that has gone.
//!
//! - [`Incoming`] reads the header of a request that is served, [`Outgoing`] writes that of a request that is sent;
//!   both know `grpc-timeout` too.
//! - [`InExtensions`] lets [`Timeout`](crate::Timeout)'s layer use the deadline.
//! - [`Idempotent`] lets the layers of [`Retry`](crate::Retry) and [`Hedge`](crate::Hedge) make requests again that may
//!   be, and use it too.
//! - [`Statuses`](seawall_core::http::Statuses) judges their responses, and those of [`Fallback`](crate::Fallback);
//!   [`BoxedStatuses`] does where errors are boxed.
//! - [`MarkFellBack`] marks responses that are a fallback's.
//!
//! # In a tower stack
//! ```
//! # #[cfg(feature = "tower")]
//! # fn stack() -> Result<(), seawall_core::ConfigError> {
//! use seawall_core::http::{Statuses, respond};
//! use seawall_retry::http::{BoxedStatuses, Idempotent, InExtensions, Incoming, IncomingConfig, Outgoing};
//! use seawall_retry::{Config, Retry, Timeout, TimeoutConfig};
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//!
//! let second = Duration::from_secs(1);
//! let incoming = Incoming::new(IncomingConfig::default().default_timeout(2 * second).max(10 * second))?;
//! let route = Timeout::new(TimeoutConfig::new(5 * second).name("route"))?;
//! // Of a server: what a caller may ask for is read, capped, and kept to.
//! let server = ServiceBuilder::new()
//!     .layer(incoming.layer())
//!     .layer(route.layer().deadlines(InExtensions).on_timeout(respond::<String>));
//!
//! let retry = Retry::new(Config::default().name("payment").attempt_timeout(second))?;
//! // Of a client: each attempt tells what is left.
//! let client = ServiceBuilder::new()
//!     .layer(retry.layer().judge(BoxedStatuses(Statuses::default())).requests(Idempotent::default()).boxed())
//!     .layer(Outgoing::default().layer().boxed());
//! # let _ = (server, client);
//! # Ok(())
//! # }
//! ```

mod fell_back;
mod header;
mod idempotent;
mod incoming;
mod judge;
mod outgoing;

use ::http::Request;
use seawall_core::Deadline;

pub use fell_back::FellBack;
#[cfg(feature = "tower")]
pub use fell_back::MarkFellBack;
pub use header::{BadTimeout, TimeoutHeader};
pub use idempotent::Idempotent;
#[cfg(feature = "tower")]
pub use incoming::tower::{Ignored, IncomingFuture, IncomingLayer, IncomingService, OnBad, bad_request};
pub use incoming::{Incoming, IncomingConfig};
pub use judge::BoxedStatuses;
#[cfg(feature = "tower")]
pub use outgoing::tower::{OutgoingFuture, OutgoingLayer, OutgoingService};
pub use outgoing::{Outgoing, OutgoingConfig};

use crate::requests::Deadlines;

/// A request's deadline is the [`Deadline`] in its extensions.
#[derive(Clone, Copy, Debug, Default)]
pub struct InExtensions;

impl<B> Deadlines<Request<B>> for InExtensions {
    fn deadline(&self, request: &Request<B>) -> Option<Deadline> {
        request.extensions().get().copied()
    }

    fn set_deadline(&self, request: &mut Request<B>, deadline: Deadline) {
        // One that is there keeps its place, so that nothing is allocated.
        match request.extensions_mut().get_mut() {
            Some(there) => *there = deadline,
            None => {
                request.extensions_mut().insert(deadline);
            }
        }
    }
}
