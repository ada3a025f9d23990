use std::collections::VecDeque;
use std::time::Duration;

use seawall_core::time::Timestamp;

use super::random::Draws;

/// What befalls the dependency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Condition {
    Well,
    /// Each call costs so many times more.
    Slow(f64),
    /// This share of answers are errors.
    Failing(f64),
    /// Its process is gone: connections are refused, and those that stand are reset. It comes back cold.
    Refusing,
    /// It takes calls and answers none. When that ends it is restarted, and comes back cold.
    Hanging,
}

/// How much the dependency can do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    /// How many calls it works on at once.
    pub(crate) workers: u32,
    /// What a call costs on average.
    pub(crate) work: Duration,
    /// How many calls wait; it refuses more.
    pub(crate) queue: u32,
    /// With a full queue each call costs `1 + drag` times as much.
    pub(crate) drag: f64,
    /// How fast it is right after a restart, of its usual speed.
    pub(crate) cold: f64,
    /// How long it takes to become as fast as usual.
    pub(crate) warm_up: Duration,
}

impl Capacity {
    /// Three quarters more than `clients` need who make eight calls a second each. With a full queue it can do half
    /// of what they need, so that the queue stays full if nobody holds back, and then every call waits longer than a
    /// second.
    pub(crate) fn for_clients(clients: u32) -> Self {
        Self {
            workers: clients / 2,
            work: Duration::from_micros(35_714),
            queue: clients * 7,
            drag: 2.5,
            cold: 0.1,
            warm_up: Duration::from_secs(45),
        }
    }

    /// How many calls a second it ends, when it is warm and its queue is full to this share.
    pub(crate) fn throughput(&self, fill: f64) -> f64 {
        f64::from(self.workers) / (self.work.as_secs_f64() * (1.0 + self.drag * fill))
    }
}

/// One call, as the dependency sees it.
#[derive(Clone, Copy)]
pub(super) struct Job {
    pub(super) call: usize,
    pub(super) work: Duration,
    /// Decides whether it is among those that fail, or whose caller made a mistake.
    luck: f64,
}

impl Job {
    pub(super) fn draw(call: usize, capacity: &Capacity, draws: &mut Draws) -> Self {
        Self { call, work: draws.work(capacity.work), luck: draws.unit() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Good,
    /// The caller's own mistake.
    Unrelated,
    Error,
}

/// A server: workers behind a queue. It does not know whether anybody still waits for the answer.
pub(super) struct Dependency {
    capacity: Capacity,
    unrelated: f64,
    condition: Condition,
    waiting: VecDeque<Job>,
    running: Vec<Job>,
    /// Work that was begun in an earlier one never ends.
    epoch: u32,
    restarted: Option<Timestamp>,
}

impl Dependency {
    pub(super) const fn new(capacity: Capacity, unrelated: f64) -> Self {
        Self {
            capacity,
            unrelated,
            condition: Condition::Well,
            waiting: VecDeque::new(),
            running: Vec::new(),
            epoch: 0,
            restarted: None,
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Tells whether there is room.
    pub(super) fn take(&mut self, job: Job) -> bool {
        let room = self.condition != Condition::Refusing && self.waiting.len() < self.capacity.queue as usize;
        if room {
            self.waiting.push_back(job);
        }
        room
    }

    /// A free worker begins with the next call: which, when it will be done, and in which epoch.
    pub(super) fn begin(&mut self, now: Timestamp) -> Option<(usize, Timestamp, u32)> {
        let idle = self.running.len() < self.capacity.workers as usize && self.condition != Condition::Hanging;
        let job = if idle { self.waiting.pop_front() } else { None }?;
        let slow = if let Condition::Slow(factor) = self.condition { factor } else { 1.0 };
        let fill = self.fill();
        self.running.push(job);
        let takes = job.work.mul_f64(slow * (1.0 + self.capacity.drag * fill) / self.warmth(now));
        Some((job.call, now + takes, self.epoch))
    }

    fn fill(&self) -> f64 {
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        f64::from(waiting) / f64::from(self.capacity.queue)
    }

    fn warmth(&self, now: Timestamp) -> f64 {
        let Capacity { cold, warm_up, .. } = self.capacity;
        let part = self.restarted.map_or(1.0, |at| {
            now.saturating_duration_since(at).as_secs_f64() / warm_up.as_secs_f64().max(f64::MIN_POSITIVE)
        });
        cold + (1.0 - cold) * part.min(1.0)
    }

    /// A worker is done: with what, unless the work was lost meanwhile.
    pub(super) fn finish(&mut self, call: usize, epoch: u32) -> Option<Answer> {
        let place = self.running.iter().position(|job| job.call == call && epoch == self.epoch)?;
        let job = self.running.swap_remove(place);
        let failing = if let Condition::Failing(share) = self.condition { share } else { 0.0 };
        Some(if job.luck < failing {
            Answer::Error
        } else if job.luck >= 1.0 - self.unrelated {
            Answer::Unrelated
        } else {
            Answer::Good
        })
    }

    /// Something else befalls it. Gives the calls whose connections are reset.
    pub(super) fn turn(&mut self, condition: Condition, now: Timestamp) -> Vec<usize> {
        let was_gone = matches!(self.condition, Condition::Refusing | Condition::Hanging);
        let is_gone = matches!(condition, Condition::Refusing | Condition::Hanging);
        self.condition = condition;
        if was_gone && !is_gone {
            self.restarted = Some(now);
        }
        if was_gone || is_gone {
            self.epoch += 1;
        }
        if condition == Condition::Refusing || was_gone {
            let running = std::mem::take(&mut self.running);
            return running.into_iter().chain(self.waiting.drain(..)).map(|job| job.call).collect();
        }
        Vec::new()
    }
}
