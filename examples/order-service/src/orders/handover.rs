//! The two ends of an order's processing: a job that does it, and a caller who waits for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use seawall_core::Deadline;
use seawall_core::time::Clock;
use tokio::sync::oneshot;

/// Nobody has decided yet.
const OPEN: u8 = 0;
/// The job answers the caller, whatever happens: the caller waits for it.
const JOB_ANSWERS: u8 = 1;
/// The caller has been told that the order stands, or is gone.
const CALLER_LEFT: u8 = 2;

/// What both ends know.
#[derive(Debug, Default)]
struct Shared {
    stage: AtomicU8,
    has_begun: AtomicBool,
}

/// The end of the job. Dropped without an answer, the caller is told that the order is queued.
#[derive(Debug)]
pub(super) struct Answer<T> {
    shared: Arc<Shared>,
    sender: oneshot::Sender<T>,
    deadline: Option<Deadline>,
}

/// The end of the caller. Dropped, the caller has left.
#[derive(Debug)]
pub(super) struct Wait<T> {
    shared: Arc<Shared>,
    receiver: oneshot::Receiver<T>,
    deadline: Option<Deadline>,
}

/// What came of the wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited<T> {
    /// The job's answer.
    Answered(T),
    /// None came in time. Nothing that the job may still find out takes the order back.
    Left {
        /// Whether a worker has the order.
        has_begun: bool,
    },
}

/// A job's and a caller's end; the caller itself waits until `deadline`.
pub(super) fn handover<T>(deadline: Option<Deadline>) -> (Answer<T>, Wait<T>) {
    let (sender, receiver) = oneshot::channel();
    let shared = Arc::new(Shared::default());
    (Answer { shared: shared.clone(), sender, deadline }, Wait { shared, receiver, deadline })
}

impl Shared {
    /// Decides, if nobody has. Whether this is how it was decided.
    fn decide(&self, stage: u8) -> bool {
        let was = self.stage.compare_exchange(OPEN, stage, Ordering::AcqRel, Ordering::Acquire);
        was.is_ok() || was == Err(stage)
    }
}

impl<T> Answer<T> {
    /// Whether the caller waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.shared.stage.load(Ordering::Acquire) != CALLER_LEFT
    }

    /// The job has begun. Until when its caller waits, if one does.
    pub(super) fn begin(&self) -> Option<Deadline> {
        self.shared.has_begun.store(true, Ordering::Release);
        if self.is_awaited() { self.deadline } else { None }
    }

    /// Whether the caller hears the answer in any case from now on: only then may the order be refused.
    pub(super) fn promise(&self) -> bool {
        self.shared.decide(JOB_ANSWERS)
    }

    /// Tells the caller, if it still waits.
    pub(super) fn give(self, answer: T) {
        let _ = self.sender.send(answer);
    }
}

impl<T> Wait<T> {
    /// Waits for `patience`, and no longer than the caller itself wants to.
    pub(super) async fn until(mut self, patience: Duration, clock: &Clock) -> Waited<T> {
        let end = Deadline::after(clock, patience).earlier(self.deadline);
        let answer = tokio::select! {
            biased;
            answer = &mut self.receiver => answer.ok(),
            () = clock.sleep_until(end.time()) => {
                if self.shared.decide(CALLER_LEFT) { None } else { (&mut self.receiver).await.ok() }
            }
        };
        match answer {
            Some(answer) => Waited::Answered(answer),
            None => Waited::Left { has_begun: self.shared.has_begun.load(Ordering::Acquire) },
        }
    }
}

impl<T> Drop for Wait<T> {
    fn drop(&mut self) {
        self.shared.decide(CALLER_LEFT);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(250);

    #[test]
    fn an_answer_in_time_is_heard_and_one_that_comes_late_is_not_waited_for() {
        let (clock, time) = Clock::manual();
        let (answer, wait) = handover(None);
        let mut wait = Box::pin(wait.until(PATIENCE, &clock));
        assert!((&mut wait).now_or_never().is_none());
        time.advance(Duration::from_millis(249));
        assert!((&mut wait).now_or_never().is_none());
        answer.give("paid");
        assert_eq!((&mut wait).now_or_never(), Some(Waited::Answered("paid")));

        let (answer, wait) = handover::<()>(None);
        let mut wait = Box::pin(wait.until(PATIENCE, &clock));
        assert!((&mut wait).now_or_never().is_none());
        answer.begin();
        time.advance(PATIENCE);
        assert_eq!((&mut wait).now_or_never(), Some(Waited::Left { has_begun: true }));
        assert!(!answer.promise(), "the order stands");
    }

    #[test]
    fn a_promised_answer_is_waited_for_beyond_all_patience() {
        let (clock, time) = Clock::manual();
        let (answer, wait) = handover(None);
        let mut wait = Box::pin(wait.until(PATIENCE, &clock));
        assert!((&mut wait).now_or_never().is_none());
        assert!(answer.promise() && answer.promise());
        time.advance(PATIENCE * 2);
        assert!((&mut wait).now_or_never().is_none());
        answer.give("out of stock");
        assert_eq!((&mut wait).now_or_never(), Some(Waited::Answered("out of stock")));
    }

    #[test]
    fn a_job_keeps_the_deadline_of_a_caller_who_waits_and_of_no_other() {
        let (clock, time) = Clock::manual();
        let deadline = Some(Deadline::after(&clock, Duration::from_millis(100)));
        let (answer, wait) = handover::<()>(deadline);
        assert_eq!(answer.begin(), deadline);
        let mut wait = Box::pin(wait.until(PATIENCE, &clock));
        assert!((&mut wait).now_or_never().is_none());
        time.advance(Duration::from_millis(100));
        assert_eq!((&mut wait).now_or_never(), Some(Waited::Left { has_begun: true }));

        let (answer, wait) = handover::<()>(deadline);
        drop(wait);
        assert!(answer.begin().is_none() && !answer.is_awaited());
        assert!(!answer.promise(), "whoever hung up was told nothing");
    }

    #[test]
    fn a_job_that_is_dropped_leaves_the_order_queued() {
        let (answer, wait) = handover::<()>(None);
        drop(answer);
        let waited = wait.until(PATIENCE, &Clock::manual().0).now_or_never();
        assert_eq!(waited, Some(Waited::Left { has_begun: false }));
    }
}
