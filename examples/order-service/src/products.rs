//! The catalogue: what can be ordered.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::bulkheads::{Purpose, Waits};
use crate::database::{Database, Row, Statement};
use crate::http::{Problem, id_in_path};
use crate::orders::{Amount, amount};

/// Something that can be ordered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Product {
    #[schema(example = "coffee-1")]
    pub(crate) id: String,
    #[schema(example = "Espresso")]
    name: String,
    price: Amount,
}

#[cfg(test)]
impl Product {
    pub(crate) fn new(id: &str, name: &str, price: Amount) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), price }
    }
}

/// The products in the database.
#[derive(Clone, Debug)]
pub(crate) struct ProductStore {
    database: Database,
}

impl ProductStore {
    /// The products in `database`.
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// The whole catalogue, by id.
    pub(crate) async fn all(&self) -> Result<Vec<Product>, sqlx::Error> {
        self.database.rows(Statement::new("SELECT id, name, price FROM products ORDER BY id"), product).await
    }

    async fn find(&self, id: &str) -> Result<Option<Product>, sqlx::Error> {
        let statement = Statement::new("SELECT id, name, price FROM products WHERE id = $1");
        self.database.row(statement.bind(id), product).await
    }
}

fn product(row: &Row<'_>) -> Result<Product, sqlx::Error> {
    Ok(Product { id: row.text("id")?, name: row.text("name")?, price: amount(row, "price")? })
}

/// All routes to products.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// List the catalogue.
#[utoipa::path(
    get,
    path = "/products",
    tag = "products",
    responses(
        (status = 200, description = "Every product", body = Vec<Product>),
        (status = 503, description = "Cannot be read now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list(State(app): State<Arc<App>>, Waits(deadline): Waits) -> Result<Json<Vec<Product>>, Problem> {
    Ok(Json(app.products.read(Purpose::Showing.claim(deadline), ProductStore::all).await?))
}

/// Show one product.
#[utoipa::path(
    get,
    path = "/products/{id}",
    tag = "products",
    params(("id" = String, Path, description = "The product's id", example = "coffee-1")),
    responses(
        (status = 200, description = "The product", body = Product),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Cannot be read now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(app): State<Arc<App>>,
    Waits(deadline): Waits,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Product>, Problem> {
    let id = id_in_path(path)?;
    let found = app.products.read(Purpose::Showing.claim(deadline), |products| products.find(&id)).await?;
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no product {id}")))
}
