use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use seawall_core::time::Timestamp;

use crate::event::Event;
use crate::pool::Pool;
use crate::returned::Returned;
use crate::task::{Runs, Task};

/// What became of the jobs of a pool that was [drained](Pool::drain).
#[must_use]
#[non_exhaustive]
pub struct Report<R: Runs = Task> {
    /// Jobs that succeeded since the drain began.
    pub completed: u64,
    /// Jobs that failed for the last time since then.
    pub failed: u64,
    /// Jobs that expired since then.
    pub expired: u64,
    /// Jobs that were cut off, or cancelled by their handles.
    pub cancelled: u64,
    /// Jobs that had not begun, or were waiting for their next attempt: nothing is lost silently. Whoever holds their handles
    /// waits on; [`Pool::resubmit`] gives them to another pool, and dropping them tells the handles.
    pub returned: Vec<Returned<R>>,
    /// Jobs that were told to stop and have not ended: work that blocks a thread and does not ask.
    pub running: usize,
}

impl<R: Runs> fmt::Debug for Report<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("completed", &self.completed)
            .field("failed", &self.failed)
            .field("expired", &self.expired)
            .field("cancelled", &self.cancelled)
            .field("returned", &self.returned.len())
            .field("running", &self.running)
            .finish()
    }
}

impl<R: Runs> Pool<R> {
    /// Ends the pool in two stages, and tells what became of its jobs.
    ///
    /// First it takes no more jobs, refuses those who wait for room, and works off what it has, retries included. What is left
    /// `within` that time is stopped: jobs that have not begun are given back, jobs that run are dropped at their next
    /// await, and work that blocks a thread is told. For that it waits for up to the configured `grace`.
    ///
    /// # Cancel safety
    /// Dropped before `within` has passed, the pool takes no more jobs and works off what it has; it can be drained again. Dropped
    /// later, the jobs that it would have given back are dropped, and their handles told.
    pub async fn drain(&self, within: Duration) -> Report<R> {
        let engine = self.engine();
        let before = engine.state.lock().ledger.ended();
        engine.close();
        let mut returned = Vec::new();
        let mut running = 0;
        if !self.ended_by(engine.now() + within).await {
            let grace = self.stop(&mut returned);
            if !self.ended_by(engine.now() + grace).await {
                running = engine.state.lock().running();
            }
        }
        let after = engine.state.lock().ledger.ended();
        let report = Report {
            completed: after.completed - before.completed,
            failed: after.failed - before.failed,
            expired: after.expired - before.expired,
            cancelled: after.cancelled - before.cancelled,
            returned,
            running,
        };
        engine.tell(&Event::Drained {
            name: engine.name,
            completed: report.completed,
            cancelled: report.cancelled,
            returned: report.returned.len() as u64,
        });
        report
    }

    /// The second stage.
    fn stop(&self, returned: &mut Vec<Returned<R>>) -> Duration {
        let engine = self.engine();
        let (seats, grace) = {
            let mut state = engine.state.lock();
            state.end();
            (state.order_all_to_stop(), state.config.grace)
        };
        for seat in seats {
            seat.wake();
        }
        loop {
            let job = engine.state.lock().return_one();
            let Some(job) = job else { break };
            returned.push(Returned::new(job.unit, job.terms));
        }
        engine.tend_closed();
        grace
    }

    /// Waits for the end of all jobs. Tells whether it came by then.
    async fn ended_by(&self, until: Timestamp) -> bool {
        let engine = self.engine();
        let mut timer = pin!(engine.clock.sleep_until(until));
        let waiting = Waiting { pool: self, who: engine.state.lock().jobs.number() };
        poll_fn(|cx| {
            let mut own = Some(cx.waker().clone());
            let is_quiet = {
                let mut state = engine.state.lock();
                let is_quiet = state.is_quiet();
                if let Some(waker) = own.take_if(|_| !is_quiet) {
                    own = state.wait_for_the_end(waiting.who, waker);
                }
                is_quiet
            };
            drop(own);
            if is_quiet {
                return Poll::Ready(true);
            }
            timer.as_mut().poll(cx).map(|()| false)
        })
        .await
    }
}

/// One who waits for the end of all jobs.
struct Waiting<'a, R: Runs> {
    pool: &'a Pool<R>,
    who: u64,
}

impl<R: Runs> Drop for Waiting<'_, R> {
    fn drop(&mut self) {
        let forgotten = self.pool.engine().state.lock().forget_drainer(self.who);
        drop(forgotten);
    }
}
