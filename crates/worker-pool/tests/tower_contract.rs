//! What every layer of the family keeps to, for the one that runs requests on a pool.
#![cfg(all(feature = "tower", not(seawall_loom)))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use seawall_core::spawn::{Spawn, SpawnError, Spawner, Work};
use seawall_core::time::{BoxFuture, Clock, ManualTime};
use seawall_core::{Priority, Rejection};
use seawall_testkit::alloc::{self, CountingAllocator};
use seawall_testkit::cancel::CancelAtEveryPoll;
use seawall_testkit::drive::{make_ready, poll, poll_ready};
use seawall_testkit::service::{self, Answer, CallError, Control, ControlledService, Ready};
use seawall_worker_pool::tower::{Plain, PoolService, Shed, Wait};
use seawall_worker_pool::{Config, FullPolicy, JobOptions, Pool};
use smol::Executor;
use tower::{Layer, Service};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// One thread, on which workers run when a test says so.
#[derive(Debug, Default)]
struct Place(Executor<'static>);

impl Spawn for Place {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        self.0.spawn(task).detach();
        Ok(())
    }

    fn spawn_blocking(&self, _work: Work) -> Result<(), SpawnError> {
        Err(SpawnError::new("nothing blocks here"))
    }
}

/// A pool whose workers run when a test says so, and an inner service that does what it says.
struct Case {
    pool: Pool,
    place: Arc<Place>,
    time: ManualTime,
    inner: ControlledService,
    control: Control,
}

type Convert = seawall_core::tower::Convert;

impl Case {
    fn new(config: Config) -> Self {
        let place = Arc::new(Place::default());
        let (clock, time) = Clock::manual();
        let pool = Pool::with_clock(config, Spawner::custom(place.clone()), clock).expect("a valid configuration");
        let (inner, control) = service::controlled();
        let case = Self { pool, place, time, inner, control };
        case.settle();
        case
    }

    /// One worker, and room for one more request.
    fn narrow() -> Self {
        let case = Self::new(Config::new(1..=1).queue(1));
        case.control.answer(Answer::Hold);
        case
    }

    fn settle(&self) {
        while self.place.0.try_tick() {}
    }

    fn shed(&self) -> PoolService<ControlledService, Plain, Shed, Convert> {
        self.pool.layer().layer(self.inner.clone())
    }

    fn wait(&self) -> PoolService<ControlledService, Plain, Wait, Convert> {
        self.pool.layer().wait(Duration::from_secs(60)).layer(self.inner.clone())
    }

    /// Readiness, a call, and all that follows from it at once.
    fn begin<S: Service<u32, Response = u32, Error = CallError>>(
        &self,
        service: &mut S,
        request: u32,
    ) -> Pin<Box<S::Future>> {
        make_ready(service);
        let mut response = Box::pin(service.call(request));
        let _pending = poll(response.as_mut());
        self.settle();
        response
    }

    /// Every job that was taken has ended, once, and the inner service was used as it may be.
    #[track_caller]
    fn assert_at_rest(&self) {
        self.settle();
        let seen = self.pool.snapshot();
        assert_eq!((seen.queued, seen.running, seen.submitters), (0, 0, 0), "{seen:?}");
        let ended = seen.completed + seen.failed + seen.cancelled + seen.expired + seen.dropped;
        assert_eq!(seen.submitted, ended, "{seen:?}");
        assert_eq!(self.control.seen().in_flight, 0);
        self.control.assert_kept();
    }
}

fn rejection<T: std::fmt::Debug>(answer: Poll<Result<T, CallError>>) -> Rejection {
    match answer {
        Poll::Ready(Err(CallError::Rejected(rejection))) => rejection,
        other => panic!("a refusal was to come, not {other:?}"),
    }
}

#[test]
fn services_of_a_layer_and_their_clones_share_the_pool() {
    let case = Case::narrow();
    let layer = case.pool.layer();
    let (mut one, mut other) = (layer.layer(case.inner.clone()), layer.clone().layer(case.inner.clone()));
    let mut third = one.clone();
    let held = [case.begin(&mut one, 1), case.begin(&mut other, 2)];
    make_ready(&mut third);
    assert_eq!(rejection(poll(pin!(third.call(3)))).reason(), "full");
    assert_eq!(case.control.seen().calls, 1, "the other waits in the queue");
    case.control.release(2);
    case.settle();
    for (mut response, request) in held.into_iter().zip([1, 2]) {
        assert_eq!(poll(response.as_mut()), Poll::Ready(Ok(request)));
    }
    case.assert_at_rest();
}

