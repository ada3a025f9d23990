//! A call that is dropped at any poll, behind any door, loses no probe, leaks nothing, and counts as its policy says.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use seawall_circuit_breaker::{Abandoned, CircuitBreaker, Config, HalfOpen, Snapshot, State, Window};
use seawall_core::Rejection;
use seawall_core::time::Clock;
use seawall_testkit::cancel::cancel_at_every_poll;
use seawall_testkit::exec::yield_now;

/// How often the dependency's future is pending before it is done.
const PENDING: usize = 3;

/// A dependency that knows how many of its calls are alive.
#[derive(Clone, Default)]
struct Dependency {
    alive: Arc<AtomicUsize>,
}

impl Dependency {
    async fn call(self) -> Result<(), Rejection> {
        self.alive.fetch_add(1, Ordering::SeqCst);
        let _alive = Alive(self.alive);
        for _ in 0..PENDING {
            yield_now().await;
        }
        Ok(())
    }
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

type Call<'a> = Pin<Box<dyn Future<Output = Result<(), Rejection>> + 'a>>;

/// A way to make a call.
struct Door {
    name: &'static str,
    call: fn(&CircuitBreaker, Dependency) -> Call<'_>,
    /// Whether the call is admitted when its future is made, and not only when it is polled.
    admits_at_once: bool,
}

fn doors() -> Vec<Door> {
    let run = Door {
        name: "run",
        call: |breaker, dependency| Box::pin(async move { breaker.run(dependency.call()).await? }),
        admits_at_once: false,
    };
    #[cfg(feature = "tower")]
    return [run].into_iter().chain(layers::doors()).collect();
    #[cfg(not(feature = "tower"))]
    return vec![run];
}

#[cfg(feature = "tower")]
mod layers {
    use super::{Call, Door, Rejection};
    use std::future::poll_fn;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;
    use tower::{Layer, Service, service_fn};

