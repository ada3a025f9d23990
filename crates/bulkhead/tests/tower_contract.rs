//! The tower adapter's contract, for the bulkhead.
#![cfg(all(feature = "tower", not(seawall_loom)))]

use seawall_bulkhead::{Bulkhead, Compartment, Config};
use seawall_core::Shared;
use seawall_testkit::contract::{Situation, Subject};

struct OfBulkhead;

impl OfBulkhead {
    fn make(situation: &Situation, config: Config) -> Bulkhead {
        Bulkhead::with_clock(config, situation.clock.clone()).expect("a valid configuration")
    }
}

impl Subject for OfBulkhead {
    type Policy = Compartment;

    fn admitting(&self, situation: &Situation) -> Shared<Compartment> {
        Self::make(situation, Config::new(64))
    }

    fn single(&self, situation: &Situation) -> Shared<Compartment> {
        Self::make(situation, Config::new(1).queue(8))
    }

    /// One whose only permit is held for ever.
    fn refusing(&self, situation: &Situation) -> Shared<Compartment> {
        let bulkhead = Self::make(situation, Config::new(1));
        std::mem::forget(bulkhead.try_admit().expect("it is free"));
        bulkhead
    }

    fn in_use(&self, bulkhead: &Compartment) -> usize {
        // Of the one that refuses, the permit that is held for ever is no call.
        let refuses = bulkhead.limit() == 1 && bulkhead.snapshot().queue == 0;
        usize::try_from(bulkhead.in_flight() - u32::from(refuses)).expect("few")
    }
}

seawall_testkit::tower_contract!(OfBulkhead);
