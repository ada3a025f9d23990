//! The description of the service's interface, written from the routes themselves.

use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

#[derive(OpenApi)]
#[openapi(info(
    title = "Order service",
    description = "Takes coffee orders and stays up while what it depends on does not.\n\nAmounts of money are JSON \
                   numbers with at most two decimals, read and written exactly. Every error is a problem document \
                   (RFC 9457) that names the fields at fault."
))]
struct Description;

/// The document as it is sent.
#[derive(Clone)]
struct Document(Arc<str>);

/// Adds a route to the document that describes `routes` and itself.
pub(crate) fn describe(routes: OpenApiRouter<Arc<App>>) -> Router<Arc<App>> {
    let whole = OpenApiRouter::with_openapi(Description::openapi()).merge(routes).routes(routes!(openapi));
    let (served, document) = whole.split_for_parts();
    let text = document.to_json().expect("the description has string keys and finite numbers only");
    served.layer(Extension(Document(text.into())))
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "about",
    responses((status = 200, description = "The OpenAPI description of this listener", content_type = "application/json"))
)]
async fn openapi(Extension(Document(text)): Extension<Document>) -> impl IntoResponse {
    const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];
    (JSON, text.to_string())
}
