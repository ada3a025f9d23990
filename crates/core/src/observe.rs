//! What can be seen of a pattern from outside: metrics that are read when asked, and events of rare changes.
//!
//! Counters live inside the handles, so a call pays nothing for being observable: an exporter asks a [`Collect`] for
//! its samples, and `seawall-telemetry` turns any of them into Prometheus and OpenTelemetry.

#[cfg(feature = "serde")]
pub mod seconds;

/// What a metric's value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// What a metric is measured in. Always a base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// A number of things.
    Count,
    /// Seconds.
    Seconds,
    /// A share between 0 and 1.
    Ratio,
}

/// One metric: a static of its pattern.
#[derive(Debug)]
pub struct Metric {
    /// `seawall_<pattern>_<what>`, with the unit's suffix where it has one, without `_total`.
    pub name: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: MetricKind,
    /// Its base unit.
    pub unit: Unit,
}

impl Metric {
    /// A number of things that only grows.
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: MetricKind::Counter, unit: Unit::Count }
    }

    /// A value that goes up and down.
    pub const fn gauge(name: &'static str, help: &'static str, unit: Unit) -> Self {
        Self { name, help, kind: MetricKind::Gauge, unit }
    }
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// An exact number.
    Integer(u64),
    /// A measured quantity.
    Float(f64),
}

/// Takes samples.
pub trait Sink {
    /// One value of `metric`. The labels are few and bounded: the instance's name and closed sets.
    fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value);
}

/// Something with metrics.
pub trait Collect: Send + Sync {
    /// Gives every sample to `sink`. It may take a lock of the pattern for a moment, and is never on a call's path.
    fn collect(&self, sink: &mut dyn Sink);
}

/// Hears of rare changes: a state that changed, a limit that moved. Called after all locks are released.
///
/// Every `Fn(&Event)` is one. A panic of an observer reaches the caller whose call brought the change.
pub trait Observer<Event>: Send + Sync {
    /// `event` has happened.
    fn observe(&self, event: &Event);
}

impl<Event, F> Observer<Event> for F
where
    F: Fn(&Event) + Send + Sync,
{
    fn observe(&self, event: &Event) {
        self(event);
    }
}
