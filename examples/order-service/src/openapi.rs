//! The description of the service's interface, written from the routes themselves.

use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, PathItem, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::{Deadlines, MEDIA_TYPE, Problem, answered};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Order service",
        description = "Takes coffee orders and stays up while what it depends on does not.\n\nAmounts of money are JSON \
                       numbers with at most two decimals, read and written exactly. Every error is a problem document \
                       (RFC 9457) that names the fields at fault."
    ),
    components(schemas(Problem))
)]
struct Description;

/// The document as it is sent.
#[derive(Clone)]
struct Document(Arc<str>);

/// Adds a route to the document that describes `routes`, each of which keeps `deadlines`, and itself.
pub(crate) fn describe(routes: OpenApiRouter<Arc<App>>, deadlines: &Arc<Deadlines>) -> Router<Arc<App>> {
    let own = answered(OpenApiRouter::new().routes(routes!(openapi)), deadlines);
    let whole = OpenApiRouter::with_openapi(Description::openapi()).merge(routes).merge(own);
    let (served, mut document) = whole.split_for_parts();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        may_be_late(operation, deadlines.header());
    }
    let text = document.to_json().expect("the description has string keys and finite numbers only");
    served.layer(Extension(Document(text.into())))
}

/// Everything that can be asked at `path`.
pub(crate) fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, query, .. } = path;
    [get, put, post, delete, options, head, patch, trace, query].into_iter().flatten()
}

/// What comes of the deadline that a request tells.
fn may_be_late(operation: &mut Operation, header: &HeaderName) {
    may_answer(operation, "400", &format!("The header {header} cannot be read"));
    may_answer(operation, "504", "The deadline passed");
    operation.parameters.get_or_insert_default().push(RefOr::T(deadline(header)));
}

fn deadline(header: &HeaderName) -> Parameter {
    ParameterBuilder::new()
        .name(header.as_str())
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("How long the caller waits, in milliseconds, unless the header is `grpc-timeout`"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .example(Some("5000".into()))
        .build()
}

/// Adds an answer, or one more reason for it.
pub(crate) fn may_answer(operation: &mut Operation, status: &str, reason: &str) {
    match operation.responses.responses.get_mut(status) {
        Some(RefOr::T(Response { description, .. })) => *description = format!("{description}. Or: {reason}"),
        Some(RefOr::Ref(_)) => {}
        None => {
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            let response = ResponseBuilder::new().description(reason).content(MEDIA_TYPE, problem);
            operation.responses.responses.insert(status.to_owned(), response.build().into());
        }
    }
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
