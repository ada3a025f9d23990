//! The worker pool against channels with workers behind them, against spawning with a bound, and against apalis.
//!
//! Every side has four workers and room for 1024 jobs, on a runtime of its own with two threads unless the path says otherwise,
//! and its producers are tasks of that runtime, too. What is timed is from the first submission until the last job has run; the
//! runtime, the queue and the workers exist before. Ours takes four priorities in turn, gives every job a deadline, catches
//! panics and keeps its signals.
//!
//! async-channel and flume have no priorities, no deadlines, no signals and no results, do not catch panics, and their number
//! of workers is fixed. What is spawned has no queue.

mod apalis;
mod channels;
mod course;
mod manual;
mod ours;
mod spawned;

use self::course::{Crowd, Noop, OneThread, Spins, Yields};
use crate::harness::Expected::{self, AllAdmitted, AllRefused};
use crate::harness::{Contest, Subject};

fn contest(path: &'static str, expected: Expected, ours: fn() -> Subject) -> Contest {
    Contest::new("worker-pool", path, expected, ours)
}

/// A path whose work is done by the threads of a runtime.
fn on_runtime(path: &'static str, ours: fn() -> Subject) -> Contest {
    contest(path, AllAdmitted, ours).on_runtime()
}

pub(super) fn contests() -> Vec<Contest> {
    [forgotten(), answered(), other_courses(), by_hand()].into_iter().flatten().collect()
}

fn forgotten() -> Vec<Contest> {
    vec![
        on_runtime("fire and forget", ours::tasks::<Noop>)
            .at_most(1.3, 1.3, "async-channel", channels::asynchronous::<Noop>)
            .against("flume", channels::flume::<Noop>)
            // What most services do: a task for each job, and 64 at once.
            .at_most(0.6, 0.6, "tokio spawn + Semaphore", spawned::semaphore::<Noop>)
            .against("tokio JoinSet, bounded", spawned::join_set::<Noop>)
            // One worker, whose jobs all run in its own task; it makes an id for each.
            .against("apalis, in memory", apalis::memory),
        on_runtime("fire and forget, typed", ours::typed::<Noop>)
            .against("async-channel, typed", channels::asynchronous_typed::<Noop>)
            .against("flume, typed", channels::flume_typed::<Noop>),
    ]
}

/// Up to 512 jobs are under way while the producer waits for the result of the oldest.
fn answered() -> Vec<Contest> {
    vec![
        on_runtime("with a result", ours::results::<Noop>)
            .at_most(1.3, 1.3, "async-channel + oneshot", channels::asynchronous_results::<Noop>)
            .against("flume + oneshot", channels::flume_results::<Noop>)
            .against("tokio spawn + JoinHandle", spawned::join_handles::<Noop>),
    ]
}

fn other_courses() -> Vec<Contest> {
    vec![
        on_runtime("fire and forget, 64 producers", ours::tasks::<Crowd>)
            .against("async-channel", channels::asynchronous::<Crowd>)
            .against("flume", channels::flume::<Crowd>)
            .against("tokio spawn + Semaphore", spawned::semaphore::<Crowd>),
        on_runtime("fire and forget, body yields", ours::tasks::<Yields>)
            .against("async-channel", channels::asynchronous::<Yields>)
            .against("tokio spawn + Semaphore", spawned::semaphore::<Yields>),
        on_runtime("fire and forget, body of 10 us", ours::tasks::<Spins>)
            .against("async-channel", channels::asynchronous::<Spins>)
            .against("tokio spawn + Semaphore", spawned::semaphore::<Spins>),
        on_runtime("fire and forget, current thread", ours::tasks::<OneThread>)
            .against("async-channel", channels::asynchronous::<OneThread>)
            .against("tokio spawn + Semaphore", spawned::semaphore::<OneThread>),
        on_runtime("with a result, current thread", ours::results::<OneThread>)
            .against("async-channel + oneshot", channels::asynchronous_results::<OneThread>),
    ]
}

/// The worker is polled by hand after each submission, on the same thread.
fn by_hand() -> Vec<Contest> {
    vec![
        contest("one job, typed", AllAdmitted, manual::typed)
            .single_threaded()
            .against("async-channel, typed", manual::asynchronous_typed),
        contest("one job, boxed", AllAdmitted, manual::boxed)
            .single_threaded()
            .against("async-channel", manual::asynchronous_boxed),
        // The channels give the job back; ours tells when there may be room.
        contest("refuse", AllRefused, manual::refuses)
            .against("async-channel", manual::asynchronous_refuses)
            .against("flume", manual::flume_refuses),
        contest("signals", AllAdmitted, manual::signals),
    ]
}
