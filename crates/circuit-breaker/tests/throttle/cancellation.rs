//! A call that is dropped at any poll, behind any door, leaks nothing and counts as it should.

use std::cell::RefCell;
use std::pin::Pin;

use seawall_circuit_breaker::AdaptiveThrottle;
use seawall_circuit_breaker::throttle::{Abandoned, Config};
use seawall_core::Rejection;
use seawall_testkit::cancel::cancel_at_every_poll;
use seawall_testkit::exec::yield_now;

use crate::throttle;

/// How often the dependency's future is pending before it is done.
const PENDING: usize = 3;

async fn dependency() -> Result<(), Rejection> {
    for _ in 0..PENDING {
        yield_now().await;
    }
    Ok(())
}

type Call<'a> = Pin<Box<dyn Future<Output = Result<(), Rejection>> + 'a>>;

/// A way to make a call.
struct Door {
    name: &'static str,
    call: fn(&AdaptiveThrottle) -> Call<'_>,
    /// Whether the call asks when its future is made, and not only when it is polled.
    asks_at_once: bool,
}

fn doors() -> Vec<Door> {
    let run = Door {
        name: "run",
        call: |throttle| Box::pin(async move { throttle.run(dependency()).await? }),
        asks_at_once: false,
    };
    #[cfg(feature = "tower")]
    return [run].into_iter().chain(layers::doors()).collect();
    #[cfg(not(feature = "tower"))]
    return vec![run];
}

#[cfg(feature = "tower")]
mod layers {
    use super::{Call, Door, Rejection, dependency};
    use crate::SECOND;
    use std::future::poll_fn;
    use std::task::{Context, Poll, Waker};
    use tower::{Layer, Service, service_fn};

    pub(super) fn doors() -> [Door; 4] {
        [
            Door {
                name: "shed",
                call: |throttle| called(throttle.layer().layer(service_fn(|()| dependency()))),
                asks_at_once: true,
            },
            Door {
                name: "wait",
                call: |throttle| called(throttle.layer().wait(SECOND).layer(service_fn(|()| dependency()))),
                asks_at_once: false,
            },
            Door {
                name: "backpressure",
                call: |throttle| called(throttle.layer().backpressure().layer(service_fn(|()| dependency()))),
                asks_at_once: true,
            },
            Door {
                name: "readiness and call",
                call: |throttle| {
                    let mut service = throttle.layer().backpressure().layer(service_fn(|()| dependency()));
                    Box::pin(async move {
                        poll_fn(|cx| service.poll_ready(cx)).await?;
                        service.call(()).await
                    })
                },
                asks_at_once: false,
            },
        ]
    }

    /// The response's future of a ready service.
    fn called<'a, S>(mut service: S) -> Call<'a>
    where
        S: Service<(), Response = (), Error = Rejection>,
        S::Future: 'a,
    {
        let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(ready, Poll::Ready(Ok(()))), "nothing here makes it wait");
        Box::pin(service.call(()))
    }
}

#[test]
fn a_dropped_call_counts_as_it_should() {
    for door in doors() {
        for (abandoned, stands) in [(Abandoned::Failure, 1), (Abandoned::Ignore, 0)] {
            let (throttle, _time) = throttle(Config::default().abandoned(abandoned));
            let before = RefCell::new(throttle.snapshot());
            let took = cancel_at_every_poll(
                || {
                    before.replace(throttle.snapshot());
                    (door.call)(&throttle)
                },
                |polls| {
                    let (before, after) = (before.borrow(), throttle.snapshot());
                    let counted = (
                        after.requests - before.requests,
                        after.accepts - before.accepts,
                        after.total.abandoned - before.total.abandoned,
                    );
                    let expected = match polls {
                        0 if !door.asks_at_once => (0, 0, 0),
                        polls if polls <= PENDING => (stands, 0, 1),
                        _ => (1, 1, 0),
                    };
                    assert_eq!(counted, expected, "{}, {abandoned:?}: dropped after {polls} polls", door.name);
                },
            );
            assert_eq!(took, PENDING + 1, "{}: every point was tried", door.name);
        }
    }
}

#[test]
fn a_refused_call_holds_nothing_at_any_poll() {
    for door in doors() {
        let (throttle, _time) = throttle(Config::default());
        throttle.hold(1.0).expect("a probability");
        let took = cancel_at_every_poll(|| (door.call)(&throttle), |_polls| ());
        assert_eq!(took, 1, "{}: it is refused at once", door.name);
        let snapshot = throttle.snapshot();
        assert_eq!(snapshot.total.requests, snapshot.total.refused, "{}: nothing but refusals", door.name);
    }
}
