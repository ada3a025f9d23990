//! The course that every side runs: a runtime, producers on it, and jobs that note that they ran.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::yield_now;

use crate::harness::{Subject, Tally};

/// How many workers every side has.
pub(super) const WORKERS: usize = 4;
/// How many jobs every side lets wait.
pub(super) const BOUND: usize = 1_024;
/// How many results a producer lets stand out.
const WINDOW: usize = 512;

/// What a job does, and where and by how many it is submitted.
pub(super) trait Course: Send + Sync + 'static {
    /// The runtime's threads; 0 for the caller's own.
    const THREADS: usize = 2;
    const PRODUCERS: u64 = 1;

    /// What a job does before it notes that it ran.
    fn body() -> impl Future<Output = ()> + Send + 'static {
        async {}
    }
}

pub(super) struct Noop;
pub(super) struct Crowd;
pub(super) struct OneThread;
pub(super) struct Yields;
pub(super) struct Spins;

impl Course for Noop {}

impl Course for Crowd {
    const PRODUCERS: u64 = 64;
}

impl Course for OneThread {
    const THREADS: usize = 0;
}

impl Course for Yields {
    fn body() -> impl Future<Output = ()> + Send + 'static {
        yield_now()
    }
}

impl Course for Spins {
    async fn body() {
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(10) {
            std::hint::spin_loop();
        }
    }
}

/// Where jobs note that they ran, on a line of their thread's own. It is never freed: a job refers to it without a count.
#[derive(Clone, Copy)]
pub(super) struct Board(&'static [Stripe; 2]);

#[repr(align(128))]
#[derive(Default)]
struct Stripe(AtomicU64);

thread_local! {
    /// Which of its runtime's threads this one is.
    static PLACE: Cell<usize> = const { Cell::new(0) };
}

impl Board {
    fn new() -> Self {
        Self(Box::leak(Box::default()))
    }

    /// Notes a job. Only one thread writes a stripe.
    #[inline]
    pub(super) fn note(self) {
        let stripe = &self.0[PLACE.get()].0;
        stripe.store(stripe.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    pub(super) fn noted(self) -> u64 {
        self.0.iter().map(|stripe| stripe.0.load(Ordering::Acquire)).sum()
    }
}

/// One job of a course.
#[inline]
pub(super) async fn job<C: Course>(board: Board) {
    C::body().await;
    board.note();
}

/// A runtime's handle to start workers on, and the board for their jobs.
pub(super) struct Grounds<'a> {
    pub(super) runtime: &'a Handle,
    pub(super) board: Board,
}

/// Where jobs are submitted whose results nobody wants.
pub(super) trait Forgets: Clone + Send + Sync + 'static {
    fn send(&mut self, number: u64) -> impl Future<Output = ()> + Send;

    /// After the last job.
    fn finish(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Where jobs are submitted for a result, which is the number that was given.
pub(super) trait Answers: Clone + Send + Sync + 'static {
    type Answer: Future<Output = Option<u64>> + Send + Unpin;

    fn ask(&mut self, number: u64) -> impl Future<Output = Self::Answer> + Send;
}

/// Submits jobs and waits until all have run.
pub(super) fn forget<C: Course, S: Forgets>(side: impl Fn(&Grounds<'_>) -> S) -> Subject {
    let runtime = runtime(C::THREADS);
    let board = Board::new();
    let side = side(&Grounds { runtime: runtime.handle(), board });
    round(runtime, move |calls| {
        let side = side.clone();
        async move {
            let before = board.noted();
            produce::<C, _>(side, calls).await;
            while board.noted() - before < calls {
                yield_now().await;
            }
            board.noted() - before
        }
    })
}

async fn produce<C: Course, S: Forgets>(side: S, calls: u64) {
    if C::PRODUCERS == 1 {
        return send(side, calls).await;
    }
    let share = |producer: u64| (calls + producer) / C::PRODUCERS;
    let producers: Vec<_> = (0..C::PRODUCERS).map(|nth| tokio::spawn(send(side.clone(), share(nth)))).collect();
    for producer in producers {
        producer.await.expect("a producer does not panic");
    }
}

async fn send<S: Forgets>(mut side: S, calls: u64) {
    for number in 0..calls {
        side.send(number).await;
    }
    side.finish().await;
}

/// Submits jobs and waits for their results, a window behind.
pub(super) fn answer<C: Course, S: Answers>(side: impl Fn(&Grounds<'_>) -> S) -> Subject {
    let runtime = runtime(C::THREADS);
    let side = side(&Grounds { runtime: runtime.handle(), board: Board::new() });
    round(runtime, move |calls| {
        let mut side = side.clone();
        async move {
            let mut window = VecDeque::with_capacity(WINDOW);
            let mut right = 0;
            for number in 0..calls {
                if window.len() == WINDOW {
                    right += oldest(&mut window).await;
                }
                window.push_back((number, side.ask(number).await));
            }
            while !window.is_empty() {
                right += oldest(&mut window).await;
            }
            right
        }
    })
}

/// 1 if the oldest result is the one that belongs to it.
async fn oldest<A: Future<Output = Option<u64>> + Unpin>(window: &mut VecDeque<(u64, A)>) -> u64 {
    match window.pop_front() {
        Some((number, answer)) => u64::from(answer.await == Some(number)),
        None => 0,
    }
}

/// A subject whose lane runs such a round as a task of the runtime, which tells how many jobs were done.
fn round<F>(runtime: Runtime, course: impl Fn(u64) -> F + Send + Sync + 'static) -> Subject
where
    F: Future<Output = u64> + Send + 'static,
{
    let shared = Arc::new((runtime, course));
    Subject::new(move |_| {
        let shared = Arc::clone(&shared);
        Box::new(move |calls| {
            let (runtime, course) = &*shared;
            let task = runtime.spawn(course(calls));
            let admitted = runtime.block_on(task).expect("a producer does not panic");
            Tally { admitted, refused: calls.saturating_sub(admitted) }
        })
    })
}

fn runtime(threads: usize) -> Runtime {
    let next = AtomicUsize::new(0);
    let mut builder = if threads == 0 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if threads > 0 {
        builder.worker_threads(threads);
    }
    let built = builder.enable_time().on_thread_start(move || PLACE.set(next.fetch_add(1, Ordering::Relaxed))).build();
    built.expect("the system has threads for a runtime")
}
