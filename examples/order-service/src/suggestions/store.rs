//! What suggestions are made of, in the database.

use std::collections::HashMap;

use super::feedback::Feedback;
use super::model::{Basket, Model, Shown};
use crate::clock::WallTime;
use crate::database::{Database, Row, Statement};
use crate::orders::{Item, items};
use crate::products::ProductStore;

/// How many of the latest orders suggestions are made of: no more are ever held in memory.
const ORDERS: i64 = 256;

/// What suggestions are made of.
#[derive(Clone, Debug)]
pub(crate) struct SuggestionStore {
    database: Database,
    products: ProductStore,
}

impl SuggestionStore {
    /// What is in `database`.
    pub(crate) fn new(database: Database) -> Self {
        Self { products: ProductStore::new(database.clone()), database }
    }

    /// All of it, as it is now.
    pub(super) async fn model(&self) -> Result<Model, sqlx::Error> {
        let as_of = WallTime::now();
        let products = self.products.all().await?;
        let places: HashMap<_, _> = products.iter().enumerate().map(|(at, product)| (product.id.clone(), at)).collect();
        let votes = self.votes().await?;
        let statement =
            Statement::new("SELECT customer_id, items FROM orders ORDER BY created_at DESC, id DESC LIMIT $1");
        let ordered = self.database.rows(statement.bind(ORDERS), ordered).await?;
        let baskets = ordered.into_iter().map(|(customer, items)| {
            // What the catalogue does not have cannot be suggested.
            let mut products: Vec<_> = items.iter().filter_map(|item| places.get(&item.product_id).copied()).collect();
            products.sort_unstable();
            products.dedup();
            Basket { customer, products }
        });
        let baskets = baskets.collect();
        let shown = |product: crate::products::Product| {
            let votes = votes.get(&product.id).copied().unwrap_or_default();
            Shown { product, votes }
        };
        Ok(Model { products: products.into_iter().map(shown).collect(), baskets, as_of })
    }

    async fn votes(&self) -> Result<HashMap<String, i64>, sqlx::Error> {
        let statement = Statement::new("SELECT product_id, useful - useless AS votes FROM suggestion_feedback");
        let votes = self.database.rows(statement, |row| Ok((row.text("product_id")?, row.integer("votes")?))).await?;
        Ok(votes.into_iter().collect())
    }

    /// Counts what somebody says. `false` if there is no such product.
    pub(super) async fn count(&self, feedback: &Feedback) -> Result<bool, sqlx::Error> {
        let statement = Statement::new(
            "INSERT INTO suggestion_feedback (product_id, useful, useless)
             SELECT id, $1, $2 FROM products WHERE id = $3
             ON CONFLICT (product_id) DO UPDATE SET useful = suggestion_feedback.useful + excluded.useful,
                                                    useless = suggestion_feedback.useless + excluded.useless",
        )
        .bind(i64::from(feedback.useful))
        .bind(i64::from(!feedback.useful))
        .bind(&*feedback.product_id);
        Ok(self.database.change(statement).await? == 1)
    }
}

fn ordered(row: &Row<'_>) -> Result<(String, Vec<Item>), sqlx::Error> {
    Ok((row.text("customer_id")?, items(row)?))
}