#[test]
fn a_clone_asks_the_inner_service_anew() {
    let case = Case::new(Config::new(1..=1));
    let mut original = case.shed();
    make_ready(&mut original);
    let mut clone = original.clone();
    case.control.ready(Ready::NotYet);
    assert!(poll_ready(&mut clone).is_pending(), "the readiness is the original's");
    let mut response = pin!(original.call(1));
    assert!(poll(response.as_mut()).is_pending());
    case.settle();
    assert_eq!(poll(response.as_mut()), Poll::Ready(Ok(1)));
    assert!(poll_ready(&mut original).is_pending(), "it is used up");
    case.assert_at_rest();
}

#[test]
fn what_is_full_or_closed_refuses_at_once_without_asking_the_inner_service() {
    let case = Case::narrow();
    let mut service = case.shed();
    let held = [case.begin(&mut service, 1), case.begin(&mut service, 2)];
    case.control.ready(Ready::NotYet);
    let polls = case.control.seen().readiness_polls;
    make_ready(&mut service);
    // There is room again, but the inner service was not asked whether it is ready.
    drop(held);
    case.settle();
    assert_eq!(rejection(poll(pin!(service.call(3)))).reason(), "full");
    assert!(poll_ready(&mut service).is_pending(), "now it is asked");
    assert_eq!(case.control.seen().readiness_polls, polls + 1);

    case.pool.close();
    make_ready(&mut service);
    let refused = rejection(poll(pin!(service.call(4))));
    assert_eq!((refused.pattern(), refused.reason(), refused.retry_after()), ("worker_pool", "stopped", None));
    assert_eq!(case.control.seen().readiness_polls, polls + 1);
    let refusals = case.pool.snapshot().refused;
    assert_eq!((refusals.full, refusals.stopped), (1, 1), "they are counted");
    case.assert_at_rest();
}

