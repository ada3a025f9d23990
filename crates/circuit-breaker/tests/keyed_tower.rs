//! The tower adapter's contract, for one circuit of many.
#![cfg(feature = "tower")]

use std::future::ready;

use seawall_circuit_breaker::{Breakers, CircuitBreakers, Config, HalfOpen, Keyed, State};
use seawall_core::{By, Rejection, Shared};
use seawall_testkit::contract::{Request, Situation, Subject};
use tower::{Layer, Service, ServiceExt, service_fn};

struct OfBreakers;

/// All requests of the contract are of one key.
static KEY: u32 = 7;

type Policy = By<Breakers<u32>, u32, fn(&Request) -> Option<&u32>>;

impl OfBreakers {
    fn make(situation: &Situation) -> CircuitBreakers<u32> {
        let each = Config::empty().consecutive_failures(1_000_000).half_open(HalfOpen::probes(1));
        CircuitBreakers::with_clock(Keyed::new(each).capacity(10), situation.clock.clone()).expect("valid")
    }

    fn by_key(breakers: &CircuitBreakers<u32>) -> Shared<Policy> {
        breakers.by(|_| Some(&KEY))
    }
}

thread_local! {
    /// The breakers behind the policy: the contract asks the policy alone what is in use.
    static MADE: std::cell::RefCell<Option<CircuitBreakers<u32>>> = const { std::cell::RefCell::new(None) };
}

fn remember(breakers: &CircuitBreakers<u32>) -> Shared<Policy> {
    MADE.set(Some(breakers.clone()));
    OfBreakers::by_key(breakers)
}

impl Subject for OfBreakers {
    type Policy = Policy;

    fn admitting(&self, situation: &Situation) -> Shared<Policy> {
        remember(&Self::make(situation))
    }

    fn single(&self, situation: &Situation) -> Shared<Policy> {
        let breakers = Self::make(situation);
        let own = breakers.get_or_insert(&KEY).expect("room");
        own.trip();
        own.half_open().expect("it is open");
        remember(&breakers)
    }

    fn refusing(&self, situation: &Situation) -> Shared<Policy> {
        let breakers = Self::make(situation);
        breakers.get_or_insert(&KEY).expect("room").force_open();
        remember(&breakers)
    }

    fn in_use(&self, _: &Policy) -> usize {
        MADE.with_borrow(|made| {
            let own = made.as_ref()?.get(&KEY)?;
            let snapshot = own.snapshot();
            let left = snapshot.probes_left.filter(|_| snapshot.state == State::HalfOpen)?;
            Some(1 - usize::try_from(left).expect("one probe at most"))
        })
        .unwrap_or(0)
    }
}

#[global_allocator]
static ALLOCATOR: seawall_testkit::alloc::CountingAllocator = seawall_testkit::alloc::CountingAllocator;

seawall_testkit::tower_contract!(@mode wait, Wait, OfBreakers, cost::a_call_on_a_clone_of_its_own_does_not_allocate);

/// All of the contract but that a refusal does not ask the inner service: which key a request has is known in the call only.
mod shed {
    use super::OfBreakers;

    seawall_testkit::tower_contract!(@checks Shed, OfBreakers,
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

struct Delivery {
    host: Option<String>,
    arrives: bool,
}

fn to(host: Option<&str>, arrives: bool) -> Delivery {
    Delivery { host: host.map(str::to_owned), arrives }
}

#[test]
fn each_request_is_a_call_of_its_own_key() {
    let hosts = CircuitBreakers::<String>::new(Keyed::new(Config::empty().consecutive_failures(2))).expect("valid");
    let layer = hosts.by(|delivery: &Delivery| delivery.host.as_deref()).layer();
    let inner = service_fn(|delivery: Delivery| ready(if delivery.arrives { Ok(200) } else { Err(Failed::Itself) }));
    let mut service = layer.layer(inner);
    let mut deliver = |delivery| smol::block_on(async { service.ready().await?.call(delivery).await });
    for _ in 0..2 {
        assert_eq!(deliver(to(Some("broken"), false)), Err(Failed::Itself));
    }
    assert!(matches!(deliver(to(Some("broken"), true)), Err(Failed::Refused(_))));
    assert_eq!(deliver(to(Some("healthy"), true)), Ok(200));
    // No key: no circuit.
    for _ in 0..3 {
        assert_eq!(deliver(to(None, false)), Err(Failed::Itself));
    }
    assert_eq!(hosts.len(), 2);
}

#[derive(Clone, Debug, PartialEq)]
enum Failed {
    Itself,
    Refused(Rejection),
}

impl From<Rejection> for Failed {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}
