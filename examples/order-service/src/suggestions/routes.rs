//! The routes to suggestions.

use std::sync::Arc;

use axum::Json as JsonBody;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::feedback::Feedback;
use super::model::Suggestion;
use super::query::Query;
use crate::app::App;
use crate::bulkheads::Waits;
use crate::clock::WallTime;
use crate::http::{Json, Problem, Violation};
use crate::orders::{ID_RULE, is_id};

/// What somebody may like.
#[derive(Debug, Serialize, ToSchema)]
struct List {
    /// The best first.
    suggestions: Vec<Suggestion>,
    /// When the orders were read that it is made of.
    as_of: WallTime,
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(suggest)).routes(routes!(learn))
}

/// Suggest products.
///
/// Those that were bought together most often in the latest 256 orders, with `product` or with what `customer` has bought in
/// them; then those that are bought most. What customers say of suggestions counts like so many orders.
#[utoipa::path(
    get,
    path = "/suggestions",
    tag = "products",
    params(
        ("product" = Option<String>, Query, description = "What goes with this product"),
        ("customer" = Option<String>, Query, description = "What goes with what this customer has bought"),
        ("limit" = Option<u32>, Query, description = "1 to 20, 3 if not given", minimum = 1, maximum = 20),
    ),
    responses(
        (status = 200, description = "Suggestions", body = List),
        (status = 400, description = "Bad parameters", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Cannot be made now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn suggest(
    State(app): State<Arc<App>>,
    Waits(deadline): Waits,
    RawQuery(query): RawQuery,
) -> Result<JsonBody<List>, Problem> {
    let Query { wish, limit } = Query::parse(query.as_deref())?;
    let model = app.suggestions.model(deadline).await?;
    if let Some(id) = wish.product.as_deref().filter(|id| !model.has(id)) {
        return Err(Problem::not_found(format!("there is no product {id}")));
    }
    Ok(JsonBody(List { suggestions: model.suggest(&wish, limit), as_of: model.as_of }))
}

/// Say whether a suggestion was a good one.
#[utoipa::path(
    post,
    path = "/suggestions/feedback",
    tag = "products",
    request_body(content = Feedback, example = json!({"product_id": "coffee-1", "useful": true})),
    responses(
        (status = 200, description = "Counted", body = Feedback),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields at fault", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Cannot be stored now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn learn(
    State(app): State<Arc<App>>,
    Waits(deadline): Waits,
    Json(feedback): Json<Feedback>,
) -> Result<JsonBody<Feedback>, Problem> {
    let fault = |rule| Problem::invalid_body(vec![Violation::new("product_id", rule).value(&feedback.product_id)]);
    if !is_id(&feedback.product_id) {
        return Err(fault(ID_RULE));
    }
    if app.suggestions.learn(&feedback, deadline).await? {
        Ok(JsonBody(feedback))
    } else {
        Err(fault("must be the id of a product"))
    }
}
