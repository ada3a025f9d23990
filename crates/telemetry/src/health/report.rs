use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Check, Status};

/// What a service says about itself: its checks, and the one status that follows from them.
///
/// Serialises as the body of an `application/health+json` response; a component with several checks of the same
/// measurement (one per instance) has them as a list, in the order in which they were added.
///
/// # Examples
///
/// ```
/// use seawall_telemetry::health::{Check, Report, Status};
///
/// let report = Report::new()
///     .service("order-service")
///     .version("1")
///     .check(Check::new("database", "connections", Status::Pass).component_id("primary"))
///     .check(Check::new("database", "connections", Status::Fail).component_id("replica"));
///
/// let body = serde_json::to_value(&report)?;
/// assert_eq!(body["status"], "fail");
/// assert_eq!(body["checks"]["database:connections"][1]["componentId"], "replica");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Report {
    service: Option<String>,
    version: Option<String>,
    release: Option<String>,
    description: Option<String>,
    notes: Vec<String>,
    checks: BTreeMap<String, Vec<Check>>,
}

impl Report {
    /// A report without checks, which passes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who reports: `serviceId`.
    pub fn service(mut self, id: impl Into<String>) -> Self {
        self.service = Some(id.into());
        self
    }

    /// The public version of the service's interface: `version`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Which build answers: `releaseId`.
    pub fn release(mut self, id: impl Into<String>) -> Self {
        self.release = Some(id.into());
        self
    }

    /// What the service is, for a person.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// One more remark on the present state, for a person.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// One more check.
    pub fn check(mut self, check: Check) -> Self {
        self.checks.entry(check.key()).or_default().push(check);
        self
    }

    /// The checks, ordered by their keys.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.values().flatten()
    }

    /// The worst that any check means for the service; `pass` without checks.
    pub fn status(&self) -> Status {
        self.checks().map(Check::contribution).max().unwrap_or(Status::Pass)
    }

    /// The status code of the HTTP response that carries this report.
    pub fn http_status(&self) -> u16 {
        self.status().http_status()
    }
}

impl Extend<Check> for Report {
    fn extend<I: IntoIterator<Item = Check>>(&mut self, checks: I) {
        for check in checks {
            self.checks.entry(check.key()).or_default().push(check);
        }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(None)?;
        body.serialize_entry("status", &self.status())?;
        let texts = [
            ("serviceId", &self.service),
            ("version", &self.version),
            ("releaseId", &self.release),
            ("description", &self.description),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                body.serialize_entry(key, text)?;
            }
        }
        if !self.notes.is_empty() {
            body.serialize_entry("notes", &self.notes)?;
        }
        if !self.checks.is_empty() {
            body.serialize_entry("checks", &self.checks)?;
        }
        body.end()
    }
}
