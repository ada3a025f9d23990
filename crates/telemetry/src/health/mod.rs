//! The vocabulary of health: what a service says about itself at `/health`, in the shape of `application/health+json`
//! (draft-inadarei-api-health-check).
//!
//! Values only: nothing here runs a check, waits or reads a clock. A handler makes a [`Report`] of the [`Check`]s it
//! knows, answers with [`Report::http_status`] and [`CONTENT_TYPE`], and serialises the report as the body.
//!
//! # How checks become one status
//!
//! | criticality | its check warns | its check fails |
//! |---|---|---|
//! | [`Critical`](Criticality::Critical): no request can be served without it | warn | fail |
//! | [`Degrading`](Criticality::Degrading): a fallback stands in for it | warn | warn |
//! | [`Informative`](Criticality::Informative): told to people, decides nothing | pass | pass |
//!
//! The report's status is the worst of these, and `pass` when there is no check.
//!
//! # Examples
//!
//! ```
//! use seawall_telemetry::health::{Check, Criticality, Report, Status};
//!
//! let report = Report::new()
//!     .service("order-service")
//!     .check(Check::new("database", "connections", Status::Pass).observed(7, "connections"))
//!     .check(
//!         Check::new("payment", "state", Status::Fail)
//!             .criticality(Criticality::Degrading)
//!             .output("circuit open for 12 s more")
//!             .affects("/orders"),
//!     );
//!
//! assert_eq!(report.status(), Status::Warn); // orders are still accepted, their payment is pending
//! assert_eq!(report.http_status(), 200);
//! ```

mod check;
mod report;
mod status;

pub use check::{Check, Criticality, Observed};
pub use report::Report;
pub use status::{Status, UnknownStatus};

/// The media type of a serialised [`Report`].
pub const CONTENT_TYPE: &str = "application/health+json";
