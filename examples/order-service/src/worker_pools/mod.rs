//! Who processes orders once they are stored: two pools of workers that grow and shrink, so that orders which matter more have
//! workers of their own, however many others wait.
//!
//! | pool | workers | queue | for orders of priority |
//! |---|---|---|---|
//! | `standard` | 3 to 20 | 1 000 | 1 (low), 2 and 3 (normal); those that are tried again are low, whatever theirs is |
//! | `high-priority` | 2 to 10 | 500 | 4 (high), 5 (critical) |
//!
//! Nothing is kept in a pool alone: an order is in the database before its job is submitted. What a pool refuses, drops or gives
//! back when the service ends is still pending there, and the redrive finds it. An order that a pool has is in hand, and the
//! redrive leaves it alone.

mod control;
mod dead_letters;
mod in_hand;
mod pools;
mod routes;

pub(crate) use control::control_routes;
pub(crate) use in_hand::{Hold, InHand};
pub(crate) use pools::{Entry, NotRun, WorkerPools};
pub(crate) use routes::routes;
