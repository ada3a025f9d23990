//! The tower adapter's contract, for a switch and for a shedder.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use seawall_bulkhead::load::{Config, Feature, FeatureSwitch, Hysteresis, LoadGauge, Shedder, Signal, Switch};
use seawall_bulkhead::{Bulkhead, Config as Limit, Priority};
use seawall_core::time::{BoxFuture, Clock, TimeDriver, Timestamp};
use seawall_core::{Both, Shared, all};
use seawall_testkit::contract::{Situation, Subject};

use crate::support::raw;

/// A gauge that looks at every call.
fn eager(clock: Clock) -> LoadGauge {
    let levels = Hysteresis::default().dwell(std::time::Duration::ZERO);
    LoadGauge::with_clock(raw().interval(std::time::Duration::from_nanos(1)).levels(levels), clock).expect("valid")
}

/// A gauge that is critical for good.
fn critical(situation: &Situation) -> LoadGauge {
    let gauge = LoadGauge::with_clock(Config::default(), situation.clock.clone()).expect("valid");
    gauge.signal(Signal::read("cpu", || 1.0)).expect("the first");
    gauge.sample();
    gauge
}

fn idle(situation: &Situation) -> LoadGauge {
    LoadGauge::with_clock(Config::default(), situation.clock.clone()).expect("valid")
}

/// A clock that moves by being read, so that every call finds the interval over.
struct Ticking(AtomicU64);

impl TimeDriver for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture {
        Box::pin(std::future::pending())
    }
}

struct OfSwitch;

impl OfSwitch {
    fn of(gauge: &LoadGauge) -> FeatureSwitch {
        gauge.feature(Feature::new("suggestions")).expect("the first")
    }
}

impl Subject for OfSwitch {
    type Policy = Switch;

    fn admitting(&self, situation: &Situation) -> FeatureSwitch {
        Self::of(&idle(situation))
    }

    /// The first call that was admitted is all the load there can be.
    fn single(&self, _: &Situation) -> FeatureSwitch {
        let gauge = eager(Clock::custom(Arc::new(Ticking(AtomicU64::new(0)))));
        let own = Arc::new(OnceLock::<LoadGauge>::new());
        let calls = own.clone();
        let load =
            move || calls.get().map_or(0.0, |gauge| f64::from(u8::from(gauge.snapshot().features[0].admitted > 0)));
        gauge.signal(Signal::read("calls", load)).expect("the first");
        let switch = Self::of(&gauge);
        own.set(gauge).expect("once");
        switch
    }

    fn refusing(&self, situation: &Situation) -> FeatureSwitch {
        Self::of(&critical(situation))
    }

    /// A switch keeps no count of calls that run.
    fn in_use(&self, _: &Switch) -> usize {
        0
    }
}

seawall_testkit::tower_contract!(@mode shed, Shed, OfSwitch, cost::a_call_on_a_clone_of_its_own_does_not_allocate);

/// Where calls are asked again before they start, the load that the first one makes would refuse it too.
mod wait {
    use super::OfSwitch;

    seawall_testkit::tower_contract!(@checks Wait, OfSwitch,
        sharing::clones_start_without_readiness,
        refusal::refusals_are_the_responses_errors,
        refusal::refusals_do_not_ask_the_inner_service,
        readiness::the_inner_service_is_waited_for_without_busy_polls,
        readiness::every_interleaving_keeps_the_inner_services_contract,
        cost::an_admitted_call_does_not_allocate,
        cost::a_refused_call_does_not_allocate,
    );
}

/// A switch, a shedder and a bulkhead as one policy.
mod together {
    use super::*;

    type Members = Both<FeatureSwitch, Both<Shared<Low>, Bulkhead>>;

    thread_local! {
        /// The bulkhead of the check that this thread runs.
        static BULKHEAD: RefCell<Option<Bulkhead>> = const { RefCell::new(None) };
    }

    struct OfMembers;

    impl OfMembers {
        fn of(gauge: &LoadGauge, limit: Limit) -> Shared<Members> {
            let bulkhead = Bulkhead::with_clock(limit, gauge.clock().clone()).expect("valid");
            BULKHEAD.set(Some(bulkhead.clone()));
            all((OfSwitch::of(gauge), low(gauge), bulkhead))
        }
    }

    impl Subject for OfMembers {
        type Policy = Members;

        fn admitting(&self, situation: &Situation) -> Shared<Members> {
            Self::of(&idle(situation), Limit::new(64))
        }

        fn single(&self, situation: &Situation) -> Shared<Members> {
            Self::of(&idle(situation), Limit::new(1).queue(8))
        }

