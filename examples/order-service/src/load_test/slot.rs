//! One load test at a time, and how they end.

use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The one place for a load test.
#[derive(Debug)]
pub(crate) struct Slot {
    taken: AtomicBool,
    figures: LoadTestFigures,
}

/// How many load tests there were, and whether one runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoadTestFigures {
    tests: Family<Ended, Counter>,
    running: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

/// A load test that runs. Dropped, however it ends, it leaves its place to the next.
#[derive(Debug)]
pub(super) struct Running<'a> {
    slot: &'a Slot,
    completed: bool,
}

impl Slot {
    pub(super) fn new(figures: LoadTestFigures) -> Self {
        Self { taken: AtomicBool::new(false), figures }
    }

    /// Takes the place, unless another test has it.
    pub(super) fn take(&self) -> Option<Running<'_>> {
        // It guards no memory, so it needs no order with anything else.
        if self.taken.swap(true, Ordering::Relaxed) {
            self.figures.count("refused");
            return None;
        }
        self.figures.running.set(1);
        Some(Running { slot: self, completed: false })
    }
}

impl Running<'_> {
    /// Ends a test whose report is complete.
    pub(super) fn complete(mut self) {
        self.completed = true;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.slot.figures.count(if self.completed { "completed" } else { "broken_off" });
        self.slot.figures.running.set(0);
        self.slot.taken.store(false, Ordering::Relaxed);
    }
}

impl LoadTestFigures {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let figures = Self::default();
        let help = "Load tests by how they ended: completed, broken_off, or refused since another ran";
        registry.register("load_tests", help, figures.tests.clone());
        registry.register("load_test_running", "Whether a load test runs", figures.running.clone());
        figures
    }

    fn count(&self, outcome: &'static str) {
        self.tests.get_or_create(&Ended { outcome }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_place_and_whoever_leaves_it_leaves_it_to_the_next() {
        let slot = Slot::new(LoadTestFigures::default());
        let count = |outcome| slot.figures.tests.get_or_create(&Ended { outcome }).get();
        let first = slot.take().expect("nobody has it");
        assert_eq!((slot.take().is_none(), slot.figures.running.get()), (true, 1));
        first.complete();
        assert_eq!(slot.figures.running.get(), 0);
        drop(slot.take().expect("it is free again"));
        assert!(slot.take().is_some(), "and again, though that test was broken off");
        assert_eq!([count("completed"), count("broken_off"), count("refused")], [1, 2, 1]);
    }
}
