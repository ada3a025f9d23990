//! Whoever sends the requests: a caller like any other, from outside of the listener.

use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use super::schedule::{Errand, Planned};
use super::{LoadTests, VISITOR};
use crate::clock::WallTime;

/// More than any answer has.
const MAX_ANSWER: usize = 1024 * 1024;

/// Does the errands of one load test, on connections that are kept.
#[derive(Debug)]
pub(super) struct Visitor {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    base: String,
    key: HeaderValue,
    /// The beginning of its orders' ids, which no other test's have.
    prefix: String,
}

impl Visitor {
    pub(super) fn new(tests: &LoadTests) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let mut key = HeaderValue::from_str(&tests.key).expect("the keyring's keys are letters and digits");
        key.set_sensitive(true);
        Self {
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
            base: format!("http://{}", tests.target),
            key,
            prefix: format!("{VISITOR}-{:x}-{:04x}", WallTime::now().as_millis(), fastrand::u16(..)),
        }
    }

    /// Sends the request, and reads the whole answer. Its status, if it comes.
    pub(super) fn send(&self, planned: Planned) -> impl Future<Output = Option<StatusCode>> + Send + use<> {
        let (http, request) = (self.http.clone(), self.request(planned));
        async move {
            let response = http.request(request?).await.ok()?;
            let status = response.status();
            // A connection whose answer is left unread cannot be used again.
            Limited::new(response.into_body(), MAX_ANSWER).collect().await.ok()?;
            Some(status)
        }
    }

    fn request(&self, planned: Planned) -> Option<Request<Full<Bytes>>> {
        let (method, path, body) = match planned.errand {
            Errand::Products => (Method::GET, "/products", Bytes::new()),
            Errand::Suggestions => (Method::GET, "/suggestions", Bytes::new()),
            Errand::ReadOrders => (Method::GET, "/orders?limit=20", Bytes::new()),
            Errand::Statistics => (Method::GET, "/statistics", Bytes::new()),
            Errand::PlaceOrder => (Method::POST, "/orders", self.order(planned.number)),
        };
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request.header("x-api-key", self.key.clone()).body(Full::new(body)).ok()
    }

    /// One espresso, of each priority in turn.
    fn order(&self, number: u64) -> Bytes {
        let order = json!({
            "id": format!("{}-{number}", self.prefix),
            "customer_id": VISITOR,
            "items": [{"product_id": "coffee-1", "name": "Espresso", "quantity": 1, "price": 4.5}],
            "total": 4.5,
            "priority": 1 + number / 20 % 5,
        });
        order.to_string().into()
    }
}
