//! What keeps calls from dependencies that fail: one circuit breaker and one time limit for each.

mod preset;
mod routes;

pub use preset::Preset;
pub(crate) use preset::named;
pub(crate) use routes::routes;
