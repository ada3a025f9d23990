use std::sync::Arc;
use std::task::Waker;

use seawall_core::time::Timestamp;

use crate::seat::Seat;

/// The workers: who waits for work, who has been told to come, who is busy.
///
/// A worker that was woken or started counts as one that will take a job until it comes and asks: whoever submits does the
/// accounting, so that a burst does not count one idle worker twice.
#[derive(Debug)]
pub(crate) struct Crew {
    posts: Vec<Post>,
    free: Vec<u32>,
    /// Who waits for work: whoever came last is woken first, so that the others can leave.
    idle: Vec<u32>,
    live: usize,
    busy: usize,
    coming: usize,
    /// Those of them who were hired and have not been seen at all: it may be that they cannot be started.
    starting: usize,
}

/// One worker's place.
#[derive(Debug)]
struct Post {
    seat: Arc<Seat>,
    phase: Phase,
    is_new: bool,
    /// Since when it waits, or is at work.
    since: Timestamp,
    /// Of one at work: until when the attempt at which job may take, if somebody watches for that.
    watched: Option<(Timestamp, u64)>,
    /// Of one who waits.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody's.
    Free,
    /// Woken or started, and not seen since.
    Coming,
    Idle,
    Busy,
    /// Told to leave; it is not counted any more.
    Leaving,
}

/// How a worker finds itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may ask for work.
    Coming,
    /// It waits, and has not been woken by the pool.
    Idle,
    /// It is to leave.
    Leaving,
}

impl Crew {
    pub(crate) const fn new() -> Self {
        Self { posts: Vec::new(), free: Vec::new(), idle: Vec::new(), live: 0, busy: 0, coming: 0, starting: 0 }
    }

    /// How many workers there are.
    pub(crate) const fn live(&self) -> usize {
        self.live
    }

    /// How many are at work.
    pub(crate) const fn busy(&self) -> usize {
        self.busy
    }

    /// How many are free for work: those that wait for it, and those that have been told to come.
    pub(crate) const fn available(&self) -> usize {
        self.live - self.busy
    }

    /// How many have been told to come and have not been seen since.
    pub(crate) const fn coming(&self) -> usize {
        self.coming
    }

    /// A seat for one worker more, who is to come.
    pub(crate) fn hire(&mut self) -> Arc<Seat> {
        self.live += 1;
        self.coming += 1;
        self.starting += 1;
        // A seat of its own, though an earlier worker sat here: orders to that one do not concern this one.
        let at = self.free.pop().unwrap_or_else(|| u32::try_from(self.posts.len()).expect("workers are far fewer"));
        let seat = Arc::new(Seat::new(at));
        let post = Post {
            seat: seat.clone(),
            phase: Phase::Coming,
            is_new: true,
            since: Timestamp::ZERO,
            watched: None,
            waker: None,
        };
        match self.posts.get_mut(at as usize) {
            Some(free) => *free = post,
            None => self.posts.push(post),
        }
        seat
    }

    /// How many were hired and have not been seen at all.
    pub(crate) const fn starting(&self) -> usize {
        self.starting
    }

    /// A worker comes and asks.
    #[inline]
    pub(crate) fn arrive(&mut self, at: u32) {
        let post = &mut self.posts[at as usize];
        if post.is_new {
            post.is_new = false;
            self.starting -= 1;
        }
    }

    /// Wakes whoever came to wait last.
    #[inline]
    pub(crate) fn call_one(&mut self) -> Option<Waker> {
        let post = &mut self.posts[self.idle.pop()? as usize];
        post.phase = Phase::Coming;
        self.coming += 1;
        post.waker.take()
    }

    /// Since when the worker waits that has waited longest.
    pub(crate) fn idle_longest(&self) -> Option<Timestamp> {
        self.idle.first().map(|at| self.posts[*at as usize].since)
    }

    /// Sends the worker home that has waited longest.
    pub(crate) fn dismiss_one(&mut self) -> Option<Waker> {
        if self.idle.is_empty() {
            return None;
        }
        let at = self.idle.remove(0);
        self.live -= 1;
        let post = &mut self.posts[at as usize];
        post.phase = Phase::Leaving;
        post.waker.take()
    }

    /// How a worker finds itself that does not hold a job.
    #[inline]
    pub(crate) fn standing(&self, at: u32) -> Standing {
        match self.posts[at as usize].phase {
            Phase::Idle => Standing::Idle,
            Phase::Leaving | Phase::Free => Standing::Leaving,
            Phase::Coming | Phase::Busy => Standing::Coming,
        }
    }

    /// A worker that waits will be woken by this waker instead; gives the one before.
    pub(crate) fn wait_on(&mut self, at: u32, waker: Waker) -> Option<Waker> {
        self.posts[at as usize].waker.replace(waker)
    }

    /// A worker that has come takes a job.
    #[inline]
    pub(crate) fn begin(&mut self, at: u32, now: Timestamp) {
        let post = &mut self.posts[at as usize];
        post.phase = Phase::Busy;
        post.since = now;
        post.watched = None;
        post.seat.begin();
        self.coming -= 1;
        self.busy += 1;
    }

    /// A worker has ended its job and may take another. Gives when it began.
    #[inline]
    pub(crate) fn finish(&mut self, at: u32) -> Timestamp {
        let post = &mut self.posts[at as usize];
        post.phase = Phase::Coming;
        self.busy -= 1;
        self.coming += 1;
        post.since
    }

    /// A worker that came finds nothing and waits.
    #[inline]
    pub(crate) fn wait(&mut self, at: u32, now: Timestamp, waker: Waker) {
        let post = &mut self.posts[at as usize];
        post.phase = Phase::Idle;
        post.since = now;
        post.waker = Some(waker);
        self.coming -= 1;
        self.idle.push(at);
    }

    /// A worker is no more. Tells whether it was counted until now. Gives what would have woken it, to be dropped when the
    /// lock is released.
    pub(crate) fn leave(&mut self, at: u32) -> (bool, Option<Waker>) {
        let post = &mut self.posts[at as usize];
        let phase = std::mem::replace(&mut post.phase, Phase::Free);
        self.starting -= usize::from(std::mem::take(&mut post.is_new));
        let waker = post.waker.take();
        match phase {
            Phase::Free => return (false, None),
            Phase::Leaving => {}
            Phase::Coming => self.coming -= 1,
            Phase::Busy => self.busy -= 1,
            Phase::Idle => self.idle.retain(|other| *other != at),
        }
        self.free.push(at);
        let counted = phase != Phase::Leaving;
        self.live -= usize::from(counted);
        (counted, waker)
    }

    /// When the attempt of this worker ends, and at which job; somebody will say so.
    pub(crate) fn watch(&mut self, at: u32, watched: Option<(Timestamp, u64)>) {
        self.posts[at as usize].watched = watched;
    }

    /// The seat of a worker whose attempt at this job ends at `until`.
    pub(crate) fn watched(&self, at: u32, until: Timestamp, job: u64) -> Option<&Arc<Seat>> {
        self.at_work(at).filter(|_| self.posts[at as usize].watched == Some((until, job)))
    }

    /// The seat of a worker at work.
    pub(crate) fn at_work(&self, at: u32) -> Option<&Arc<Seat>> {
        self.posts.get(at as usize).filter(|post| post.phase == Phase::Busy).map(|post| &post.seat)
    }
}
