//! What a tower service's futures hold of a policy to which the end of a started call means nothing.
#![cfg(all(feature = "tower", not(seawall_loom)))]

mod common;

use std::convert::Infallible;
use std::future::{Pending, Ready, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::Switch;
use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, Conclude, Ending, Kind, Name, Permit, Policy, Rejection, Shared};
use tower_layer::Layer;
use tower_service::Service;

/// Hands out numbers, and takes back those that were never used.
#[derive(Default)]
struct Numbers {
    given: AtomicUsize,
    returned: AtomicUsize,
    /// Endings of calls that had started.
    others: AtomicUsize,
    /// Whether the next look finds nothing.
    shy: AtomicBool,
    alive: Arc<()>,
}

static NONE: Kind = Kind::new("numbers", "none");

impl Policy for Numbers {
    type Token = usize;
    type Place = Infallible;
    type Refusal = Rejection;
    const SETTLES: bool = false;

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn settle(&self, _number: usize, ending: Ending<'_>, _now: &Now<'_>) {
        let count = if matches!(ending, Ending::Cancelled) { &self.returned } else { &self.others };
        count.fetch_add(1, Ordering::SeqCst);
    }

    fn peek(&self, _now: &Now<'_>) -> Result<(), Rejection> {
        let shy = self.shy.swap(false, Ordering::SeqCst);
        if shy { Err(Rejection::new(&NONE, Name::from_static("test"))) } else { Ok(()) }
    }
}

impl<Call: ?Sized> Admits<Call> for Numbers {
    fn try_admit(&self, _ask: &Ask<'_, Call>) -> Result<usize, Rejection> {
        Ok(self.given.fetch_add(1, Ordering::SeqCst))
    }
}

#[derive(Clone, Debug)]
struct Failed;

impl From<Rejection> for Failed {
    fn from(_: Rejection) -> Self {
        Self
    }
}

type Answer<F> = fn() -> F;

/// Answers as it was told to.
#[derive(Clone)]
struct Inner<F>(Answer<F>, Poll<()>);

impl<F: Future<Output = Result<usize, Failed>>> Service<()> for Inner<F> {
    type Response = usize;
    type Error = Failed;
    type Future = F;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.1.map(Ok)
    }

    fn call(&mut self, (): ()) -> F {
        (self.0)()
    }
}

fn prompt() -> Inner<Ready<Result<usize, Failed>>> {
    Inner(|| ready(Ok(0)), Poll::Ready(()))
}

fn endless() -> Inner<Pending<Result<usize, Failed>>> {
    Inner(pending, Poll::Ready(()))
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn make_ready<S: Service<()>>(service: &mut S) {
    assert!(matches!(service.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))));
}

fn counts(numbers: &Numbers) -> [usize; 3] {
    [&numbers.given, &numbers.returned, &numbers.others].map(|count| count.load(Ordering::SeqCst))
}

fn numbers() -> Shared<Numbers> {
    Shared::from_policy(Numbers::default())
}

#[test]
fn a_started_call_holds_nothing_of_a_policy_that_minds_no_ending() {
    let numbers = numbers();
    let alive: Weak<()> = Arc::downgrade(&numbers.alive);
    let mut service = numbers.layer().layer(endless());
    make_ready(&mut service);
    let mut call = Box::pin(service.call(()));
    assert!(poll(call.as_mut()).is_pending());
    drop((numbers, service));
    assert!(alive.upgrade().is_none(), "the call holds the policy");
    assert!(poll(call.as_mut()).is_pending(), "and goes on");
}

#[test]
fn endings_of_started_calls_are_not_told_to_a_policy_that_minds_none() {
    let numbers = numbers();
    let mut service = numbers.layer().layer(prompt());
    make_ready(&mut service);
    assert!(matches!(poll(pin!(service.call(()))), Poll::Ready(Ok(0))));
    let mut service = numbers.layer().layer(endless());
    make_ready(&mut service);
    drop(service.call(()));
    let mut service = numbers.layer().layer(Inner(|| -> Ready<_> { panic!("in the call") }, Poll::Ready(())));
    make_ready(&mut service);
    assert!(catch_unwind(AssertUnwindSafe(|| service.call(()))).is_err());
    assert_eq!(counts(&numbers), [3, 0, 0]);
}

#[test]
fn a_call_that_never_started_is_given_back_whatever_endings_mean() {
    let numbers = numbers();
    let mut shed = numbers.layer().layer(prompt());
    numbers.shy.store(true, Ordering::SeqCst);
    make_ready(&mut shed);
    assert!(matches!(poll(pin!(shed.call(()))), Poll::Ready(Err(Failed))));
    assert_eq!(counts(&numbers), [1, 1, 0], "the look had found nothing");

    let mut reserved = numbers.layer().backpressure().layer(prompt());
    make_ready(&mut reserved);
    drop(reserved);
    assert_eq!(counts(&numbers), [2, 2, 0]);

    let unready = Inner(|| ready(Ok::<_, Failed>(0)), Poll::Pending);
    let mut waiting = Box::pin(numbers.layer().wait(Duration::MAX).layer(unready).call(()));
    assert!(poll(waiting.as_mut()).is_pending());
    drop(waiting);
    assert_eq!(counts(&numbers), [3, 3, 0]);
}

#[test]
fn what_looks_at_the_token_finds_it_whatever_endings_mean() {
    #[derive(Clone)]
    struct Number;
    impl Conclude<Shared<Numbers>, Result<usize, Failed>> for Number {
        type Output = Result<usize, Failed>;

        fn conclude(&self, permit: Permit<Shared<Numbers>>, result: Result<usize, Failed>) -> Self::Output {
            assert_eq!(permit.policy().map(counts), Some([8, 0, 0]));
            result.map(|_| *permit.token().expect("it is asked for"))
        }
    }
    let numbers = numbers();
    numbers.given.store(7, Ordering::SeqCst);
    let mut service = numbers.layer().conclude(Number).layer(prompt());
    make_ready(&mut service);
    assert!(matches!(poll(pin!(service.call(()))), Poll::Ready(Ok(7))));
}

#[test]
fn a_combination_minds_endings_if_one_of_its_members_does() {
    const fn minds<P: Policy>(_: &Shared<P>) -> bool {
        P::SETTLES
    }
    let (numbers, switch) = (numbers(), Shared::from_policy(Switch::default()));
    assert!(!minds(&Shared::from_policy(numbers.clone())), "a handle is as its policy");
    assert!(!minds(&numbers.by(|call: &usize| Some(call))));
    let both = |a: &Shared<Numbers>, b: &Shared<Numbers>| minds(&seawall_core::all((a.clone(), b.clone())));
    assert!(!both(&numbers, &numbers));
    assert!(minds(&seawall_core::all((numbers.clone(), switch.clone()))));

    let mut service = seawall_core::all((numbers.clone(), switch.clone())).layer().layer(prompt());
    make_ready(&mut service);
    assert!(matches!(poll(pin!(service.call(()))), Poll::Ready(Ok(0))));
    assert_eq!(switch.finished.load(Ordering::SeqCst), 1);
}
