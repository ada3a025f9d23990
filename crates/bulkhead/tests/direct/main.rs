//! The bulkhead through its own doors.
#![cfg(not(seawall_loom))]

mod adaptive;
mod admission;
mod cancellation;
mod config;
mod flood;
mod observation;
mod properties;
mod runtimes;
mod together;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use seawall_bulkhead::{Bulkhead, Config};
use seawall_core::time::{Clock, ManualTime};

const SECOND: Duration = Duration::from_secs(1);

fn bulkhead(config: Config) -> (Bulkhead, ManualTime) {
    let (clock, time) = Clock::manual();
    (Bulkhead::with_clock(config, clock).expect("a valid configuration"), time)
}

/// A future that is polled by hand, with a count of how often it was woken.
struct Driven<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl<'a, T> Driven<'a, T> {
    /// One that has been polled once, and waits.
    #[track_caller]
    fn waiting(future: impl Future<Output = T> + 'a) -> Self {
        let mut driven = Self { future: Box::pin(future), woken: Arc::default() };
        assert!(driven.poll().is_pending(), "it does not wait");
        driven
    }

    fn poll(&mut self) -> Poll<T> {
        let waker = Waker::from(self.woken.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::SeqCst) > 0
    }

    /// What it gives, once it was woken.
    #[track_caller]
    fn output(mut self) -> T {
        assert!(self.is_woken(), "nobody woke it");
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it was woken for nothing"),
        }
    }
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}
