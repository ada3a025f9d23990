use crate::stripe::{self, Padded};
use crate::sync::atomic::{AtomicU64, Ordering};

/// Permits in stripes, one for each seat of a thread, so that threads which take and put back at once do not meet on one word.
///
/// Stripes are looked at one after the other, so a permit that goes from one to another may be overlooked. But a sum over all of
/// them that is the same twice was true in between, because what was taken meanwhile can only be made up for by a release, and
/// releases are counted.
#[derive(Debug)]
pub(super) struct Stripes(Box<[Padded<Stripe>]>);

/// What lies in one stripe.
#[derive(Debug)]
struct Stripe {
    /// The lower half counts permits, the upper half the releases.
    word: AtomicU64,
    /// The last sum over all stripes that was found twice by whoever has this stripe: what is seen once more is still true. Only
    /// after exactly 2^32 releases it may not be, and one call be refused that need not.
    proven: AtomicU64,
}

/// One more release.
const RELEASE: u64 = 1 << u32::BITS;

/// What became of an attempt to take from one's own stripe.
pub(super) enum Taken {
    /// It had enough.
    All,
    /// There is not enough in all stripes together.
    Short {
        /// How many there are.
        free: u32,
    },
    /// Other stripes may have enough.
    Unknown,
}

impl Stripes {
    pub(super) fn new(permits: u32) -> Self {
        let count = u32::try_from(stripe::seats()).unwrap_or(u32::MAX);
        let share = |stripe: u32| u64::from(permits / count) + u64::from(stripe < permits % count);
        let stripe = |number| Stripe { word: AtomicU64::new(share(number)), proven: AtomicU64::new(u64::MAX) };
        Self((0..count).map(|number| Padded(stripe(number))).collect())
    }

    #[inline]
    fn own(&self) -> usize {
        stripe::seat().min(self.0.len() - 1)
    }

    /// Takes from the stripe of this thread. If it has too little, a look at all stripes may tell that what this thread has
    /// proven before still holds.
    #[inline]
    pub(super) fn take_from_own(&self, permits: u32) -> Taken {
        let Stripe { word, proven } = &self.0[self.own()].0;
        if take(word, permits).is_ok() {
            return Taken::All;
        }
        let proven = proven.load(Ordering::SeqCst);
        if permits_in(proven) < permits && self.sum() == proven {
            return Taken::Short { free: permits_in(proven) };
        }
        Taken::Unknown
    }

    /// Takes from the stripe of this thread, or from the next that has enough; otherwise tells the sum of what was seen.
    #[inline]
    pub(super) fn take_from_one(&self, permits: u32) -> Result<(), u64> {
        let mut seen = 0_u64;
        let (before, from_own) = self.0.split_at(self.own());
        for stripe in from_own.iter().chain(before) {
            seen = seen.wrapping_add(match take(&stripe.0.word, permits) {
                Ok(()) => return Ok(()),
                Err(there) => there,
            });
        }
        Err(seen)
    }

    /// Whether there was a moment at which the stripes had fewer than `permits`, after a look that found them to have `seen`.
    #[inline]
    pub(super) fn is_shortage(&self, permits: u32, seen: u64) -> bool {
        total_order();
        permits_in(seen) < permits && self.sum() == seen
    }

    /// Whether there is a moment at which the stripes have fewer than `permits`.
    #[inline]
    pub(super) fn are_short_of(&self, permits: u32) -> bool {
        let enough = permits_in(self.0[self.own()].0.word.load(Ordering::SeqCst)) >= permits;
        !enough && self.is_shortage(permits, self.sum())
    }

    /// Keeps for this thread that so much was the sum at one moment, and tells how many permits that is.
    pub(super) fn remember(&self, seen: u64) -> u32 {
        self.0[self.own()].0.proven.store(seen, Ordering::SeqCst);
        permits_in(seen)
    }

    /// How many permits there are, as near as concurrent callers let it be told.
    #[inline]
    pub(super) fn free(&self) -> u32 {
        permits_in(self.sum())
    }

    #[inline]
    fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum, stripe| sum.wrapping_add(stripe.0.word.load(Ordering::SeqCst)))
    }

    /// Takes from all stripes together, all or none, under the queue's lock. What is short is put back: whoever takes past the
    /// lock meanwhile began before the lock was taken, and sees that somebody was announced.
    pub(super) fn gather(&self, permits: u32) -> bool {
        let taken = self.take_at_most(permits);
        if taken > 0 && taken < permits {
            self.put(taken);
        }
        taken == permits
    }

    /// Takes what all stripes have, at most `most`, the own one first; tells how much it was.
    pub(super) fn take_at_most(&self, most: u32) -> u32 {
        let mut short = most;
        let (before, from_own) = self.0.split_at(self.own());
        for stripe in from_own.iter().chain(before) {
            if short == 0 {
                break;
            }
            short -= take_at_most(&stripe.0.word, short);
        }
        most - short
    }

    /// Puts permits into the stripe of this thread.
    #[inline]
    pub(super) fn put(&self, permits: u32) {
        self.0[self.own()].0.word.fetch_add(RELEASE + u64::from(permits), Ordering::SeqCst);
    }
}

const fn permits_in(word: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    {
        word as u32
    }
}

/// Takes `permits` from a stripe that has so many; otherwise tells what was there.
#[inline]
fn take(stripe: &AtomicU64, permits: u32) -> Result<(), u64> {
    let mut there = stripe.load(Ordering::SeqCst);
    while permits_in(there) >= permits {
        let less = there - u64::from(permits);
        match stripe.compare_exchange_weak(there, less, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return Ok(()),
            Err(found) => there = found,
        }
    }
    Err(there)
}

/// Takes what a stripe has, at most `most`, and tells how much it was.
fn take_at_most(stripe: &AtomicU64, most: u32) -> u32 {
    let taken = |there: u64| permits_in(there).min(most);
    let less = |there: u64| (taken(there) > 0).then(|| there - u64::from(taken(there)));
    stripe.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).map_or(0, taken)
}

/// The operations around it are in the one total order of all sequentially consistent ones. Loom gives them less than that,
/// so a model needs a fence.
#[inline]
pub(super) fn total_order() {
    #[cfg(seawall_loom)]
    crate::sync::atomic::fence(Ordering::SeqCst);
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_has_changed_since_proves_nothing() {
        let stripes = Stripes::new(1);
        assert_eq!(stripes.take_from_one(1), Ok(()));
        let seen = stripes.sum();
        assert!(stripes.is_shortage(1, seen));
        stripes.put(1);
        assert!(!stripes.is_shortage(1, seen), "one was released meanwhile");
        assert_eq!(stripes.take_from_one(1), Ok(()));
        assert!(!stripes.is_shortage(1, seen), "one was released and taken meanwhile");
        assert!(!stripes.is_shortage(0, stripes.sum()), "there are enough");
    }

    #[test]
    fn what_was_proven_is_believed_until_something_changes() {
        let stripes = Stripes::new(1);
        assert_eq!(stripes.take_from_one(1), Ok(()));
        assert!(matches!(stripes.take_from_own(1), Taken::Unknown), "nothing is proven yet");
        stripes.remember(stripes.sum());
        assert!(matches!(stripes.take_from_own(1), Taken::Short { free: 0 }));
        stripes.put(1);
        assert!(matches!(stripes.take_from_own(1), Taken::All));
        assert!(matches!(stripes.take_from_own(1), Taken::Unknown), "it was released and taken since");
    }
}
