use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Status;

/// How much the service depends on a component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Criticality {
    /// No request can be served without it: its failure is the service's.
    #[default]
    Critical,
    /// Something stands in for it: its failure is a warning.
    Degrading,
    /// Told to people only: it decides nothing.
    Informative,
}

/// What a check measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Observed {
    /// A whole number.
    Integer(i64),
    /// A fraction; written as `null` when it is not finite, as JSON has no such numbers.
    Number(f64),
    /// A word, such as a state.
    Text(String),
}

impl From<i64> for Observed {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for Observed {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u32> for Observed {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Observed {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Observed {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Observed {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// What is known of one component: one entry below `checks` in a [`Report`](super::Report).
///
/// # Examples
///
/// ```
/// use seawall_telemetry::health::{Check, Criticality, Status};
///
/// let check = Check::new("catalogue", "responseTime", Status::Warn)
///     .criticality(Criticality::Degrading)
///     .component_type("component")
///     .observed(420.5, "ms")
///     .output("slower than 250 ms");
/// assert_eq!(check.key(), "catalogue:responseTime");
/// assert_eq!(check.contribution(), Status::Warn);
/// ```
#[derive(Clone, Debug)]
pub struct Check {
    component: String,
    measurement: String,
    status: Status,
    criticality: Criticality,
    component_id: Option<String>,
    component_type: Option<String>,
    observed_value: Option<Observed>,
    observed_unit: Option<String>,
    affected_endpoints: Vec<String>,
    time: Option<String>,
    output: Option<String>,
}

impl Check {
    /// What `component` is like, as its `measurement` (`responseTime`, `utilization`, `connections`, `state`, …) tells;
    /// an empty measurement is left out of the [`key`](Check::key). [`Critical`](Criticality::Critical) unless said
    /// otherwise.
    pub fn new(component: impl Into<String>, measurement: impl Into<String>, status: Status) -> Self {
        Self {
            component: component.into(),
            measurement: measurement.into(),
            status,
            criticality: Criticality::default(),
            component_id: None,
            component_type: None,
            observed_value: None,
            observed_unit: None,
            affected_endpoints: Vec::new(),
            time: None,
            output: None,
        }
    }

    /// How much the service depends on the component.
    pub fn criticality(mut self, criticality: Criticality) -> Self {
        self.criticality = criticality;
        self
    }

    /// Which of several instances of the component this is.
    pub fn component_id(mut self, id: impl Into<String>) -> Self {
        self.component_id = Some(id.into());
        self
    }

    /// What kind of component it is: `component`, `datastore`, `system`, or a URI.
    pub fn component_type(mut self, kind: impl Into<String>) -> Self {
        self.component_type = Some(kind.into());
        self
    }

    /// What was measured, and in which unit; an empty unit is left out.
    pub fn observed(mut self, value: impl Into<Observed>, unit: impl Into<String>) -> Self {
        self.observed_value = Some(value.into());
        self.observed_unit = Some(unit.into()).filter(|unit| !unit.is_empty());
        self
    }

    /// A route that does not work while the component is unhealthy. Left out of a passing check.
    pub fn affects(mut self, endpoint: impl Into<String>) -> Self {
        self.affected_endpoints.push(endpoint.into());
        self
    }

    /// When it was measured, written in RFC 3339 to the millisecond. Left out where that cannot be written: before 1970
    /// and after 9999.
    pub fn time(mut self, at: SystemTime) -> Self {
        const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);
        self.time = at
            .duration_since(UNIX_EPOCH)
            .is_ok_and(|since| since < YEAR_10000)
            .then(|| humantime::format_rfc3339_millis(at).to_string());
        self
    }

    /// What went wrong, for a person. Left out of a passing check.
    pub fn output(mut self, text: impl Into<String>) -> Self {
        self.output = Some(text.into());
        self
    }

    /// The component's own status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Where the check stands in a report: `component:measurement`.
    pub fn key(&self) -> String {
        if self.measurement.is_empty() {
            self.component.clone()
        } else {
            format!("{}:{}", self.component, self.measurement)
        }
    }

    /// What the check means for the service as a whole: see the [table](super#how-checks-become-one-status).
    pub fn contribution(&self) -> Status {
        match self.criticality {
            Criticality::Critical => self.status,
            Criticality::Degrading => self.status.min(Status::Warn),
            Criticality::Informative => Status::Pass,
        }
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("status", &self.status)?;
        entry.serialize_entry("criticality", &self.criticality)?;
        if let Some(id) = &self.component_id {
            entry.serialize_entry("componentId", id)?;
        }
        if let Some(kind) = &self.component_type {
            entry.serialize_entry("componentType", kind)?;
        }
        if let Some(value) = &self.observed_value {
            entry.serialize_entry("observedValue", value)?;
        }
        if let Some(unit) = &self.observed_unit {
            entry.serialize_entry("observedUnit", unit)?;
        }
        if let Some(time) = &self.time {
            entry.serialize_entry("time", time)?;
        }
        if self.status != Status::Pass {
            if !self.affected_endpoints.is_empty() {
                entry.serialize_entry("affectedEndpoints", &self.affected_endpoints)?;
            }
            if let Some(output) = &self.output {
                entry.serialize_entry("output", output)?;
            }
        }
        entry.end()
    }
}
