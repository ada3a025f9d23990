use ::http::{HeaderName, Request};
use seawall_core::{ConfigError, Deadline};

use super::header::header_name;
use super::{InExtensions, Outgoing};
use crate::requests::{Deadlines, Requests};
use crate::retry::Attempt;

/// Requests may be made again if making them twice is the same as making them once.
///
/// That is so for GET, HEAD, OPTIONS, TRACE, QUERY, PUT and DELETE (RFC 9110, 9.2.2), and for any method with an
/// `Idempotency-Key`, by which whoever is called knows a request that it had before. The copy carries the same key.
///
/// Each attempt has its deadline in its extensions, and in the header of an [`Outgoing`]; its number in a header too,
/// if one is set.
///
/// ```
/// use http::Request;
/// use seawall_retry::Requests;
/// use seawall_retry::http::Idempotent;
///
/// let idempotent = Idempotent::default().attempt_header("x-attempt")?;
/// let get = Request::get("/stock").body("")?;
/// assert!(idempotent.copy(&get).is_some());
/// let order = Request::post("/orders").body("espresso")?;
/// assert!(idempotent.copy(&order).is_none());
/// let order = Request::post("/orders").header("idempotency-key", "7").body("espresso")?;
/// assert!(idempotent.copy(&order).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Idempotent {
    outgoing: Option<Outgoing>,
    attempt_header: Option<HeaderName>,
}

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl Default for Idempotent {
    /// With the header of the default [`Outgoing`], which is for deadlines of the system clock, and without an
    /// attempt's number.
    fn default() -> Self {
        Self { outgoing: Some(Outgoing::default()), attempt_header: None }
    }
}

impl Idempotent {
    /// Lets `outgoing` write the deadline of each attempt.
    #[must_use]
    pub fn outgoing(mut self, outgoing: Outgoing) -> Self {
        self.outgoing = Some(outgoing);
        self
    }

    /// Writes no deadline into headers, because a layer further inside does, or whoever is called shall not know.
    #[must_use]
    pub fn without_deadline_header(mut self) -> Self {
        self.outgoing = None;
        self
    }

    /// Writes the number of each attempt, 1 for the first, into the header `name`. Envoy's is `x-envoy-attempt-count`.
    ///
    /// # Errors
    /// If it cannot be a header's name.
    pub fn attempt_header(mut self, name: &str) -> Result<Self, ConfigError> {
        self.attempt_header = Some(header_name("attempt_header", name)?);
        Ok(self)
    }
}

impl<B: Clone> Requests<Request<B>> for Idempotent {
    fn copy(&self, request: &Request<B>) -> Option<Request<B>> {
        let has_key = || request.headers().get(KEY).is_some_and(|key| !key.is_empty());
        (request.method().is_idempotent() || has_key()).then(|| request.clone())
    }

    fn prepare(&self, request: &mut Request<B>, attempt: Attempt) {
        if let Some(deadline) = attempt.deadline {
            self.set_deadline(request, deadline);
        }
        if let Some(name) = &self.attempt_header {
            request.headers_mut().insert(name.clone(), attempt.number.into());
        }
    }
}

impl<B> Deadlines<Request<B>> for Idempotent {
    fn deadline(&self, request: &Request<B>) -> Option<Deadline> {
        InExtensions.deadline(request)
    }

    fn set_deadline(&self, request: &mut Request<B>, deadline: Deadline) {
        InExtensions.set_deadline(request, deadline);
        if let Some(outgoing) = &self.outgoing {
            outgoing.write_anyway(request.headers_mut(), deadline);
        }
    }
}
