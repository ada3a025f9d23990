//! The tower adapter's contract for a policy that never waits, and whose trials are taken when they start.

#[path = "support/probe.rs"]
mod probe;

use probe::Probe;
use seawall_core::Shared;
use seawall_testkit::contract::{Situation, Subject};

struct OfProbe;

impl Subject for OfProbe {
    type Policy = Probe;

    fn admitting(&self, _situation: &Situation) -> Shared<Probe> {
        Shared::from_policy(Probe::new(64))
    }

    fn single(&self, _situation: &Situation) -> Shared<Probe> {
        Shared::from_policy(Probe::new(1))
    }

    fn refusing(&self, _situation: &Situation) -> Shared<Probe> {
        Shared::from_policy(Probe::new(0))
    }

    fn in_use(&self, probe: &Probe) -> usize {
        probe.running()
    }
}

seawall_testkit::tower_contract!(OfProbe);
