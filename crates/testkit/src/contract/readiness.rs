//! The inner service is called when it is ready, and only then.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use seawall_core::time::Clock;
use tower_service::Service;

use super::{Case, Door, Mode, Request, Situation, Subject};
use crate::drive::{make_ready, poll, poll_ready, ready_and_call};
use crate::exec::{Executor, yield_now};
use crate::random::Random;
use crate::service::{Answer, CallError, Control, ControlledService, Ready};
use crate::watch::Watched;

/// While the inner service is pending a caller sleeps: it is polled when the inner service becomes ready, not before.
pub fn the_inner_service_is_waited_for_without_busy_polls<S, D>(subject: &S)
where
    S: Subject,
    D: Door<Watched<S::Policy>>,
    D::Service<ControlledService>: 'static,
{
    let case = Case::admitting(subject);
    case.control.ready(Ready::NotYet);
    let executor = Executor::new(0);
    let mut service = case.protected::<D>();
    let call = executor.spawn(async move { ready_and_call(&mut service, 7).await });
    executor.run_until_stalled();
    let asked = case.control.seen().readiness_polls;
    assert_eq!(asked, 1, "the inner service is asked once");
    executor.run_until_stalled();
    assert_eq!(case.control.seen().readiness_polls, asked, "and not again before it wakes");
    assert_eq!(case.control.seen().calls, 0);
    case.control.ready(Ready::Yes);
    executor.run_until_stalled();
    assert_eq!(call.take(), Some(Ok(7)));
    case.assert_at_rest();
}

/// An error of the inner service's `poll_ready` arrives where the inner service is polled, and what was taken comes back
/// with it: neither the service nor the response need be dropped first.
pub fn a_readiness_error_reaches_the_caller<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::admitting(subject);
    case.control.ready(Ready::Failed);
    let mut service = case.protected::<D>();
    if D::MODE == Mode::Wait {
        make_ready(&mut service);
        let mut call = pin!(service.call(1));
        assert_eq!(poll(call.as_mut()), Poll::Ready(Err(CallError::Failed)));
        case.assert_at_rest();
    } else {
        assert_eq!(poll_ready(&mut service), Poll::Ready(Err(CallError::Failed)));
        case.assert_at_rest();
    }
    assert_eq!(case.control.seen().calls, 0);
}

/// While the inner service is pending, only capacity is held, and only where the mode reserves it: what is no capacity,
/// such as the one trial of a circuit that is half open, is taken when the call starts.
pub fn only_capacity_is_held_while_the_inner_service_is_pending<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::single(subject);
    case.control.ready(Ready::NotYet);
    let mut service = case.protected::<D>();
    let mut call = Box::pin(ready_and_call(&mut service, 1));
    assert!(poll(call.as_mut()).is_pending());
    let reserves = Case::<S>::is_scarce() && D::MODE != Mode::Shed;
    assert_eq!(case.in_use(), usize::from(reserves));
    case.control.ready(Ready::Yes);
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(1)));
    drop(call);
    drop(service);
    case.assert_at_rest();
}

/// Four callers over one policy, with an inner service that is moody, fails, hangs and panics, and callers that clone,
/// give up and go away: in every interleaving the inner service is used as tower demands, nobody waits for ever, and
/// all that was taken comes back.
///
/// One run for each seed, 100 unless the environment variable `SEAWALL_SEEDS` says otherwise.
pub fn every_interleaving_keeps_the_inner_services_contract<S, D>(subject: &S)
where
    S: Subject,
    D: Door<Watched<S::Policy>>,
    D::Service<ControlledService>: 'static,
{
    let seeds = std::env::var("SEAWALL_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(100);
    let mut calls = 0;
    for seed in 0..seeds {
        let make = if seed % 2 == 0 { S::single } else { S::admitting };
        calls += simulate::<S, D>(subject, make, seed);
    }
    assert!(calls > seeds, "only {calls} calls reached the inner service in {seeds} runs: nothing was shown");
}

fn simulate<S, D>(subject: &S, make: impl FnOnce(&S, &Situation) -> seawall_core::Shared<S::Policy>, seed: u64) -> u64
where
    S: Subject,
    D: Door<Watched<S::Policy>>,
    D::Service<ControlledService>: 'static,
{
    let executor = Executor::new(seed);
    let situation = Situation { clock: executor.clock(), time: executor.time().clone() };
    let case = Case::on(situation, subject, make);
    for caller in 0..4 {
        let random = Random::new(seed * 10 + caller);
        let service = case.protected::<D>();
        executor.spawn(act_as_caller(service, executor.clock(), random));
    }
    executor.spawn(act_as_inner(case.control.clone(), executor.clock(), Random::new(seed * 10 + 9)));
    assert_eq!(executor.run(), 0, "somebody waits for ever with seed {seed}: {case:?}");
    case.assert_at_rest();
    case.control.seen().calls as u64
}

/// Calls, gives up, clones and goes away as `random` has it; at last makes one call with all the patience in the world.
async fn act_as_caller<T>(mut service: T, clock: Clock, mut random: Random)
where
    T: Service<Request, Response = Request, Error = CallError> + Clone,
{
    for request in 0..8 {
        let patience = Duration::from_millis(random.below(12) as u64);
        let fresh = service.clone();
        let healthy = match random.below(4) {
            0 => {
                let ready = poll_fn(|cx| service.poll_ready(cx));
                !matches!(or_give_up(ready, &clock, patience).await, Given::Panicked | Given::Answer(Err(_)))
            }
            1 => {
                service = fresh.clone();
                true
            }
            _ => {
                let call = ready_and_call(&mut service, request);
                matches!(or_give_up(call, &clock, patience).await, Given::Up | Given::Answer(Ok(_)))
            }
        };
        // After an error, which may have been one of readiness, an instance is not used again.
        if !healthy {
            service = fresh;
        }
        yield_now().await;
    }
    // What a ready service has reserved would be missing while it is idle.
    let mut fresh = service.clone();
    drop(service);
    // Longer than the inner service is moody.
    clock.sleep(Duration::from_secs(1)).await;
    let _answered_or_refused = ready_and_call(&mut fresh, 99).await;
}

/// Changes its mind every other millisecond, and behaves in the end.
async fn act_as_inner(control: Control, clock: Clock, mut random: Random) {
    for _ in 0..60 {
        control.ready(match random.below(8) {
            0 | 1 => Ready::NotYet,
            2 => Ready::Failed,
            3 => Ready::Panic,
            _ => Ready::Yes,
        });
        control.answer(match random.below(8) {
            0 => Answer::Fail,
            1 => Answer::Panic,
            2 => Answer::PanicInCall,
            3..=5 => Answer::Hold,
            _ => Answer::Succeed,
        });
        control.release(random.below(2));
        clock.sleep(Duration::from_millis(2)).await;
    }
    control.ready(Ready::Yes);
    control.answer(Answer::Succeed);
    control.release(1000);
}

enum Given<T> {
    Answer(T),
    Up,
    Panicked,
}

/// `future`'s answer, unless it panics or takes longer than `patience`; then it is dropped where it stands.
async fn or_give_up<F: Future>(future: F, clock: &Clock, patience: Duration) -> Given<F::Output> {
    let mut future = pin!(future);
    let mut sleep = pin!(clock.sleep(patience));
    poll_fn(|cx| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(answer)) => return Poll::Ready(Given::Answer(answer)),
            Ok(Poll::Pending) => {}
            Err(_) => return Poll::Ready(Given::Panicked),
        }
        sleep.as_mut().poll(cx).map(|()| Given::Up)
    })
    .await
}
