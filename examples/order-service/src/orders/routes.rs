//! The routes to orders.

use std::sync::Arc;

use axum::Json as JsonBody;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accept::{Accepted, accept};
use super::draft::Draft;
use super::model::{Order, Receipt};
use super::page::{Cursor, Page, Selection};
use crate::app::App;
use crate::bulkheads::{Purpose, Waits};
use crate::http::{Json, Problem, id_in_path};

/// All routes to orders.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(place, list)).routes(routes!(show))
}

/// Place an order.
///
/// The order is stored first, then what it needs is set aside, then it is paid. When a provider is down the order is accepted all
/// the same, its payment pending, and is paid as soon as the provider works again. Where that takes longer than a moment, because
/// workers are busy or a provider is slow, the order is accepted and goes on without its caller, who finds it at `status_url`.
#[utoipa::path(
    post,
    path = "/orders",
    tag = "orders",
    request_body(content = Draft, example = json!({
        "id": "order-123",
        "customer_id": "customer-456",
        "items": [{"product_id": "coffee-1", "name": "Espresso", "quantity": 2, "price": 4.50}],
        "total": 9.00,
        "priority": 3,
    })),
    responses(
        (status = 201, description = "Accepted; `payment` says whether it is paid already", body = Order,
            headers(("Location" = String, description = "Where the order is"))),
        (status = 202, description = "Accepted; its processing is not over, and `status` says how far it is", body = Receipt,
            headers(("Location" = String, description = "Where the order is"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The id is taken, or something is out of stock", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields at fault", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Cannot be stored now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn place(
    State(app): State<Arc<App>>,
    Waits(deadline): Waits,
    Json(draft): Json<Draft>,
) -> Result<Response, Problem> {
    Ok(match accept(&app, draft, deadline).await? {
        Accepted::Processed(order) => {
            (StatusCode::CREATED, [(header::LOCATION, order.path())], JsonBody(order)).into_response()
        }
        Accepted::Unprocessed(receipt) => {
            let location = [(header::LOCATION, receipt.status_url.clone())];
            (StatusCode::ACCEPTED, location, JsonBody(receipt)).into_response()
        }
    })
}

/// List orders, newest first.
#[utoipa::path(
    get,
    path = "/orders",
    tag = "orders",
    params(
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of an earlier page"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 if not given", minimum = 1, maximum = 100),
    ),
    responses(
        (status = 200, description = "A page of orders", body = Page),
        (status = 400, description = "Bad parameters", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Cannot be read now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(app): State<Arc<App>>,
    Waits(deadline): Waits,
    RawQuery(query): RawQuery,
) -> Result<JsonBody<Page>, Problem> {
    let Selection { after, limit } = Selection::from_query(query.as_deref())?;
    // One more than is shown tells whether there is a next page.
    let mut orders =
        app.orders.read(Purpose::Showing.claim(deadline), |orders| orders.newest(after.as_ref(), limit + 1)).await?;
    let shown = limit as usize;
    let next_cursor = if orders.len() > shown {
        orders.truncate(shown);
        orders.last().map(|last| Cursor::after(last).to_string())
    } else {
        None
    };
    Ok(JsonBody(Page { orders, next_cursor }))
}

/// Show one order.
#[utoipa::path(
    get,
    path = "/orders/{id}",
    tag = "orders",
    params(("id" = String, Path, description = "The order's id", example = "order-123")),
    responses(
        (status = 200, description = "The order", body = Order),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Cannot be read now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(app): State<Arc<App>>,
    Waits(deadline): Waits,
    path: Result<Path<String>, PathRejection>,
) -> Result<JsonBody<Order>, Problem> {
    let id = id_in_path(path)?;
    let found = app.orders.read(Purpose::Showing.claim(deadline), |orders| orders.find(&id)).await?;
    found.map(JsonBody).ok_or_else(|| Problem::not_found(format!("there is no order {id}")))
}
