//! The payment provider as its API has it, without any protection.

use std::fmt;

use axum::http::uri::InvalidUri;
use axum::http::{Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};

use crate::orders::Amount;

/// More than any receipt has.
const MAX_ANSWER: usize = 64 * 1024;

/// Speaks to the provider over HTTP, on connections that are kept.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    charges: Uri,
}

/// What the provider is asked to collect. It does so once for each order, however often it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Charge {
    pub(crate) order_id: String,
    pub(crate) amount: Amount,
}

/// The provider's word that it has collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) charge_id: String,
}

/// Why there is no receipt.
#[derive(Debug)]
pub(crate) enum ChargeError {
    /// No whole answer came.
    Unreachable(Box<dyn std::error::Error + Send + Sync>),
    /// The answer is not 2xx.
    Refused(StatusCode),
    /// The answer is no receipt.
    Unreadable(serde_json::Error),
}

impl Client {
    /// A client of the provider below `base`, such as `http://127.0.0.1:9000`.
    pub(crate) fn new(base: &str) -> Result<Self, InvalidUri> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
            charges: format!("{}/charges", base.trim_end_matches('/')).parse()?,
        })
    }

    /// Has the provider collect `charge`.
    pub(crate) async fn charge(&self, charge: &Charge) -> Result<Receipt, ChargeError> {
        let body = serde_json::to_vec(charge).map_err(ChargeError::Unreadable)?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.charges.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(|error| ChargeError::Unreachable(error.into()))?;
        let response = self.http.request(request).await.map_err(|error| ChargeError::Unreachable(error.into()))?;
        let status = response.status();
        // Read in any case: a connection whose answer is left unread cannot be used again.
        let answer =
            Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(ChargeError::Unreachable)?;
        if !status.is_success() {
            return Err(ChargeError::Refused(status));
        }
        serde_json::from_slice(&answer.to_bytes()).map_err(ChargeError::Unreadable)
    }
}

impl fmt::Display for ChargeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "the payment provider cannot be reached: {error}"),
            Self::Refused(status) => write!(f, "the payment provider answered {status}"),
            Self::Unreadable(error) => write!(f, "the payment provider's answer cannot be read: {error}"),
        }
    }
}

impl std::error::Error for ChargeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable(error) => Some(&**error),
            Self::Refused(_) => None,
            Self::Unreadable(error) => Some(error),
        }
    }
}
