//! What was ordered, in figures: counted by the database, which is much work.

mod routes;
mod store;

pub(crate) use routes::routes;
pub(crate) use store::StatisticsStore;
