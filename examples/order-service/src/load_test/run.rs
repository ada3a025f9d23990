//! The load itself: an open model, in which no request waits for the answer to another.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use seawall_core::Deadline;
use seawall_core::time::Clock;
use seawall_retry::Timeout;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use super::report::{Recorder, Report, Shot};
use super::schedule::{Planned, Schedule};

/// How long after it was to begin a request is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What a test may use, so that it takes no more from the process than from the service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Requests under way and in line for a connection. One more is not sent.
    pub(super) outstanding: usize,
    /// Requests under way. Each has a connection, whose ends are two file descriptors of this process.
    pub(super) connections: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { outstanding: 4_096, connections: 256 }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Answered(StatusCode),
    /// The connection broke, or no answer came in time.
    Unanswered,
    /// There was no room for it, or none in time.
    Unsent,
}

/// Sends each request of `schedule` when its time has come, however many are under way, and waits for the last answer. `send`
/// gives the status of the answer, if one comes; `timeout` limits that to [`PATIENCE`].
///
/// A request whose time came while the service stood still is late by as much, and its latency says so: it is that from the
/// moment at which it was to begin, which a generator that waits for answers never sees.
///
/// # Cancel safety
/// Dropped before its end, it takes back what is under way.
pub(super) async fn run<F>(
    schedule: Schedule,
    clock: &Clock,
    timeout: &Timeout,
    bounds: Bounds,
    send: impl Fn(Planned) -> F,
) -> Report
where
    F: Future<Output = Option<StatusCode>> + Send + 'static,
{
    let connections = Arc::new(Semaphore::new(bounds.connections));
    let mut recorder = Recorder::new();
    let mut outstanding = JoinSet::new();
    for planned in schedule.iter() {
        clock.sleep_until(planned.at).await;
        while let Some(ended) = outstanding.try_join_next() {
            if let Some(shot) = shot(ended) {
                recorder.note(&shot);
            }
        }
        if outstanding.len() >= bounds.outstanding {
            recorder.note(&Shot::unsent(planned));
            continue;
        }
        outstanding.spawn(fire(planned, clock.clone(), timeout.clone(), connections.clone(), send(planned)));
    }
    while let Some(ended) = outstanding.join_next().await {
        if let Some(shot) = shot(ended) {
            recorder.note(&shot);
        }
    }
    clock.sleep_until(schedule.end()).await;
    recorder.report(&schedule, clock.now())
}

/// One request, from the moment at which it is to begin.
async fn fire(
    planned: Planned,
    clock: Clock,
    timeout: Timeout,
    connections: Arc<Semaphore>,
    send: impl Future<Output = Option<StatusCode>>,
) -> Shot {
    let mut begun = None;
    let answer = timeout.run_until(Deadline::at(planned.at + PATIENCE), async {
        let _connection = connections.acquire().await.ok()?;
        begun = Some(clock.now());
        send.await
    });
    let answer = answer.await;
    let Some(begun) = begun else { return Shot::unsent(planned) };
    let ended = clock.now();
    Shot {
        errand: planned.errand,
        end: answer.ok().flatten().map_or(End::Unanswered, End::Answered),
        latency: ended.saturating_duration_since(planned.at),
        service_time: ended.saturating_duration_since(begun),
    }
}

/// Nothing of a request that ended with the whole process.
fn shot(ended: Result<Shot, JoinError>) -> Option<Shot> {
    match ended {
        Ok(shot) => Some(shot),
        Err(error) => {
            if let Ok(payload) = error.try_into_panic() {
                resume_unwind(payload);
            }
            None
        }
    }
}

#[cfg(test)]
mod tests;
