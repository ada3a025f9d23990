use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use seawall_bulkhead::limit::{LimitAlgorithm, Sample, Signal};
use seawall_bulkhead::{Bulkhead, Compartment, Config};
use seawall_core::time::{Clock, ManualTime, Timestamp};
use seawall_core::{AdmitOwned, Permit};

/// What stands before the service.
pub(crate) trait Door {
    /// A call comes.
    fn ask(&mut self, now: Timestamp, call: usize) -> Answer;

    /// An admitted call has ended, `rtt` after it was admitted.
    fn end(&mut self, now: Timestamp, call: usize, rtt: Duration, signal: Signal);

    /// Calls that have waited, and whether they are admitted.
    fn turns(&mut self, now: Timestamp) -> Vec<(usize, bool)>;

    /// The caller of a call that waits does not want its turn any more.
    fn leave(&mut self, now: Timestamp, call: usize);

    /// How many may be in flight.
    fn limit(&self) -> u32;

    fn in_flight(&self) -> u32;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Admitted,
    Waits,
    Refused,
}

/// A limit that does not change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed(pub(crate) u32);

impl LimitAlgorithm for Fixed {
    fn limit(&self) -> u32 {
        self.0
    }

    fn on_sample(&mut self, _: &Sample) -> u32 {
        self.0
    }
}

/// An algorithm by itself: who finds as many in flight as it says is refused at once.
pub(crate) struct Pure {
    algorithm: Box<dyn LimitAlgorithm>,
    in_flight: u32,
}

impl Pure {
    pub(crate) fn new(algorithm: impl LimitAlgorithm + 'static) -> Self {
        Self { algorithm: Box::new(algorithm), in_flight: 0 }
    }
}

impl Door for Pure {
    fn ask(&mut self, _: Timestamp, _: usize) -> Answer {
        if self.in_flight >= self.algorithm.limit() {
            return Answer::Refused;
        }
        self.in_flight += 1;
        Answer::Admitted
    }

    fn end(&mut self, now: Timestamp, _: usize, rtt: Duration, signal: Signal) {
        self.algorithm.on_sample(&Sample::new(now, rtt, self.in_flight, signal));
        self.in_flight -= 1;
    }

    fn turns(&mut self, _: Timestamp) -> Vec<(usize, bool)> {
        Vec::new()
    }

    fn leave(&mut self, _: Timestamp, _: usize) {}

    fn limit(&self) -> u32 {
        self.algorithm.limit()
    }

    fn in_flight(&self) -> u32 {
        self.in_flight
    }
}

/// A bulkhead, on a clock that is moved by hand.
pub(crate) struct Real {
    bulkhead: Bulkhead,
    time: ManualTime,
    queue: bool,
    permits: HashMap<usize, Permit<Bulkhead>>,
    /// In the order in which they came.
    waiting: Vec<Waiting>,
}

struct Waiting {
    call: usize,
    turn: Pin<Box<AdmitOwned<Compartment>>>,
    woken: Arc<Woken>,
}

/// Whether somebody is to be asked again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Waiting {
    /// Its turn, if it has come or will not come.
    fn poll(&mut self) -> Poll<Option<Permit<Bulkhead>>> {
        if !self.woken.0.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.woken));
        self.turn.as_mut().poll(&mut Context::from_waker(&waker)).map(Result::ok)
    }
}

impl Real {
    pub(crate) fn new(config: Config) -> Self {
        let (clock, time) = Clock::manual();
        let queue = config.get_queue() > 0;
        let bulkhead = Bulkhead::with_clock(config, clock).expect("a configuration that can be");
        Self { bulkhead, time, queue, permits: HashMap::new(), waiting: Vec::new() }
    }

    fn settle(&mut self, call: usize, permit: Option<Permit<Bulkhead>>) -> bool {
        let admitted = permit.is_some();
        self.permits.extend(permit.map(|permit| (call, permit)));
        admitted
    }
}

impl Door for Real {
    fn ask(&mut self, now: Timestamp, call: usize) -> Answer {
        self.time.advance_to(now);
        let answer = if self.queue {
            let woken = Arc::new(Woken(AtomicBool::new(true)));
            let mut waiting = Waiting { call, turn: Box::pin(self.bulkhead.admit_owned()), woken };
            match waiting.poll() {
                Poll::Ready(permit) => permit,
                Poll::Pending => {
                    self.waiting.push(waiting);
                    return Answer::Waits;
                }
            }
        } else {
            self.bulkhead.try_admit_owned().ok()
        };
        if self.settle(call, answer) { Answer::Admitted } else { Answer::Refused }
    }

    fn end(&mut self, now: Timestamp, call: usize, _: Duration, signal: Signal) {
        self.time.advance_to(now);
        let permit = self.permits.remove(&call).expect("it was admitted");
        match signal {
            Signal::Completed => permit.success(),
            Signal::Dropped => permit.failure(),
            _ => drop(permit),
        }
    }

    fn turns(&mut self, now: Timestamp) -> Vec<(usize, bool)> {
        self.time.advance_to(now);
        let mut turns = Vec::new();
        self.waiting.retain_mut(|waiting| match waiting.poll() {
            Poll::Pending => true,
            Poll::Ready(permit) => {
                turns.push((waiting.call, permit));
                false
            }
        });
        turns.into_iter().map(|(call, permit)| (call, self.settle(call, permit))).collect()
    }

    fn leave(&mut self, now: Timestamp, call: usize) {
        self.time.advance_to(now);
        self.waiting.retain(|waiting| waiting.call != call);
    }

    fn limit(&self) -> u32 {
        self.bulkhead.limit()
    }

    fn in_flight(&self) -> u32 {
        self.bulkhead.in_flight()
    }
}
