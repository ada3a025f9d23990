//! The order of layers that the manual gives, held: what an open circuit, a timeout and a fallback do in their places.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall::bulkhead::{self, Bulkhead};
use seawall::circuit_breaker::{CircuitBreaker, Config, State};
use seawall::core::time::{Clock, ManualTime};
use seawall::core::{Jitter, Rejection, all};
use seawall::retry::{
    self, BoxedErrors, Budget, Deposits, Fallback, FallbackConfig, Hedge, HedgeConfig, Retry, Timeout, TimeoutConfig,
};
use tower::{BoxError, Service, ServiceBuilder, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// What the dependency does.
#[derive(Clone, Copy)]
enum Act {
    Answer,
    Fail,
    Hang,
}

/// A dependency that counts its calls.
#[derive(Clone)]
struct Dependency {
    calls: Arc<AtomicUsize>,
    act: Act,
}

impl Dependency {
    fn new(act: Act) -> Self {
        Self { calls: Arc::default(), act }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn service(&self) -> impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + use<> {
        let dependency = self.clone();
        service_fn(move |request: u32| {
            dependency.calls.fetch_add(1, Ordering::Relaxed);
            let act = dependency.act;
            async move {
                match act {
                    Act::Answer => Ok(request),
                    Act::Fail => Err("down".into()),
                    Act::Hang => std::future::pending().await,
                }
            }
        })
    }
}

/// Polls `call` until it ends, a second at a time; tells its result and how many seconds that took.
fn drive<F: Future>(call: F, time: &ManualTime) -> (F::Output, u32) {
    let mut call = pin!(call);
    for seconds in 0..10_000 {
        if let Poll::Ready(output) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return (output, seconds);
        }
        time.advance(SECOND);
    }
    panic!("the call never ends")
}

struct Parts {
    time: ManualTime,
    retry: Retry,
    breaker: CircuitBreaker,
    timeout: Timeout,
    budget: Budget,
    clock: Clock,
}

impl Parts {
    /// Three attempts a second apart; a breaker that opens at five failures, for a minute; two seconds for each attempt.
    fn new() -> Self {
        let (clock, time) = Clock::manual();
        let budget = Budget::with_clock(Deposits::default().ratio(0.5).per_second(1.0), clock.clone()).expect("valid");
        let config = retry::Config::default().fixed(SECOND).jitter(Jitter::None).max_hint(10 * SECOND);
        Self {
            retry: Retry::with_clock(config.budget(budget.clone()), clock.clone()).expect("valid"),
            breaker: CircuitBreaker::with_clock(Config::classic(), clock.clone()).expect("valid"),
            timeout: Timeout::with_clock(TimeoutConfig::new(2 * SECOND), clock.clone()).expect("valid"),
            budget,
            clock,
            time,
        }
    }

    fn stack(&self, dependency: &Dependency) -> impl Service<u32, Response = u32, Error = BoxError> + Clone + use<> {
        ServiceBuilder::new()
            .layer(self.retry.layer().judge(BoxedErrors).boxed())
            .layer(self.breaker.layer().boxed())
            .layer(self.timeout.layer().boxed())
            .service(dependency.service())
    }

    fn call(
        &self,
        stack: &(impl Service<u32, Response = u32, Error = BoxError> + Clone),
    ) -> (Result<u32, BoxError>, u32) {
        let mut stack = stack.clone();
        let ready = pin!(std::future::poll_fn(|cx| stack.poll_ready(cx)))
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(ready.is_ready());
        drive(stack.call(7), &self.time)
    }
}

#[test]
fn an_open_breakers_refusal_is_not_retried_into_a_storm() {
    let parts = Parts::new();
    let down = Dependency::new(Act::Fail);
    let stack = parts.stack(&down);
    let mut refused = 0;
    for _ in 0..1_000 {
        let (result, seconds) = parts.call(&stack);
        let error = result.expect_err("it is down");
        if let Some(rejection) = Rejection::find(&*error) {
            assert_eq!(rejection.pattern(), "circuit_breaker");
            // In the call that opens the circuit its own attempts came before.
            refused += usize::from(seconds == 0);
        }
    }
    assert_eq!(parts.breaker.state(), State::Open);
    assert!(refused >= 998, "{refused}: a refusal that lasts longer than is kept to is given at once");
    assert_eq!(down.calls(), 5, "as many as it takes to open the circuit");
}

#[test]
fn a_refusal_costs_no_budget() {
    let parts = Parts::new();
    let stack = parts.stack(&Dependency::new(Act::Answer));
    parts.breaker.isolate(3 * SECOND);
    let spent = parts.budget.snapshot();
    let (result, seconds) = parts.call(&stack);
    assert_eq!((result.expect("the circuit is half-open by then"), seconds), (7, 3), "no sooner than the refusal says");
    assert_eq!(parts.budget.snapshot().spent, spent.spent);
    assert_eq!(parts.retry.snapshot().total.later_good, 1);
}

#[test]
fn a_timeout_inside_is_a_failure_to_the_breaker_and_another_attempt_to_the_retry() {
    let parts = Parts::new();
    let hangs = Dependency::new(Act::Hang);
    let (result, seconds) = parts.call(&parts.stack(&hangs));
    let error = result.expect_err("it hangs");
    assert_eq!(Rejection::find(&*error).map(Rejection::pattern), Some("timeout"));
    assert_eq!((hangs.calls(), seconds), (3, 3 * 2 + 2));
    let total = parts.breaker.snapshot().total;
    assert_eq!((total.failures, total.abandoned), (3, 0));
}

#[test]
fn a_timeout_outside_is_an_abandoned_call_to_the_breaker() {
    let parts = Parts::new();
    let hangs = Dependency::new(Act::Hang);
    let mut wrong_way_round = ServiceBuilder::new()
        .layer(parts.timeout.layer().boxed())
        .layer(parts.breaker.layer().boxed())
        .service(hangs.service());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Service::<u32>::poll_ready(&mut wrong_way_round, &mut cx).is_ready());
    drive(wrong_way_round.call(7), &parts.time).0.expect_err("it hangs");
    let total = parts.breaker.snapshot().total;
    assert_eq!((total.failures, total.abandoned), (0, 1));
}

