use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use seawall_core::time::Timestamp;

use super::Draws;

/// What a service can do.
///
/// Up to `knee` calls at once do not slow each other down. More share what `knee` calls get, and hinder each other: with `n` at once
/// the throughput is that of the knee divided by `1 + drag · (n / knee − 1)²`: flat at first, then it collapses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) knee: u32,
    pub(crate) drag: f64,
    /// What a call takes on average when nothing slows it down.
    pub(crate) base: Duration,
    pub(crate) noise: Noise,
    /// Who finds so many in it is turned away at once.
    pub(crate) room: usize,
}

/// How what calls take differs; the mean is 1 in each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noise {
    /// Log-normal: the deviation of the logarithm.
    LogNormal(f64),
    /// Half is the same for all, half is exponential.
    HalfExponential,
    /// This share of the calls takes so many times as long.
    Slow { share: f64, times: f64 },
}

impl Noise {
    pub(crate) fn draw(self, draws: &mut Draws) -> f64 {
        match self {
            Self::LogNormal(sigma) => draws.log_normal(sigma),
            Self::HalfExponential => 0.5 + 0.5 * draws.exponential(),
            Self::Slow { share, times } => {
                let slow = draws.chance(share);
                let mean = 1.0 + share * (times - 1.0);
                draws.log_normal(0.2) * if slow { times } else { 1.0 } / mean
            }
        }
    }
}

impl Shape {
    /// Calls a second that it can answer.
    pub(crate) fn capacity(&self) -> f64 {
        f64::from(self.knee) / self.base.as_secs_f64()
    }
}

/// A service at work: all calls in it progress alike, so a call ends when all have progressed by what it takes.
pub(super) struct Service {
    shape: Shape,
    /// Parts of the knee that are left.
    capacity: f64,
    now: Timestamp,
    /// Nanoseconds of work that each call has been given which was there all the time.
    progress: f64,
    calls: BinaryHeap<Work>,
}

/// A call in the service, and the progress at which it ends.
struct Work {
    ends: f64,
    call: usize,
}

impl Service {
    pub(super) const fn new(shape: Shape) -> Self {
        Self { shape, capacity: 1.0, now: Timestamp::ZERO, progress: 0.0, calls: BinaryHeap::new() }
    }

    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    fn speed(&self) -> f64 {
        let knee = f64::from(self.shape.knee) * self.capacity;
        let load = self.calls.len() as f64 / knee;
        let over = (load - 1.0).max(0.0);
        1.0 / (load.max(1.0) * (1.0 + self.shape.drag * over * over))
    }

    /// Works until `now`.
    #[expect(clippy::cast_precision_loss, reason = "runs of some minutes")]
    pub(super) fn work_until(&mut self, now: Timestamp) {
        self.progress += now.saturating_duration_since(self.now).as_nanos() as f64 * self.speed();
        self.now = now;
    }

    /// From now on it can do this part of what it could at first.
    pub(super) const fn set_capacity(&mut self, capacity: f64) {
        self.capacity = capacity;
    }

    pub(super) fn is_full(&self) -> bool {
        self.calls.len() >= self.shape.room
    }

    /// A call comes in that takes `work`.
    #[expect(clippy::cast_precision_loss, reason = "calls of less than minutes")]
    pub(super) fn begin(&mut self, call: usize, work: Duration) {
        self.calls.push(Work { ends: self.progress + work.as_nanos() as f64, call });
    }

    /// When the next call ends, if nothing changes.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        let left = (self.calls.peek()?.ends - self.progress).max(0.0) / self.speed();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
        Some(self.now + Duration::from_nanos(left.ceil() as u64))
    }

    /// Takes out the call that ends now.
    pub(super) fn end(&mut self) -> Option<usize> {
        let work = self.calls.pop()?;
        self.progress = self.progress.max(work.ends);
        Some(work.call)
    }
}

impl Ord for Work {
    /// The heap gives the greatest first, which is to be the first to end.
    fn cmp(&self, other: &Self) -> Ordering {
        other.ends.total_cmp(&self.ends).then(other.call.cmp(&self.call))
    }
}

impl PartialOrd for Work {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Work {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Work {}
