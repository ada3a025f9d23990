//! What every request passes on its way in and every answer on its way out.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use seawall_core::time::Clock;
use seawall_rate_limit::http::ClientAddress;
use seawall_retry::Timeout;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use tracing::field::Empty;
use utoipa_axum::router::OpenApiRouter;

use super::client::Client;
use super::deadline::{self, Deadlines};
use super::leftover::{self, lend};
use super::problem::Problem;
use super::request_id::{self, RequestIds};
use super::security_headers;
use crate::limit::limit;
use crate::metrics::{HttpFigures, Traffic};

/// The label of requests that no route matched: never the path itself, of which there is no end.
const UNMATCHED: &str = "unmatched";

/// Gives each request its id, its span, its place in the figures, and each answer its headers.
#[derive(Debug)]
pub(crate) struct Edge {
    ids: RequestIds,
    addresses: ClientAddress,
    clock: Clock,
    /// How long a caller may take to send what nobody read.
    leftovers: Timeout,
    figures: HttpFigures,
}

impl Edge {
    /// An edge that knows callers by `addresses` and counts in `figures`.
    pub(crate) fn new(addresses: ClientAddress, clock: Clock, figures: HttpFigures) -> Self {
        let leftovers = limit("leftover-body", leftover::PATIENCE, &clock);
        Self { ids: RequestIds::new(), addresses, clock, leftovers, figures }
    }

    /// What limits its waiting, for whoever counts.
    pub(crate) fn timeout(&self) -> &Timeout {
        &self.leftovers
    }
}

/// Answers whoever asks for `routes` by the caller's deadline, and whatever becomes of the request: so that layers around them
/// see each answer, and can add to it.
pub(crate) fn answered<S: Clone + Send + Sync + 'static>(
    routes: OpenApiRouter<S>,
    deadlines: &Arc<Deadlines>,
) -> OpenApiRouter<S> {
    routes
        .route_layer(CatchPanicLayer::custom(panicked))
        .route_layer(from_fn_with_state(deadlines.clone(), deadline::keep))
}

/// Puts `router` behind `edge`, and gives problem documents to what it leaves unanswered.
pub(crate) fn protect(router: Router, edge: Arc<Edge>) -> Router {
    router
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(edge, pass))
}

async fn pass(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let id = edge.ids.of(request.headers());
    let client = Client::of(&request, &edge.addresses);
    request.extensions_mut().insert(client);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        %method,
        route,
        client = %client.0,
        // Known further in.
        user = Empty,
        tenant = Empty,
    );

    let started = edge.clock.now();
    let active = edge.figures.begin();
    let (request, leftover) = lend(request);
    let mut response = next.run(request).instrument(span.clone()).await;
    leftover.drain(&edge.leftovers);
    drop(active);
    let took = edge.clock.now().saturating_duration_since(started);

    edge.figures.note(&Traffic::new(&method, route, response.status()), took);
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), ?took, "answered"));
    let headers = response.headers_mut();
    headers.insert(request_id::HEADER, id);
    security_headers::add(headers);
    response
}

async fn no_route(uri: Uri) -> Problem {
    Problem::not_found(format!("there is no route {}", uri.path().chars().take(128).collect::<String>()))
}

async fn no_method(request: Request) -> Problem {
    let detail = format!("the route has no method {}; the header Allow lists those that it has", request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
}

#[expect(clippy::needless_pass_by_value, reason = "the layer gives the payload away")]
fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of unknown kind"), "a request panicked");
    Problem::internal().into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::metrics::Metrics;

    #[tokio::test]
    async fn a_panic_is_answered_like_any_other_problem() {
        let metrics = Metrics::new();
        let edge = Arc::new(Edge::new(ClientAddress::default(), Clock::system(), metrics.http.clone()));
        let broken = Router::new().route("/broken", get(|| async { panic!("on purpose") as StatusCode }));
        let request = Request::get("/broken").body(Body::empty()).expect("a good request");
        let Ok(response) = protect(broken, edge).oneshot(request).await;

        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(response.headers().contains_key(request_id::HEADER));
        let text = metrics.to_text().expect("figures can be written");
        let counted = r#"http_route="/broken",http_response_status_code="500"} 1"#;
        assert!(text.contains(counted) && text.contains("http_server_active_requests 0"), "{text}");
    }
}
