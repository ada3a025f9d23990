//! Orders as callers send them: shaped right, not yet known to make sense.

use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::amount::Amount;
use crate::http::Object;

/// An order to be placed.
///
/// Numbers are kept as they were written, so that money is read exactly and a wrong number is reported beside all the
/// other mistakes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrder)]
pub(crate) struct Draft {
    /// The caller's own, unique id: 1 to 64 letters, digits, `.`, `_`, `:` or `-`, beginning with a letter or digit.
    #[schema(example = "order-123", max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
    pub(crate) id: String,
    /// Who orders; written like `id`.
    #[schema(example = "customer-456", max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
    pub(crate) customer_id: String,
    /// What is ordered: 1 to 500 lines.
    #[schema(value_type = Vec<DraftItem>, min_items = 1, max_items = 500)]
    pub(crate) items: Vec<Object<DraftItem>>,
    /// Must be the sum over the items of quantity times price.
    #[schema(value_type = Amount, example = 9.00)]
    pub(crate) total: Box<RawValue>,
    /// From 1 to 5, the most urgent.
    #[schema(value_type = u8, minimum = 1, maximum = 5, example = 3)]
    pub(crate) priority: Box<RawValue>,
}

/// One line of an order to be placed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewItem)]
pub(crate) struct DraftItem {
    /// Written like the order's `id`.
    #[schema(example = "coffee-1", max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
    pub(crate) product_id: String,
    /// 1 to 200 characters, no control characters.
    #[schema(example = "Espresso", min_length = 1, max_length = 200)]
    pub(crate) name: String,
    /// How many: 1 to 10 000.
    #[schema(value_type = u32, minimum = 1, maximum = 10_000, example = 2)]
    pub(crate) quantity: Box<RawValue>,
    /// Of one: 0.00 to 1000000.00.
    #[schema(value_type = Amount)]
    pub(crate) price: Box<RawValue>,
}
