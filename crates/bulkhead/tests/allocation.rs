//! No call allocates: admitted, refused or waiting, once as many have waited as ever wait at once.
#![cfg(not(seawall_loom))]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use seawall_bulkhead::limit::Vegas;
use seawall_bulkhead::{Bulkhead, Claiming, CoDel, Config};
use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Claim, Priority, Shared};
use seawall_testkit::alloc::{self, CountingAllocator, assert_none};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const SECOND: Duration = Duration::from_secs(1);

fn bulkhead(config: Config) -> (Bulkhead, ManualTime) {
    let (clock, time) = Clock::manual();
    (Bulkhead::with_clock(config, clock).expect("valid"), time)
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn nothing_is_proved_by_an_allocator_that_does_not_count() {
    assert_eq!(alloc::count(|| Box::new(1)).count, 1);
}

#[test]
fn an_admitted_call_does_not_allocate() {
    for config in [Config::new(3).queue(2), Config::adaptive(Vegas::default().initial(4).min(4))] {
        let (bulkhead, time) = bulkhead(config);
        let claims = Claiming::directly(&bulkhead);
        let two = Claim::new().permits(2).priority(Priority::High);
        let each = |door: &str, call: &dyn Fn()| {
            assert_none(door, || {
                for _ in 0..100 {
                    time.advance(SECOND);
                    call();
                }
            });
        };
        each("try_admit", &|| bulkhead.try_admit().expect("free").success());
        each("dropped", &|| drop(bulkhead.try_admit().expect("free")));
        each("cancelled", &|| bulkhead.try_admit().expect("free").cancel());
        each("a claim", &|| claims.with(&two).try_admit().expect("free").failure());
        each("admit", &|| assert!(poll_once(bulkhead.admit()).is_ready()));
        each("run", &|| assert_eq!(poll_once(bulkhead.run(async { Ok::<_, ()>(7) })), Poll::Ready(Ok(Ok(7)))));
        each("run_sync", &|| assert_eq!(bulkhead.run_sync(|| Ok::<_, ()>(7)), Ok(Ok(7))));
    }
}

#[test]
fn a_refused_call_does_not_allocate() {
    let (bulkhead, _time) = bulkhead(Config::new(1));
    let _running = bulkhead.try_admit().expect("free");
    let claims = Claiming::directly(&bulkhead);
    let never = Claim::new().permits(2);
    assert_none("refused", || {
        for _ in 0..100 {
            assert!(bulkhead.try_admit().is_err());
            assert!(claims.with(&never).try_admit().is_err());
            assert!(matches!(poll_once(bulkhead.admit_within(SECOND)), Poll::Ready(Err(_))));
        }
    });
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_call_that_waits_does_not_allocate() {
    let codel = CoDel::new(Duration::from_micros(1), Duration::from_micros(1));
    let (bulkhead, _time) = bulkhead(Config::new(1).queue(8).codel(codel).max_wait(SECOND));
    let claims = Claiming::directly(&bulkhead);
    let waker = Waker::from(Arc::new(Nobody));
    let low = Claim::new().priority(Priority::Low);
    let wait = || {
        let running = bulkhead.try_admit().expect("free");
        let mut first = pin!(queue(&claims, &low));
        let mut second = pin!(queue(&claims, &low));
        let mut cx = Context::from_waker(&waker);
        assert!(first.as_mut().poll(&mut cx).is_pending() && second.as_mut().poll(&mut cx).is_pending());
        running.success();
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert!(first.poll(&mut cx).is_ready() && second.poll(&mut cx).is_ready());
    };
    assert_none("waiting", || (0..100).for_each(|_| wait()));
}

type Claims = Claiming<fn(&Claim) -> Claim>;

/// A wait without the alarm, which is the runtime's own.
fn queue<'a>(claims: &'a Shared<Claims>, claim: &'a Claim) -> impl Future<Output = ()> + 'a {
    use seawall_core::time::Now;
    use seawall_core::{Admits, Ask, Entry, Policy};
    let mut place = None;
    let mut asked = false;
    std::future::poll_fn(move |cx| {
        let policy: &Claiming<_> = claims;
        let now = Now::new(policy.clock());
        let ask = Ask::new(claim, &now);
        if !asked {
            asked = true;
            let Ok(Entry::Queued(queued)) = policy.enter(&ask) else { panic!("nothing is free") };
            place = Some(queued);
        }
        let turn = policy.poll_place(&ask, place.as_mut().expect("it waits"), cx);
        turn.map(|token| policy.settle(token.expect("its turn"), seawall_core::Ending::Cancelled, &now))
    })
}

#[cfg(feature = "tower")]
mod layers {
    use seawall_core::Rejection;
    use tower::{Layer, Service, service_fn};

    use super::*;

    /// One request as axum makes it: a clone of the service, its readiness, the call.
    fn request<S>(service: &S) -> Poll<Result<u32, Rejection>>
    where
        S: Service<u32, Response = u32, Error = Rejection> + Clone,
    {
        let mut service = service.clone();
        let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(ready, Poll::Ready(Ok(()))));
        poll_once(service.call(7))
    }

    fn check<S>(mode: &str, bulkhead: &Bulkhead, service: &S)
    where
        S: Service<u32, Response = u32, Error = Rejection> + Clone,
    {
        assert_none(&format!("{mode}: admitted"), || assert_eq!(request(service), Poll::Ready(Ok(7))));
        let _running = bulkhead.try_admit().expect("free");
        assert_none(&format!("{mode}: refused"), || assert!(matches!(request(service), Poll::Ready(Err(_)))));
    }

    #[test]
    fn a_request_does_not_allocate_in_any_mode() {
        let (bulkhead, _time) = bulkhead(Config::new(1));
        let inner = service_fn(|request: u32| async move { Ok::<_, Rejection>(request) });
        check("shed", &bulkhead, &bulkhead.layer().layer(inner));
        check("wait", &bulkhead, &bulkhead.layer().wait(SECOND).layer(inner));
        check("backpressure", &bulkhead, &bulkhead.layer().backpressure().layer(inner));
        let claims = Claiming::by(&bulkhead, |_: &u32| Claim::new().priority(Priority::Low));
        check("claims", &bulkhead, &claims.layer().layer(inner));
    }
}
