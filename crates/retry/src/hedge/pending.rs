use seawall_core::sync::atomic::{AtomicU64, Ordering};

/// What one thread has measured and nobody has gathered: a ring that its thread alone writes, and that whoever holds the
/// lock of the window empties.
///
/// Of the two counts each side stores one and reads the other. A release store of its count gives a slot to the other side,
/// whose acquire load takes it: a slot is never written while it is read.
#[derive(Debug, Default)]
pub(super) struct Pending {
    recorded: AtomicU64,
    gathered: AtomicU64,
    slots: [AtomicU64; SLOTS],
}

const SLOTS: usize = if cfg!(seawall_loom) { 2 } else { 32 };

impl Pending {
    /// How many there can be.
    pub(super) const SLOTS: u64 = SLOTS as u64;

    /// Records one, and tells how many there are now; `None` if there is no room, and then it is not recorded.
    ///
    /// Only for the thread whose lane this is.
    #[inline]
    pub(super) fn record(&self, nanos: u64) -> Option<u64> {
        let recorded = self.recorded.load(Ordering::Relaxed);
        let pending = recorded.wrapping_sub(self.gathered.load(Ordering::Acquire));
        if pending == Self::SLOTS {
            return None;
        }
        self.slot(recorded).store(nanos, Ordering::Relaxed);
        self.recorded.store(recorded.wrapping_add(1), Ordering::Release);
        Some(pending + 1)
    }

    /// Takes all out, the oldest first, and tells whether there were any.
    ///
    /// Only for who holds the lock of the window.
    pub(super) fn gather(&self, mut take: impl FnMut(u64)) -> bool {
        let gathered = self.gathered.load(Ordering::Relaxed);
        let recorded = self.recorded.load(Ordering::Acquire);
        if gathered == recorded {
            return false;
        }
        let mut next = gathered;
        while next != recorded {
            take(self.slot(next).load(Ordering::Relaxed));
            next = next.wrapping_add(1);
        }
        self.gathered.store(recorded, Ordering::Release);
        true
    }

    const fn slot(&self, number: u64) -> &AtomicU64 {
        &self.slots[(number % Self::SLOTS) as usize]
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    fn gather(pending: &Pending) -> Vec<u64> {
        let mut gathered = Vec::new();
        assert_eq!(pending.gather(|nanos| gathered.push(nanos)), !gathered.is_empty());
        gathered
    }

    #[test]
    fn what_is_recorded_is_gathered_once_and_in_order() {
        let pending = Pending::default();
        let mut gathered = gather(&pending);
        // So many at a time that the ring ends at every one of its slots.
        for first in (0..7 * Pending::SLOTS).step_by(7) {
            for (before, nanos) in (first..first + 7).enumerate() {
                assert_eq!(pending.record(nanos), Some(before as u64 + 1));
            }
            gathered.extend(gather(&pending));
        }
        assert_eq!(gathered, (0..7 * Pending::SLOTS).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_ring_records_nothing_and_loses_nothing() {
        let pending = Pending::default();
        (0..Pending::SLOTS).for_each(|nanos| assert_eq!(pending.record(nanos), Some(nanos + 1)));
        assert_eq!(pending.record(99), None);
        assert_eq!(gather(&pending), (0..Pending::SLOTS).collect::<Vec<_>>());
        assert_eq!(pending.record(99), Some(1));
        assert_eq!(gather(&pending), [99]);
    }
}
