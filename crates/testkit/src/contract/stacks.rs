//! The layers work over and under tower's own middleware.

use std::pin::pin;
use std::task::Poll;

use seawall_core::{Rejection, Shared};
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::limit::ConcurrencyLimit;
use tower::load::Constant;
use tower::load_shed::LoadShed;
use tower::load_shed::error::Overloaded;
use tower_service::Service;

use super::{Case, Door, Mode, Request, Subject};
use crate::drive::{make_ready, poll, poll_ready, ready_and_call};
use crate::exec::Executor;
use crate::service::{Answer, ControlledFuture, ControlledService};
use crate::watch::Watched;

type Limited = ConcurrencyLimit<ControlledService>;
type Buffered = Buffer<Request, ControlledFuture<Request>>;

/// Over `ConcurrencyLimit`, which panics when it is called without its permit: its limit holds, and everybody is served.
pub fn works_over_a_concurrency_limit<S, D>(subject: &S)
where
    S: Subject,
    D: Door<Watched<S::Policy>>,
    D::Service<Limited>: 'static,
{
    let case = Case::admitting(subject);
    case.control.answer(Answer::Hold);
    let service = D::protect(&case.policy, ConcurrencyLimit::new(case.inner.clone(), 2));
    let executor = Executor::new(5);
    let calls: Vec<_> = (0..6)
        .map(|request| {
            let mut own = service.clone();
            executor.spawn(async move { ready_and_call(&mut own, request).await })
        })
        .collect();
    drop(service);
    for served in 0..6 {
        executor.run_until_stalled();
        assert_eq!(case.control.seen().in_flight, 2.min(6 - served), "after {served} calls");
        case.control.release(1);
    }
    executor.run_until_stalled();
    assert!(
        calls.iter().enumerate().all(|(at, call)| call.take() == Some(Ok(u32::try_from(at).expect("a small number"))))
    );
    assert_eq!(case.control.seen().peak, 2);
    case.assert_at_rest();
}

/// Over `Buffer`, which panics when it is called without its place.
pub fn works_over_a_buffer<S, D>(subject: &S)
where
    S: Subject,
    D: Door<Watched<S::Policy>>,
    D::Service<Buffered>: 'static,
{
    let executor = Executor::new(5);
    let over_buffer = |policy: &Shared<Watched<S::Policy>>, inner: &ControlledService| {
        let (buffer, worker) = Buffer::pair(inner.clone(), 2);
        executor.spawn(worker);
        D::protect(policy, buffer)
    };

    let case = Case::admitting(subject);
    let service = over_buffer(&case.policy, &case.inner);
    let calls = (0..6).map(|request| {
        let mut own = service.clone();
        executor.spawn(async move { ready_and_call(&mut own, request).await })
    });
    let calls: Vec<_> = calls.collect();
    drop(service);
    assert_eq!(executor.run(), 0, "everybody is served, and the buffer ends with its last handle");
    assert!(calls.iter().all(|call| matches!(call.take(), Some(Ok(_)))));
    case.assert_at_rest();

    let case = Case::refusing(subject);
    let mut service = over_buffer(&case.policy, &case.inner);
    let error = executor.block_on(ready_and_call(&mut service, 1)).expect_err("the policy refuses");
    assert!(Rejection::find(&*error).is_some(), "{error}");
    drop(service);
    case.assert_at_rest();
}

/// Inside `Buffer`, for which an error of `poll_ready` would be the end: it survives every refusal.
pub fn works_inside_a_buffer<S, D>(subject: &S)
where
    S: Subject,
    D: Door<Watched<S::Policy>>,
    D::Service<ControlledService>: Send + 'static,
    <D::Service<ControlledService> as Service<Request>>::Future: Send + 'static,
{
    let executor = Executor::new(5);
    let case = Case::refusing(subject);
    let (mut buffer, worker) = Buffer::pair(case.protected::<D>(), 2);
    executor.spawn(worker);
    for request in 0..5 {
        let error = executor.block_on(ready_and_call(&mut buffer, request)).expect_err("the policy refuses");
        assert!(Rejection::find(&*error).is_some(), "call {request}: {error}");
    }
    drop(buffer);
    executor.run();
    case.assert_at_rest();

    let case = Case::admitting(subject);
    let (mut buffer, worker) = Buffer::pair(case.protected::<D>(), 2);
    executor.spawn(worker);
    for request in 0..5 {
        let answer = executor.block_on(ready_and_call(&mut buffer, request));
        assert_eq!(answer.ok(), Some(request));
    }
    drop(buffer);
    executor.run();
    case.assert_at_rest();
}

