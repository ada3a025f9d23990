//! The contract of the tower adapter, as checks that run for every pattern.
//!
//! A pattern's crate says in a [`Subject`] how to make its policy in three situations; [`tower_contract!`] turns the
//! checks into one test for each check and mode. In a pattern's `tests/tower_contract.rs`:
//!
//! ```
//! # mod pattern {
//! #     use seawall_core::{Admits, Ask, Ending, Kind, Name, Policy, Rejection, Shared, time::{Clock, Now}};
//! #     pub struct Door { pub most: usize }
//! #     impl Door {
//! #         pub fn new(most: usize) -> Shared<Self> { Shared::from_policy(Self { most }) }
//! #         pub fn running(&self) -> usize { 0 }
//! #     }
//! #     impl Policy for Door {
//! #         type Token = ();
//! #         type Place = std::convert::Infallible;
//! #         type Refusal = Rejection;
//! #         fn clock(&self) -> Option<&Clock> { None }
//! #         fn settle(&self, _: (), _: Ending<'_>, _: &Now<'_>) {}
//! #     }
//! #     impl<Call: ?Sized> Admits<Call> for Door {
//! #         fn try_admit(&self, _: &Ask<'_, Call>) -> Result<(), Rejection> { Ok(()) }
//! #     }
//! # }
//! # use pattern::Door;
//! use seawall_core::Shared;
//! use seawall_testkit::contract::{Situation, Subject};
//!
//! struct OfDoor;
//!
//! impl Subject for OfDoor {
//!     type Policy = Door;
//!
//!     fn admitting(&self, _: &Situation) -> Shared<Door> {
//!         Door::new(64)
//!     }
//!
//!     fn single(&self, _: &Situation) -> Shared<Door> {
//!         Door::new(1)
//!     }
//!
//!     fn refusing(&self, _: &Situation) -> Shared<Door> {
//!         Door::new(0)
//!     }
//!
//!     fn in_use(&self, door: &Door) -> usize {
//!         door.running()
//!     }
//! }
//!
//! seawall_testkit::tower_contract!(OfDoor);
//! # fn main() {}
//! ```
//!
//! | checked | by |
//! |---|---|
//! | services of one layer, and their clones, share one state; a clone has neither reservation nor readiness | [`sharing`] |
//! | a refusal is the response's error, at once, even while the inner service is pending; ready clones hoard nothing | [`refusal`] |
//! | the inner service is called only after its own readiness, in any interleaving | [`readiness`] |
//! | a drop at any point and a panic anywhere release what was taken | [`release`] |
//! | no allocation per call | [`cost`] |
//! | errors as they are, boxed, or answered with a response; one hook ends a call and may edit its response | [`answers`] |
//! | `Send` and `Sync` follow the inner service | [`threads`] |
//! | all of it over and under tower's own layers | [`stacks`] |
//!
//! Every check ends [at rest](Case::assert_at_rest): no call open, no place held, tower's contract towards the inner
//! service kept.
//!
//! [`tower_contract!`]: crate::tower_contract

pub mod answers;
mod case;
pub mod cost;
mod door;
pub mod readiness;
pub mod refusal;
pub mod release;
pub mod sharing;
pub mod stacks;
pub mod threads;

pub use case::{Case, Situation, Subject};
pub use door::{Backpressure, Door, Ends, Inner, Mode, Shed, Wait};

/// What the checks send through the layers, and get back.
pub type Request = u32;

/// Makes the contract's checks the tests of the file it stands in, for a unit struct that is a
/// [`Subject`](crate::contract::Subject).
///
/// `tower_contract!(OfBreaker)` is for policies that ask nothing of the call; `tower_contract!(OfLimits, keyed)` leaves
/// out the backpressure mode, which has no call to ask about. It installs the counting allocator.
#[macro_export]
macro_rules! tower_contract {
    ($subject:ident) => {
        $crate::tower_contract!($subject, keyed);
        $crate::tower_contract!(@mode backpressure, Backpressure, $subject, cost::a_call_on_a_clone_of_its_own_does_not_allocate);
    };
    ($subject:ident, keyed) => {
        #[global_allocator]
        static ALLOCATOR: $crate::alloc::CountingAllocator = $crate::alloc::CountingAllocator;

        $crate::tower_contract!(@mode shed, Shed, $subject, cost::a_call_on_a_clone_of_its_own_does_not_allocate);
        $crate::tower_contract!(@mode wait, Wait, $subject, cost::a_call_on_a_clone_of_its_own_does_not_allocate);
    };
    (@mode $module:ident, $door:ident, $subject:ident $(, $room:ident::$check:ident)*) => {
        mod $module {
            use super::$subject;

            #[test]
            #[expect(clippy::assertions_on_constants, reason = "which constant it is depends on the type")]
            fn services_and_responses_change_threads_where_the_inner_ones_do() {
                use $crate::contract::threads::{Local, Protected, Response, Stays as _, Threads};
                use $crate::contract::{$door, Subject};
                use $crate::service::ControlledService;

                type Policy = $crate::watch::Watched<<$subject as Subject>::Policy>;
                type Service<T> = Protected<$door, Policy, T>;
                type Call<T> = Response<$door, Policy, T>;

                assert!(Threads::<Service<ControlledService>>::IS_SEND, "a service may be sent");
                assert!(Threads::<Service<ControlledService>>::IS_SYNC, "a service may be shared");
                assert!(Threads::<Call<ControlledService>>::IS_SEND, "a response may be sent");
                assert!(Threads::<Call<ControlledService>>::IS_SYNC, "a response may be shared");
                assert!(!Threads::<Service<Local>>::IS_SEND && !Threads::<Service<Local>>::IS_SYNC);
                assert!(!Threads::<Call<Local>>::IS_SEND && !Threads::<Call<Local>>::IS_SYNC);
            }

            $crate::tower_contract!(@checks $door, $subject,
                sharing::state_is_shared,
                sharing::clones_start_without_readiness,
                sharing::clones_start_without_reservation,
                refusal::refusals_are_the_responses_errors,
                refusal::refusals_do_not_ask_the_inner_service,
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
                answers::errors_may_be_boxed,
                answers::a_refusal_may_be_a_response,
                answers::the_end_of_a_call_sees_the_token_and_edits_the_response,
                answers::a_panic_at_the_end_of_a_call_releases,
                stacks::works_over_a_concurrency_limit,
                stacks::works_over_a_buffer,
                stacks::works_inside_a_buffer,
                stacks::works_under_load_shed,
                stacks::works_under_a_balancer,
                $($room::$check,)*
            );
        }
    };
    (@checks $door:ident, $subject:ident, $($room:ident::$check:ident),* $(,)?) => {
        $(
            #[test]
            fn $check() {
                $crate::contract::$room::$check::<_, $crate::contract::$door>(&$subject);
            }
        )*
    };
}
