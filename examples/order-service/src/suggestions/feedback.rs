//! What customers say of suggestions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody says of a product that was suggested.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Feedback {
    /// Which product.
    #[schema(example = "coffee-1")]
    pub(super) product_id: String,
    /// Whether it was a good suggestion.
    pub(super) useful: bool,
}