    pub(super) fn doors() -> [Door; 4] {
        [
            Door {
                name: "shed",
                call: |breaker, dependency| {
                    called(breaker.layer().layer(service_fn(move |()| dependency.clone().call())))
                },
                admits_at_once: true,
            },
            Door {
                name: "wait",
                call: |breaker, dependency| {
                    let layer = breaker.layer().wait(Duration::from_secs(1));
                    called(layer.layer(service_fn(move |()| dependency.clone().call())))
                },
                admits_at_once: false,
            },
            Door {
                name: "backpressure",
                call: |breaker, dependency| {
                    called(breaker.layer().backpressure().layer(service_fn(move |()| dependency.clone().call())))
                },
                admits_at_once: true,
            },
            Door {
                name: "readiness and call",
                call: |breaker, dependency| {
                    let layer = breaker.layer().backpressure();
                    let mut service = layer.layer(service_fn(move |()| dependency.clone().call()));
                    Box::pin(async move {
                        poll_fn(|cx| service.poll_ready(cx)).await?;
                        service.call(()).await
                    })
                },
                admits_at_once: false,
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

fn breaker(config: Config) -> CircuitBreaker {
    let (clock, _time) = Clock::manual();
    CircuitBreaker::with_clock(config, clock).expect("valid")
}

/// Drops a call behind `door` at every poll. `check` sees what there was before the call and after, and whether the call was
/// admitted and whether it came to its end.
fn at_every_poll(
    door: &Door,
    breaker: &CircuitBreaker,
    mut prepare: impl FnMut(),
    mut check: impl FnMut(Snapshot, Snapshot, Fate),
) {
    let dependency = Dependency::default();
    let before = RefCell::new(breaker.snapshot());
    let mut points = 0;
    let took = cancel_at_every_poll(
        || {
            prepare();
            before.replace(breaker.snapshot());
            (door.call)(breaker, dependency.clone())
        },
        |polls| {
            points += 1;
            assert_eq!(dependency.alive.load(Ordering::SeqCst), 0, "{}: a call lives on", door.name);
            let fate = match polls {
                0 if !door.admits_at_once => Fate::NeverAdmitted,
                polls if polls <= PENDING => Fate::Dropped,
                _ => Fate::Finished,
            };
            check(before.borrow().clone(), breaker.snapshot(), fate);
        },
    );
    assert_eq!((took, points), (PENDING + 1, PENDING + 2), "{}: every point was tried", door.name);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    NeverAdmitted,
    Dropped,
    Finished,
}

#[test]
fn a_dropped_call_counts_as_its_policy_says() {
    let policies = [(Abandoned::Ignore, [0, 0, 0]), (Abandoned::Failure, [1, 1, 0]), (Abandoned::Rate(1.0), [0, 0, 1])];
    for door in doors() {
        for (policy, [calls, failed, abandoned]) in policies {
            let config = Config::default().window(Window::count(100).minimum_calls(100)).abandoned(policy);
            let breaker = breaker(config);
            at_every_poll(
                &door,
                &breaker,
                || (),
                |before, after, fate| {
                    let told = format!("{}, {policy:?}: {fate:?}", door.name);
                    let counted = [
                        after.figures.calls - before.figures.calls,
                        after.figures.failed - before.figures.failed,
                        after.figures.abandoned - before.figures.abandoned,
                    ];
                    let total = (
                        after.total.successes - before.total.successes,
                        after.total.abandoned - before.total.abandoned,
                    );
                    match fate {
                        Fate::NeverAdmitted => assert_eq!((counted, total), ([0, 0, 0], (0, 0)), "{told}"),
                        Fate::Dropped => assert_eq!((counted, total), ([calls, failed, abandoned], (0, 1)), "{told}"),
                        Fate::Finished => assert_eq!((counted, total), ([1, 0, 0], (1, 0)), "{told}"),
                    }
                    assert_eq!((after.total.stale, after.total.refused), (0, 0), "{told}");
                },
            );
        }
    }
}

/// Three probes of which two must succeed; a new half-open generation for each call.
fn probed(door: &Door, policy: Abandoned, check: impl FnMut(Snapshot, Snapshot, Fate)) {
    let breaker = breaker(Config::classic().abandoned(policy).half_open(HalfOpen::default().without_max()));
    let prepare = || {
        breaker.trip();
        breaker.half_open().expect("it is open");
    };
    at_every_poll(door, &breaker, prepare, check);
}

#[test]
fn a_dropped_probe_is_given_back_at_every_poll() {
    for door in doors() {
        for policy in [Abandoned::Ignore, Abandoned::Rate(1.0)] {
            probed(&door, policy, |before, after, fate| {
                let told = format!("{}, {policy:?}: {fate:?}", door.name);
                assert_eq!((before.probes_left, after.state), (Some(3), State::HalfOpen), "{told}");
                let left = if fate == Fate::Finished { 2 } else { 3 };
                assert_eq!(after.probes_left, Some(left), "{told}");
                let abandoned = u64::from(fate == Fate::Dropped && policy != Abandoned::Ignore);
                assert_eq!(after.figures.abandoned, abandoned, "{told}");
            });
        }
    }
}

#[test]
fn a_dropped_probe_that_counts_as_a_failure_uses_its_permit() {
    for door in doors() {
        probed(&door, Abandoned::Failure, |_, after, fate| {
            let told = format!("{}: {fate:?}", door.name);
            let (left, failed) = match fate {
                Fate::NeverAdmitted => (3, 0),
                Fate::Dropped => (2, 1),
                Fate::Finished => (2, 0),
            };
            assert_eq!((after.state, after.probes_left), (State::HalfOpen, Some(left)), "{told}");
            assert_eq!(after.figures.failed, failed, "{told}");
        });
    }
}

#[test]
fn a_single_probe_that_is_dropped_opens_the_circuit_where_dropping_counts() {
    for door in doors() {
        for (policy, dropped) in [
            (Abandoned::Ignore, State::HalfOpen),
            (Abandoned::Failure, State::Open),
            (Abandoned::Rate(1.0), State::Open),
        ] {
            let half_open = HalfOpen::probes(1).without_max();
            let breaker = breaker(Config::classic().abandoned(policy).half_open(half_open));
            let prepare = || {
                breaker.trip();
                breaker.half_open().expect("it is open");
            };
            at_every_poll(&door, &breaker, prepare, |_, after, fate| {
                let expected = match fate {
                    Fate::NeverAdmitted => State::HalfOpen,
                    Fate::Dropped => dropped,
                    Fate::Finished => State::Closed,
                };
                assert_eq!(after.state, expected, "{}, {policy:?}: {fate:?}", door.name);
            });
        }
    }
}

#[test]
fn calls_that_a_timeout_outside_drops_open_the_circuit() {
    let breaker = breaker(Config::default().window(Window::count(10).minimum_calls(3)));
    let hanging = || breaker.run(std::future::pending::<Result<(), ()>>());
    for polls in 1..=3 {
        assert_eq!(breaker.state(), State::Closed);
        let mut call = Box::pin(hanging());
        for _ in 0..polls {
            assert!(call.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending());
        }
    }
    assert_eq!(breaker.state(), State::Open, "three of three were abandoned");
}

#[cfg(feature = "tower")]
#[test]
fn a_ready_service_that_is_dropped_or_cloned_holds_no_probe() {
    use std::task::{Context, Poll, Waker};
    use tower::{Layer, Service, service_fn};

    fn check<S>(breaker: &CircuitBreaker, mut service: S, mode: &str)
    where
        S: Service<(), Error = Rejection> + Clone,
    {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))), "{mode}");
        assert_eq!(breaker.snapshot().probes_left, Some(1), "{mode}: readiness takes no probe");
        drop(service.clone());
        drop(service);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.probes_left, snapshot.total.abandoned), (Some(1), 0), "{mode}");
    }

    let half_open = HalfOpen::probes(1).without_max();
    let breaker = breaker(Config::classic().half_open(half_open));
    breaker.trip();
    breaker.half_open().expect("it is open");
    let inner = service_fn(|()| Dependency::default().call());
    check(&breaker, breaker.layer().layer(inner), "shed");
    check(&breaker, breaker.layer().wait(std::time::Duration::from_secs(1)).layer(inner), "wait");
    check(&breaker, breaker.layer().backpressure().layer(inner), "backpressure");
}
