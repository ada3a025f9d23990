//! What the service leaves undone when it is loaded, so that orders are still taken.
//!
//! | feature | routes | off from |
//! |---|---|---|
//! | `suggestions` | `/suggestions`, `/suggestions/feedback` | the elevated level on, a load of 0.80 |
//! | `statistics` | `/statistics` | the elevated level on |
//! | `browsing` | the catalogue, the front page | the critical level on, a load above 0.95 |
//!
//! Orders are always taken, and what tells about the service is always told. The load is the highest of three signals: the
//! requests under way, for how long the database's line has not been empty, and what the lever says. A level ends one step at a
//! time, once the load is well below its beginning. The limits that adapt go by the same load.

mod control;
mod features;
mod history;
mod load;
mod routes;

pub(crate) use control::control_routes;
pub(crate) use features::degradable;
pub(crate) use load::{Degradation, follow};
pub(crate) use routes::routes;