#[test]
fn a_fallback_outside_answers_for_refusals_timeouts_and_failures() {
    for act in [Act::Fail, Act::Hang] {
        let parts = Parts::new();
        let fallback = Fallback::new(FallbackConfig::default()).expect("valid");
        let stack = parts.stack(&Dependency::new(act));
        let stack = ServiceBuilder::new().layer(fallback.layer().value(0)).service(stack);
        let answers: Vec<u32> = (0..4).map(|_| parts.call(&stack).0.expect("a stored value")).collect();
        assert_eq!(answers, [0; 4], "for all of them, the refused ones too");
        assert_eq!(fallback.snapshot().total.fell_back, 4);
        assert_eq!(parts.breaker.state(), State::Open, "and the breaker was not told that these were successes");
    }
}

#[test]
fn a_retry_around_hedges_shares_their_budget() {
    let parts = Parts::new();
    let config = HedgeConfig::default().delay(Duration::ZERO).max_hedges(2).budget(parts.budget.clone());
    let hedge = Hedge::with_clock(config, parts.clock.clone()).expect("valid");
    let down = Dependency::new(Act::Fail);
    let mut stack = ServiceBuilder::new()
        .layer(parts.retry.layer().judge(BoxedErrors).boxed())
        .layer(hedge.layer())
        .service(down.service());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..200 {
        assert!(Service::<u32>::poll_ready(&mut stack, &mut cx).is_ready());
        drive(stack.call(7), &parts.time).0.expect_err("it is down");
    }
    let extra = down.calls() - 200;
    // The calls pay for retries, and every attempt for hedges; each second brings one more, and ten are there to begin with.
    let attempts = 200 + parts.retry.snapshot().total.retries;
    let seconds = parts.clock.now().as_nanos() / 1_000_000_000;
    let most = usize::try_from(u64::midpoint(200, attempts) + seconds + 10).expect("few");
    assert!(extra <= most, "{extra} further attempts, {most} are paid for");
    let spent = parts.budget.snapshot().spent;
    assert_eq!(usize::try_from(spent), Ok(extra));
}

