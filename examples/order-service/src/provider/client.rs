//! A provider's API over HTTP, without any protection.

use std::error::Error;
use std::fmt;

use axum::http::uri::InvalidUri;
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use seawall_core::Deadline;
use seawall_retry::TimedOut;
use seawall_retry::http::Outgoing;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// More than any answer has.
const MAX_ANSWER: usize = 64 * 1024;

/// Asks one thing of a provider over HTTP, on connections that are kept.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    uri: Uri,
    outgoing: Outgoing,
}

/// Why a provider gave no answer that can be used.
#[derive(Debug)]
pub(crate) enum CallError {
    /// There was no time left, and nothing was sent.
    Late(TimedOut),
    /// No whole answer came.
    Unreachable(Box<dyn Error + Send + Sync>),
    /// The answer is not 2xx.
    Refused(StatusCode),
    /// The answer is not what was asked for.
    Unreadable(serde_json::Error),
}

impl Client {
    /// Asks at `path` below `base`, such as `http://127.0.0.1:9000`.
    pub(crate) fn new(base: &str, path: &str) -> Result<Self, InvalidUri> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
            uri: format!("{}/{path}", base.trim_end_matches('/')).parse()?,
            outgoing: Outgoing::default(),
        })
    }

    /// Asks `question`, and tells how much time there is until `deadline`.
    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        question: &Q,
        deadline: Deadline,
    ) -> Result<A, CallError> {
        let body = serde_json::to_vec(question).map_err(CallError::Unreadable)?;
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.outgoing.write(headers, deadline).map_err(CallError::Late)?;
        let response = self.http.request(request).await.map_err(|error| CallError::Unreachable(error.into()))?;
        let status = response.status();
        // Read in any case: a connection whose answer is left unread cannot be used again.
        let answer = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(CallError::Unreachable)?;
        if !status.is_success() {
            return Err(CallError::Refused(status));
        }
        serde_json::from_slice(&answer.to_bytes()).map_err(CallError::Unreadable)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(error) => error.fmt(f),
            Self::Unreachable(error) => write!(f, "the provider cannot be reached: {error}"),
            Self::Refused(status) => write!(f, "the provider answered {status}"),
            Self::Unreadable(error) => write!(f, "the provider's answer cannot be read: {error}"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Late(error) => Some(error),
            Self::Unreachable(error) => Some(&**error),
            Self::Refused(_) => None,
            Self::Unreadable(error) => Some(error),
        }
    }
}