/// Under `LoadShed` a refusal stays the policy's own; where `poll_ready` waits its turn, the load is shed instead.
pub fn works_under_load_shed<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::refusing(subject);
    let mut service = LoadShed::new(case.protected::<D>());
    make_ready(&mut service);
    let Poll::Ready(Err(error)) = poll(pin!(service.call(1))) else { panic!("the call must be refused at once") };
    assert!(Rejection::find(&*error).is_some(), "{error}");
    drop(service);
    case.assert_at_rest();

    let case = Case::single(subject);
    case.control.answer(Answer::Hold);
    let mut first = LoadShed::new(case.protected::<D>());
    make_ready(&mut first);
    let mut held = pin!(first.call(1));
    assert!(poll(held.as_mut()).is_pending());
    let mut second = LoadShed::new(case.protected::<D>());
    make_ready(&mut second);
    match poll(pin!(second.call(2))) {
        Poll::Ready(Err(error)) if D::MODE == Mode::Backpressure && Case::<S>::waits() => {
            assert!(error.is::<Overloaded>(), "{error}");
        }
        Poll::Ready(Err(error)) => assert!(Rejection::find(&*error).is_some(), "{error}"),
        Poll::Ready(Ok(_)) => panic!("the policy admits one call"),
        Poll::Pending => assert!(D::MODE == Mode::Wait && Case::<S>::waits(), "the load must be shed"),
    }
    case.control.release(1);
    assert!(matches!(poll(held.as_mut()), Poll::Ready(Ok(1))));
    drop(second);
    case.assert_at_rest();
}

/// Under `Balance`, which throws an endpoint away when its `poll_ready` fails: endpoints stay, and where they reserve, the
/// next call goes where there is room.
pub fn works_under_a_balancer<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let cases = [(); 2].map(|()| Case::refusing(subject));
    let mut balance = balance_over::<S, D>(&cases);
    for request in 0..6 {
        make_ready(&mut balance);
        let Poll::Ready(Err(error)) = poll(pin!(balance.call(request))) else {
            panic!("the call must be refused at once")
        };
        assert!(Rejection::find(&*error).is_some(), "{error}");
    }
    assert_eq!(balance.len(), 2, "refusals cost no endpoint");
    drop(balance);
    cases.iter().for_each(Case::assert_at_rest);

    if D::MODE == Mode::Backpressure && Case::<S>::waits() {
        let cases = [(); 2].map(|()| Case::single(subject));
        for case in &cases {
            case.control.answer(Answer::Hold);
        }
        let mut balance = balance_over::<S, D>(&cases);
        let mut held = Vec::new();
        for request in 0..2 {
            make_ready(&mut balance);
            held.push(Box::pin(balance.call(request)));
        }
        assert!(held.iter_mut().all(|call| poll(call.as_mut()).is_pending()));
        assert!(cases.iter().all(|case| case.control.seen().calls == 1), "each endpoint has one call");
        assert!(poll_ready(&mut balance).is_pending(), "no endpoint has room");
        if Case::<S>::is_scarce() {
            held.pop();
            make_ready(&mut balance);
        }
        drop((held, balance));
        cases.iter().for_each(Case::assert_at_rest);
    }
}

type Endpoints<T> = ServiceList<Vec<Constant<T, u32>>>;

fn balance_over<S: Subject, D: Door<Watched<S::Policy>>>(
    cases: &[Case<'_, S>],
) -> Balance<Endpoints<D::Service<ControlledService>>, Request> {
    let endpoints: Vec<_> = cases.iter().map(|case| Constant::new(case.protected::<D>(), 1)).collect();
    Balance::new(ServiceList::new(endpoints))
}