/// A service ready to be called, polled once.
fn ready<S: Service<u32>>(stack: &mut S) {
    assert!(stack.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn a_bulkhead_inside_a_retry_is_not_held_between_attempts() {
    let parts = Parts::new();
    let down = Dependency::new(Act::Fail);
    let bulkhead = Bulkhead::with_clock(bulkhead::Config::new(1), parts.clock.clone()).expect("valid");
    let one_decision = all((parts.breaker.clone(), bulkhead.clone()));
    let mut stack = ServiceBuilder::new()
        .layer(parts.retry.layer().judge(BoxedErrors).boxed())
        .layer(one_decision.layer().boxed())
        .service(down.service());
    ready(&mut stack);
    let mut call = pin!(stack.call(7));
    let mut attempts = 0;
    while call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        attempts += 1;
        assert_eq!((down.calls(), bulkhead.in_flight()), (attempts, 0), "a wait for another attempt holds a permit");
        parts.time.advance(SECOND);
    }
    assert_eq!((down.calls(), bulkhead.snapshot().admitted), (3, 3));
}

#[test]
fn a_full_bulkhead_beside_a_breaker_is_no_failure_of_the_dependency() {
    let parts = Parts::new();
    let bulkhead = Bulkhead::with_clock(bulkhead::Config::new(1), parts.clock.clone()).expect("valid");
    let held = bulkhead.try_admit_owned().expect("nothing is in flight");
    let dependency = Dependency::new(Act::Answer);
    let beside = all((parts.breaker.clone(), bulkhead.clone()));
    let mut beside = ServiceBuilder::new().layer(beside.layer().boxed()).service(dependency.service());
    ready(&mut beside);
    let error = drive(beside.call(7), &parts.time).0.expect_err("it is full");
    assert_eq!(Rejection::find(&*error).map(Rejection::pattern), Some("bulkhead"));
    assert_eq!((parts.breaker.snapshot().total.failures, dependency.calls()), (0, 0));

    let mut inside = ServiceBuilder::new()
        .layer(parts.breaker.layer().boxed())
        .layer(bulkhead.layer().boxed())
        .service(dependency.service());
    ready(&mut inside);
    drive(inside.call(7), &parts.time).0.expect_err("it is full");
    assert_eq!(parts.breaker.snapshot().total.failures, 1, "further in, its refusals open the circuit");
    drop(held);
}

#[test]
fn an_open_breaker_beside_a_bulkhead_lets_nobody_wait() {
    let parts = Parts::new();
    let config = bulkhead::Config::new(1).queue(8).max_wait(60 * SECOND);
    let bulkhead = Bulkhead::with_clock(config, parts.clock.clone()).expect("valid");
    let _held = bulkhead.try_admit_owned().expect("nothing is in flight");
    parts.breaker.isolate(30 * SECOND);
    let beside = all((parts.breaker.clone(), bulkhead.clone()));
    let layer = beside.layer().wait(60 * SECOND).boxed();
    let mut stack = ServiceBuilder::new().layer(layer).service(Dependency::new(Act::Answer).service());
    ready(&mut stack);
    let (refused, seconds) = drive(stack.call(7), &parts.time);
    let error = refused.expect_err("the circuit is open");
    assert_eq!(Rejection::find(&*error).map(Rejection::pattern), Some("circuit_breaker"));
    assert_eq!((seconds, bulkhead.queued()), (0, 0));
}
