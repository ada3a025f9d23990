//! The tower adapter's contract, for shares of one limit.
#![cfg(feature = "tower")]

use seawall_bulkhead::PartitionedBulkhead;
use seawall_bulkhead::partitions::{Config, Partitions};
use seawall_core::{By, Shared};
use seawall_testkit::contract::{Request, Situation, Subject};

struct OfPartitions;

type Divided = By<Partitions, str, fn(&Request) -> Option<&str>>;

impl OfPartitions {
    fn make(situation: &Situation, limit: u32) -> Shared<Divided> {
        let config = Config::new(limit).partition("all", 1.0).queue(1_000);
        let bulkhead = PartitionedBulkhead::with_clock(config, situation.clock.clone()).expect("valid");
        bulkhead.by((|_: &Request| Some("all")) as fn(&Request) -> Option<&str>)
    }
}

impl Subject for OfPartitions {
    type Policy = Divided;

    fn admitting(&self, situation: &Situation) -> Shared<Divided> {
        Self::make(situation, 1_000)
    }

    fn single(&self, situation: &Situation) -> Shared<Divided> {
        Self::make(situation, 1)
    }

    fn refusing(&self, situation: &Situation) -> Shared<Divided> {
        let config = Config::new(1).partition("all", 1.0);
        let bulkhead = PartitionedBulkhead::with_clock(config, situation.clock.clone()).expect("valid");
        bulkhead.by((|_: &Request| Some("another")) as fn(&Request) -> Option<&str>)
    }

    fn in_use(&self, policy: &Divided) -> usize {
        policy.policy().in_flight() as usize
    }
}

#[global_allocator]
static ALLOCATOR: seawall_testkit::alloc::CountingAllocator = seawall_testkit::alloc::CountingAllocator;

seawall_testkit::tower_contract!(@mode wait, Wait, OfPartitions, cost::a_call_on_a_clone_of_its_own_does_not_allocate);

/// All of the contract but that a refusal does not ask the inner service: of which
/// partition a request is, is known in the call only.
mod shed {
    use super::OfPartitions;

    seawall_testkit::tower_contract!(@checks Shed, OfPartitions,
        sharing::state_is_shared,
        sharing::clones_start_without_readiness,
        sharing::clones_start_without_reservation,
        refusal::refusals_are_the_responses_errors,
        refusal::ready_clones_hoard_nothing,
        refusal::a_refusal_seen_ahead_holds_for_one_call,
        refusal::a_failure_is_the_inner_services_own,
        readiness::the_inner_service_is_waited_for_without_busy_polls,
        readiness::a_readiness_error_reaches_the_caller,
        readiness::only_capacity_is_held_while_the_inner_service_is_pending,
        readiness::every_interleaving_keeps_the_inner_services_contract,
        release::a_drop_at_every_poll_releases,
        release::a_ready_service_that_is_dropped_releases,
        release::a_response_that_is_never_polled_releases,
        release::a_response_that_is_over_holds_nothing,
        release::a_response_may_outlive_its_service,
        release::a_panic_in_readiness_releases,
        release::a_panic_in_call_releases,
        release::a_panic_in_the_response_releases,
        cost::an_admitted_call_does_not_allocate,
        cost::a_refused_call_does_not_allocate,
        cost::a_call_on_a_clone_of_its_own_does_not_allocate,
        answers::errors_may_be_boxed,
        answers::a_refusal_may_be_a_response,
        answers::the_end_of_a_call_sees_the_token_and_edits_the_response,
        answers::a_panic_at_the_end_of_a_call_releases,
        stacks::works_over_a_concurrency_limit,
        stacks::works_over_a_buffer,
        stacks::works_inside_a_buffer,
        stacks::works_under_load_shed,
        stacks::works_under_a_balancer,
    );
}
