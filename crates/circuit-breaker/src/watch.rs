use seawall_core::WaitQueue;
use seawall_core::time::{Now, Timestamp};

use crate::state::Machine;

/// Those who wait for a circuit to change: calls that wait for a free probe or a decision, and whoever follows its time.
///
/// The queues have no capacity of their own to give out. A turn is the right to look again, so one too many costs a look.
pub(crate) struct Watch {
    pub(crate) calls: WaitQueue,
    pub(crate) followers: WaitQueue,
}

/// What those who wait could have seen of a circuit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    generation: u32,
    next_change: u64,
    /// `None` when it is not for probes that calls would wait.
    probes_left: Option<u64>,
}

impl Sight {
    pub(crate) fn of(machine: &Machine) -> Self {
        Self {
            generation: machine.generation(),
            next_change: machine.next_change().as_nanos(),
            probes_left: machine.probes_left(),
        }
    }
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { calls: line(0), followers: line(usize::MAX) }
    }

    /// Gives turns to those for whom something has changed.
    pub(crate) fn tell(&self, before: Sight, after: Sight) {
        if before == after {
            return;
        }
        give(&self.followers, u64::MAX);
        give(&self.calls, after.probes_left.unwrap_or(u64::MAX));
    }
}

/// A line in which at most `bound` wait for turns.
fn line(bound: usize) -> WaitQueue {
    let line = WaitQueue::new(1, bound);
    // The one permit is never free: turns come from elsewhere.
    line.try_take();
    line
}

/// Gives at most so many turns.
pub(crate) fn give(queue: &WaitQueue, most: u64) {
    let waiting = queue.waiting() as u64;
    // Nothing is foretold of these lines, so they need no time.
    let now = Now::at(Timestamp::ZERO);
    (0..waiting.min(most)).for_each(|_| queue.release(&now));
}
