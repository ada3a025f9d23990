//! The tower adapter's contract for a scarce policy that lets calls wait.

#[path = "support/slots.rs"]
mod slots;

use seawall_core::Shared;
use seawall_testkit::contract::{Situation, Subject};
use slots::Slots;

struct OfSlots;

impl Subject for OfSlots {
    type Policy = Slots;

    fn admitting(&self, situation: &Situation) -> Shared<Slots> {
        Shared::from_policy(Slots::new(&situation.clock, 64, 8))
    }

    fn single(&self, situation: &Situation) -> Shared<Slots> {
        Shared::from_policy(Slots::new(&situation.clock, 1, 8))
    }

    fn refusing(&self, situation: &Situation) -> Shared<Slots> {
        Shared::from_policy(Slots::new(&situation.clock, 0, 0))
    }

    fn in_use(&self, slots: &Slots) -> usize {
        slots.taken() as usize
    }
}

seawall_testkit::tower_contract!(OfSlots);
