//! What was changed by hand: who changed what, from what to what.

use std::fmt;

use serde::Serialize;

use crate::http::Peer;

/// Logs a change, whatever else is logged: target `order_service::audit`, at WARN.
pub(crate) fn note(who: Peer, what: &str, before: impl fmt::Display, after: impl fmt::Display) {
    tracing::warn!(target: "order_service::audit", %who, what, %before, %after, "changed by hand");
}

/// `value` as it is shown to callers.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}