#[test]
fn a_pool_that_drops_others_for_a_request_does_not_count_as_full() {
    let case = Case::new(Config::new(1..=1).queue(1).full(FullPolicy::DropOldest));
    case.control.answer(Answer::Hold);
    let mut service = case.shed();
    let mut responses = [1, 2, 3].map(|request| case.begin(&mut service, request));
    assert_eq!(rejection(poll(responses[1].as_mut())).reason(), "dropped");
    case.control.release(2);
    case.settle();
    assert_eq!(poll(responses[0].as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(poll(responses[2].as_mut()), Poll::Ready(Ok(3)));
    case.assert_at_rest();
}

#[test]
fn a_request_that_waits_for_room_runs_when_there_is_some() {
    let case = Case::narrow();
    let mut service = case.wait();
    let mut responses = [1, 2, 3].map(|request| case.begin(&mut service, request));
    assert_eq!(case.pool.snapshot().submitters, 1);
    case.control.release(3);
    case.settle();
    let [first, second, third] = &mut responses;
    assert_eq!(poll(first.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(poll(second.as_mut()), Poll::Ready(Ok(2)));
    assert!(poll(third.as_mut()).is_pending(), "its turn has come: it is submitted");
    case.settle();
    assert_eq!(poll(third.as_mut()), Poll::Ready(Ok(3)));
    case.assert_at_rest();
}

#[test]
fn a_request_waits_for_room_no_longer_than_it_may() {
    let case = Case::narrow();
    let mut service = case.wait();
    let mut responses = [1, 2, 3].map(|request| case.begin(&mut service, request));
    case.time.advance(Duration::from_secs(60));
    case.settle();
    assert_eq!(rejection(poll(responses[2].as_mut())).reason(), "timed_out");
    drop(responses);
    case.assert_at_rest();
}

#[test]
fn a_request_that_may_wait_waits_for_the_inner_service_on_its_worker() {
    let case = Case::new(Config::new(1..=1));
    case.control.ready(Ready::NotYet);
    let mut service = case.wait();
    let mut response = case.begin(&mut service, 7);
    assert_eq!((case.pool.running(), case.control.seen().calls), (1, 0));
    case.control.ready(Ready::Yes);
    case.settle();
    assert_eq!(poll(response.as_mut()), Poll::Ready(Ok(7)));
    case.control.ready(Ready::Failed);
    let mut response = case.begin(&mut service, 8);
    assert_eq!(poll(response.as_mut()), Poll::Ready(Err(CallError::Failed)));
    case.assert_at_rest();
}

#[test]
fn a_readiness_error_is_the_inner_services_own() {
    let case = Case::new(Config::new(1..=1));
    case.control.ready(Ready::Failed);
    assert_eq!(poll_ready(&mut case.shed()), Poll::Ready(Err(CallError::Failed)));
}

#[test]
fn an_error_of_the_inner_service_is_the_callers_and_the_job_completed() {
    let case = Case::new(Config::new(1..=1));
    case.control.answer(Answer::Fail);
    let mut response = case.begin(&mut case.shed(), 1);
    assert_eq!(poll(response.as_mut()), Poll::Ready(Err(CallError::Failed)));
    let seen = case.pool.snapshot();
    assert_eq!((seen.completed, seen.failed, seen.dead_letters), (1, 0, 0));
    case.assert_at_rest();
}

#[test]
fn a_panic_is_the_callers_and_the_worker_lives_on() {
    for answer in [Answer::Panic, Answer::PanicInCall] {
        let case = Case::new(Config::new(1..=1));
        case.control.answer(answer);
        let mut service = case.shed();
        let mut response = case.begin(&mut service, 1);
        let payload = catch_unwind(AssertUnwindSafe(|| poll(response.as_mut()))).expect_err("it panicked");
        let text = payload.downcast_ref::<&str>().expect("the payload is the inner service's");
        assert!(text.ends_with("as told"), "{text}");
        case.control.answer(Answer::Succeed);
        let mut response = case.begin(&mut service, 2);
        assert_eq!(poll(response.as_mut()), Poll::Ready(Ok(2)));
        assert_eq!((case.pool.snapshot().panicked, case.pool.workers()), (1, 1));
        case.assert_at_rest();
    }
}

#[test]
fn a_panic_of_the_readiness_leaves_nothing_behind() {
    let case = Case::new(Config::new(1..=1));
    case.control.ready(Ready::Panic);
    let mut service = case.shed();
    assert!(catch_unwind(AssertUnwindSafe(|| poll_ready(&mut service))).is_err());
    let mut waiting = case.wait();
    let mut response = case.begin(&mut waiting, 1);
    assert!(catch_unwind(AssertUnwindSafe(|| poll(response.as_mut()))).is_err());
    case.assert_at_rest();
}

/// Whatever a dropped response leaves is a cancelled job: in the queue, on a worker, or not submitted at all.
#[test]
fn a_response_may_be_dropped_at_every_poll() {
    for busy in [false, true] {
        let case = Case::narrow();
        let mut others = Vec::new();
        if busy {
            // The worker and the queue: the request waits for room.
            others.push(case.begin(&mut case.shed(), 1));
            others.push(case.begin(&mut case.shed(), 2));
        }
        let between = |step: usize| {
            if step == 1 && busy {
                case.control.release(2);
            } else if step > 1 {
                case.control.release(1);
            }
            case.settle();
        };
        let make = || {
            let mut service = case.wait();
            make_ready(&mut service);
            service.call(3)
        };
        let polls = CancelAtEveryPoll::new().between(between).run(make, |_| {
            case.settle();
            let seen = case.pool.snapshot();
            assert_eq!(case.control.seen().in_flight, seen.running, "{seen:?}");
        });
        assert!(polls >= 2, "{polls}");
        case.control.release(1_000);
        case.settle();
        for mut other in others {
            assert!(poll(other.as_mut()).is_ready());
        }
        case.assert_at_rest();
    }
}

#[test]
fn a_response_that_is_dropped_cancels_its_job_in_the_queue_and_on_the_worker() {
    let case = Case::narrow();
    let mut service = case.shed();
    let responses = [case.begin(&mut service, 1), case.begin(&mut service, 2)];
    drop(responses);
    case.settle();
    let (seen, inner) = (case.pool.snapshot(), case.control.seen());
    assert_eq!((seen.cancelled, inner.calls, inner.dropped), (2, 1, 1));
    case.assert_at_rest();
}

#[test]
fn a_service_that_was_readied_and_dropped_holds_nothing() {
    let case = Case::narrow();
    let mut service = case.shed();
    make_ready(&mut service);
    drop(service);
    assert_eq!(case.pool.snapshot().submitted, 0);
    case.assert_at_rest();
}

#[test]
fn requests_run_in_the_order_of_their_priorities_and_not_after_their_deadlines() {
    let case = Case::new(Config::new(1..=1));
    case.control.answer(Answer::Hold);
    let options = |request: &u32| match request {
        3 => JobOptions::new().priority(Priority::Critical),
        4 => JobOptions::new().expires_in(Duration::from_secs(1)),
        5 => JobOptions::new().timeout(Duration::from_secs(2)),
        _ => JobOptions::new(),
    };
    let mut service = case.pool.layer().options(options).layer(case.inner.clone());
    let mut responses = [1, 2, 3, 4].map(|request| case.begin(&mut service, request));
    case.control.release(1);
    case.settle();
    assert_eq!(poll(responses[0].as_mut()), Poll::Ready(Ok(1)));
    case.control.release(1);
    case.settle();
    assert_eq!(poll(responses[2].as_mut()), Poll::Ready(Ok(3)), "before the one that came earlier");
    case.time.advance(Duration::from_secs(1));
    case.control.release(1);
    case.settle();
    assert_eq!(poll(responses[1].as_mut()), Poll::Ready(Ok(2)));
    assert_eq!(rejection(poll(responses[3].as_mut())).reason(), "expired");
    assert_eq!(case.control.seen().calls, 3, "the one that is too late is not begun");

    let mut slow = case.begin(&mut service, 5);
    case.time.advance(Duration::from_secs(2));
    case.settle();
    assert_eq!(rejection(poll(slow.as_mut())).reason(), "call_timed_out");
    case.assert_at_rest();
}

#[test]
fn a_drain_tells_those_whose_requests_it_cuts_off_or_gives_back() {
    let case = Case::narrow();
    let mut service = case.shed();
    let mut responses = [case.begin(&mut service, 1), case.begin(&mut service, 2)];
    {
        let mut drain = pin!(case.pool.drain(Duration::ZERO));
        assert!(poll(drain.as_mut()).is_pending(), "one runs");
        case.settle();
        let Poll::Ready(report) = poll(drain.as_mut()) else { panic!("nothing runs any more") };
        assert_eq!((report.cancelled, report.returned.len()), (1, 1));
        drop(report);
    }
    assert_eq!(rejection(poll(responses[0].as_mut())).reason(), "cancelled");
    assert_eq!(rejection(poll(responses[1].as_mut())).reason(), "dropped");
    case.assert_at_rest();
}

#[test]
fn errors_may_be_boxed_and_refusals_be_responses() {
    let case = Case::new(Config::new(1..=1));
    case.control.answer(Answer::Fail);
    let mut boxed = case.pool.layer().boxed().layer(case.inner.clone());
    make_ready(&mut boxed);
    let mut response = Box::pin(boxed.call(1_u32));
    assert!(poll(response.as_mut()).is_pending());
    case.settle();
    let Poll::Ready(Err(error)) = poll(response.as_mut()) else { panic!("the inner service fails") };
    assert_eq!(error.downcast_ref(), Some(&CallError::Failed));

    case.pool.close();
    make_ready(&mut boxed);
    let Poll::Ready(Err(error)) = poll(pin!(boxed.call(1_u32))) else { panic!("the pool is closed") };
    assert_eq!(Rejection::find(&*error).map(Rejection::reason), Some("stopped"));
    let mut responding = case.pool.layer().on_rejection(|_| 503).layer(case.inner.clone());
    make_ready(&mut responding);
    assert_eq!(poll(pin!(responding.call(1_u32))), Poll::Ready(Ok(503)));
}

/// The job's box and the place of its result; while it waits for room, the wait's box as well.
#[test]
fn a_request_costs_two_allocations_and_one_more_where_it_may_wait() {
    let case = Case::new(Config::new(1..=1));
    let call = |service: &mut dyn FnMut()| {
        service();
        alloc::count(service).count
    };
    let mut shed = case.shed();
    let count = call(&mut || {
        make_ready(&mut shed);
        let mut response = pin!(shed.call(1));
        case.settle();
        assert_eq!(poll(response.as_mut()), Poll::Ready(Ok(1)));
    });
    assert_eq!(count, 2);
    let mut wait = case.wait();
    let count = call(&mut || {
        make_ready(&mut wait);
        let mut response = pin!(wait.call(1));
        assert!(poll(response.as_mut()).is_pending());
        case.settle();
        assert_eq!(poll(response.as_mut()), Poll::Ready(Ok(1)));
    });
    assert_eq!(count, 3);
}

#[test]
fn a_refused_request_does_not_allocate() {
    let case = Case::new(Config::new(1..=1));
    case.pool.close();
    let mut service = case.shed();
    alloc::assert_none("a refused request", || {
        make_ready(&mut service);
        assert_eq!(rejection(poll(pin!(service.call(1)))).reason(), "stopped");
    });
}

#[test]
fn services_and_responses_go_between_threads() {
    fn goes<T: Send>(_: &T) {}
    let case = Case::new(Config::new(1..=1));
    let (mut shed, mut wait) = (case.shed(), case.wait());
    make_ready(&mut shed);
    goes(&shed);
    goes(&wait);
    goes(&shed.call(1));
    goes(&wait.call(2));
}
