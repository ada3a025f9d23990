//! What else a customer may like: counted from what was ordered lately, and corrected by what customers say.

mod feedback;
mod model;
mod query;
mod routes;
mod shelf;
mod store;

pub(crate) use routes::routes;
pub(crate) use shelf::Suggestions;
pub(crate) use store::SuggestionStore;