        fn refusing(&self, situation: &Situation) -> Shared<Members> {
            Self::of(&critical(situation), Limit::new(1))
        }

        fn in_use(&self, _: &Members) -> usize {
            BULKHEAD.with_borrow(|bulkhead| bulkhead.as_ref().expect("made").in_flight() as usize)
        }
    }

    seawall_testkit::tower_contract!(@mode shed, Shed, OfMembers);
    seawall_testkit::tower_contract!(@mode wait, Wait, OfMembers);
}

type Request = u32;
type Low = Shedder<fn(&Request) -> Priority>;

fn low(gauge: &LoadGauge) -> Shared<Low> {
    let low: fn(&Request) -> Priority = |_| Priority::Low;
    Shedder::by(gauge, low)
}

/// A shedder cannot know ahead whom it will refuse, so it lets the inner service be asked.
mod shedder {
    use super::*;

    struct OfShedder;

    impl Subject for OfShedder {
        type Policy = Low;

        fn admitting(&self, situation: &Situation) -> Shared<Low> {
            low(&idle(situation))
        }

        /// The first call that was admitted is all the load there can be.
        fn single(&self, _: &Situation) -> Shared<Low> {
            let gauge = eager(Clock::custom(Arc::new(Ticking(AtomicU64::new(0)))));
            let shedder = low(&gauge);
            let own = Arc::new(OnceLock::<Shared<Low>>::new());
            let calls = own.clone();
            let load =
                move || calls.get().map_or(0.0, |shedder| f64::from(u8::from(shedder.snapshot().admitted[0] > 0)));
            gauge.signal(Signal::read("calls", load)).expect("the first");
            own.set(shedder.clone()).expect("once");
            shedder
        }

        fn refusing(&self, situation: &Situation) -> Shared<Low> {
            low(&critical(situation))
        }

        fn in_use(&self, _: &Low) -> usize {
            0
        }
    }

    seawall_testkit::tower_contract!(@checks Shed, OfShedder,
        sharing::state_is_shared,
        sharing::clones_start_without_readiness,
        refusal::refusals_are_the_responses_errors,
        refusal::ready_clones_hoard_nothing,
        refusal::a_failure_is_the_inner_services_own,
        readiness::every_interleaving_keeps_the_inner_services_contract,
        release::a_drop_at_every_poll_releases,
        release::a_ready_service_that_is_dropped_releases,
        release::a_panic_in_call_releases,
        release::a_panic_in_the_response_releases,
        cost::an_admitted_call_does_not_allocate,
        cost::a_refused_call_does_not_allocate,
        cost::a_call_on_a_clone_of_its_own_does_not_allocate,
    );
}

/// Between the admission of a call and its start, while the service behind is not ready.
mod meanwhile {
    use std::task::Poll;

    use seawall_core::Admits;
    use seawall_testkit::contract::{Door, Wait};
    use seawall_testkit::drive::{make_ready, poll};
    use seawall_testkit::service::{CallError, Ready, controlled};
    use tower::Service;

    use super::*;
    use crate::support::Pushed;

    /// The reason why a call is refused that was admitted before the load came.
    fn refused<P: Admits<Request> + 'static>(it: &Pushed, policy: &Shared<P>) -> Option<&'static str> {
        let (inner, control) = controlled();
        control.ready(Ready::NotYet);
        let mut service = Wait::protect(policy, inner);
        make_ready(&mut service);
        let mut call = Box::pin(service.call(1));
        assert!(poll(call.as_mut()).is_pending());
        it.gauge.push("cpu", 1.0).expect("a load");
        it.gauge.sample();
        control.ready(Ready::Yes);
        match poll(call.as_mut()) {
            Poll::Ready(Err(CallError::Rejected(rejection))) => Some(rejection.reason()),
            _ => None,
        }
    }

    #[test]
    fn a_call_does_not_start_once_its_feature_is_off() {
        let it = Pushed::new(raw());
        assert_eq!(refused(&it, &OfSwitch::of(&it.gauge)), Some("switched_off"));
        let seen = &it.gauge.snapshot().features[0];
        assert_eq!((seen.admitted, seen.refused), (1, 1));
    }

    #[test]
    fn a_call_does_not_start_once_its_priority_is_shed() {
        let it = Pushed::new(raw());
        let shedder = low(&it.gauge);
        assert_eq!(refused(&it, &shedder), Some("shed"));
        let seen = shedder.snapshot();
        assert_eq!((seen.admitted[0], seen.shed[0]), (1, 1));
    }
}
