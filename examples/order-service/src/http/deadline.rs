//! How long a caller waits, told in a header, and kept to.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use seawall_core::ConfigError;
use seawall_core::time::Clock;
use seawall_retry::http::{Incoming, IncomingConfig, TimeoutHeader};
use seawall_retry::{TimedOut, Timeout, TimeoutConfig};

use super::Problem;

/// Reads each request's deadline and answers by then.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines {
    header: HeaderName,
    incoming: Incoming,
    timeout: Timeout,
}

/// More than any deadline: requests are limited by theirs alone.
const LONGEST: std::time::Duration = std::time::Duration::from_hours(366 * 24);

impl Deadlines {
    /// Deadlines on `clock`.
    pub(crate) fn new(config: IncomingConfig, clock: &Clock) -> Result<Self, ConfigError> {
        let timeout = Timeout::with_clock(TimeoutConfig::new(LONGEST).name("request"), clock.clone())?;
        // A configuration shows its parts only in the form that it has in files.
        let written = serde_json::to_value(&config).ok().and_then(|written| written["header"].as_str()?.parse().ok());
        let header = written.unwrap_or_else(|| TimeoutHeader::default().name().clone());
        Ok(Self { header, incoming: Incoming::with_clock(config, clock.clone())?, timeout })
    }

    /// Which header tells them.
    pub(crate) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// What limits the requests, for whoever counts.
    pub(crate) fn timeout(&self) -> &Timeout {
        &self.timeout
    }
}

/// Answers within the time that the caller gives. Whoever comes in further may read the deadline in the request's extensions.
pub(super) async fn keep(State(deadlines): State<Arc<Deadlines>>, mut request: Request, next: Next) -> Response {
    let deadline = match deadlines.incoming.try_deadline(request.headers()) {
        Ok(deadline) => deadline,
        Err(bad) => return Problem::malformed(bad.to_string()).into_response(),
    };
    let Some(deadline) = deadline else { return next.run(request).await };
    request.extensions_mut().insert(deadline);
    match deadlines.timeout.run_until(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(late) => too_late(late).into_response(),
    }
}

fn too_late(late: TimedOut) -> Problem {
    let detail = if late.after().is_zero() {
        "the time that the request was given was over when it came; nothing was done"
    } else {
        "the time that the request was given is over; what was begun may have been done"
    };
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "deadline-passed", "The deadline passed", detail)
}
