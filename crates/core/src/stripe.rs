//! Counters that cost a plain store: one lane per thread, and one lane that the threads without a lane share.
//!
//! An atomic read-modify-write costs as much as reading the clock, even when no other thread is near. A lane that only one
//! thread ever writes needs none: a load, an addition and a store. So each thread takes a *seat* while it lives, a small
//! number that no other living thread has, and writes the lane of that number. Threads that find all seats taken share the
//! last lane by read-modify-write.
//!
//! A reader adds up all lanes. Sums are exact once the writers are quiet, and while they write, a sum is a value that the
//! total had at some moment of the reading.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::sync::atomic::{AtomicU64, Ordering};

/// A seat that stands for "no lane of one's own".
const STANDING: usize = usize::MAX;
/// The most seats that are ever given out.
const MOST_SEATS: usize = 64;

/// How many lanes of their own threads can have: two for each processor, at least 4 and at most 64.
pub fn seats() -> usize {
    static SEATS: OnceLock<usize> = OnceLock::new();
    if cfg!(seawall_loom) {
        return 2;
    }
    *SEATS.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        (processors * 2).next_power_of_two().clamp(4, MOST_SEATS)
    })
}

/// The seat of the current thread, or [`STANDING`].
#[cfg(not(seawall_loom))]
#[inline]
pub(crate) fn seat() -> usize {
    seating::current()
}

#[cfg(not(seawall_loom))]
mod seating {
    use super::{Cell, MOST_SEATS, STANDING, seats};
    use parking_lot::Mutex;

    const UNASKED: usize = usize::MAX - 1;

    /// Which seats are free: a bit each. Taking and leaving a seat go through this lock, so the next holder of a seat sees
    /// all that the last one wrote.
    static FREE: Mutex<u64> = Mutex::new(u64::MAX);

    thread_local! {
        /// Without a destructor, so that reading it is one load.
        static SEAT: Cell<usize> = const { Cell::new(UNASKED) };
        static GUARD: Guard = const { Guard };
    }

    /// Gives the seat back when its thread ends.
    struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            // Destructors of other thread locals may still count something: they do it standing.
            let seat = SEAT.replace(STANDING);
            if seat < MOST_SEATS {
                *FREE.lock() |= 1 << seat;
            }
        }
    }

    #[inline]
    pub(super) fn current() -> usize {
        let seat = SEAT.get();
        if seat == UNASKED { take() } else { seat }
    }

    #[cold]
    fn take() -> usize {
        // A thread that is past its destructors could never give a seat back, so it takes none.
        let ends = GUARD.try_with(|_| ()).is_ok();
        let seat = if ends { first_free() } else { STANDING };
        SEAT.set(seat);
        seat
    }

    fn first_free() -> usize {
        let mut free = FREE.lock();
        let seat = free.trailing_zeros() as usize;
        if seat >= seats() {
            return STANDING;
        }
        *free &= !(1 << seat);
        seat
    }
}

#[cfg(seawall_loom)]
pub(crate) fn seat() -> usize {
    model::SEAT.with(Cell::get)
}

/// Under loom a model gives its threads their seats itself.
#[cfg(seawall_loom)]
pub mod model {
    use super::{Cell, STANDING};

    loom::thread_local! {
        pub(super) static SEAT: Cell<usize> = Cell::new(STANDING);
    }

    /// Seats the current thread; `None` makes it share the last lane.
    pub fn sit(seat: Option<usize>) {
        SEAT.with(|own| own.set(seat.unwrap_or(STANDING)));
    }
}

/// Keeps what different threads write on different cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Padded<T>(pub T);

/// One `T` for each seat and one for all threads without a seat.
pub struct Striped<T> {
    own: Box<[Padded<T>]>,
    shared: Box<Padded<T>>,
}

impl<T: Default> Striped<T> {
    /// Lanes for `seats` seats and the shared one.
    pub fn new(seats: usize) -> Self {
        Self { own: (0..seats).map(|_| Padded::default()).collect(), shared: Box::default() }
    }
}

impl<T> Striped<T> {
    /// The lane of the current thread.
    #[inline]
    pub fn lane(&self) -> Lane<'_, T> {
        match self.own.get(seat()) {
            Some(lane) => Lane { value: &lane.0, exclusive: true, own_thread: PhantomData },
            None => Lane { value: &self.shared.0, exclusive: false, own_thread: PhantomData },
        }
    }

    /// All lanes.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.own.iter().chain(std::iter::once(&*self.shared)).map(|lane| &lane.0)
    }
}

impl<T> fmt::Debug for Striped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Striped").field("own", &self.own.len()).finish_non_exhaustive()
    }
}

/// The lane of one thread. It stays on its thread: another one would break the lane's promise of a single writer.
#[derive(Debug)]
pub struct Lane<'a, T> {
    value: &'a T,
    exclusive: bool,
    /// Not `Send`.
    own_thread: PhantomData<*const ()>,
}

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// What has been counted in this lane.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<'a, T> Lane<'a, T> {
    /// What the lane keeps. Other threads may look at it, and standing threads share one.
    #[inline]
    pub const fn get(&self) -> &'a T {
        self.value
    }

    /// Whether only this thread writes the lane; otherwise it is the one that standing threads share.
    #[inline]
    pub const fn is_own(&self) -> bool {
        self.exclusive
    }

    /// Adds one to the tally that `part` picks from the lane.
    #[inline]
    pub fn count(&self, part: impl FnOnce(&'a T) -> &'a Tally) {
        let tally = &part(self.value).0;
        if self.exclusive {
            tally.store(tally.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        } else {
            tally.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds one, under `tag`, to the count that `part` picks from the lane.
    #[inline]
    pub fn count_tagged(&self, part: impl FnOnce(&'a T) -> &'a TaggedTally, tag: Tag) -> Counted {
        let word = &part(self.value).0;
        if self.exclusive {
            let old = word.load(Ordering::Relaxed);
            if TaggedTally::is_plain(old, tag) {
                word.store(old + 1, Ordering::Release);
                return Counted::Plainly;
            }
        }
        self.count_tagged_slowly(word, tag)
    }

    /// The first count under a tag, a count that came too late, a count that is nearly full, or one in the shared lane.
    #[inline(never)]
    fn count_tagged_slowly(&self, word: &AtomicU64, tag: Tag) -> Counted {
        let mut old = word.load(Ordering::Relaxed);
        loop {
            let (new, counted) = TaggedTally::after(old, tag);
            if self.exclusive {
                word.store(new, Ordering::Release);
                return counted;
            }
            match word.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return counted,
                Err(found) => old = found,
            }
        }
    }
}

/// What became of a count under a [`Tag`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It counts.
    Plainly,
    /// It counts, and the lane is half full: a new tag should begin.
    NearlyFull,
    /// A later tag has begun: it counts nowhere.
    TooLate,
}

/// Names one period of counting. Tags follow each other and wrap; of two that are less than 2^23 periods apart, the later
/// one is known.
///
/// It is kept in the bits of a word in which a [`TaggedTally`] keeps it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag(u64);

impl Tag {
    /// How many bits a tag has: the highest of a word.
    pub const BITS: u32 = 24;
    /// Where they are.
    pub const MASK: u64 = !0 << (u64::BITS - Self::BITS);
    const ONE: u64 = 1 << (u64::BITS - Self::BITS);

    /// The tag in the highest bits of `word`.
    #[inline]
    pub const fn of(word: u64) -> Self {
        Self(word & Self::MASK)
    }

    /// The tag as the highest bits of a word.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The tag of the next period.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(Self::ONE))
    }

    const fn is_before(self, other: Self) -> bool {
        let ahead = other.0.wrapping_sub(self.0);
        ahead != 0 && ahead < 1 << (u64::BITS - 1)
    }
}

/// A count that starts anew with each [`Tag`], without anybody resetting it: the first to count under a later tag starts
/// at one, and whoever counts under an earlier tag than the last is too late and changes nothing.
///
/// So a count that its thread began before the period changed, and stores after, can never count in the new period.
#[derive(Debug, Default)]
pub struct TaggedTally(AtomicU64);

impl TaggedTally {
    const COUNT_BITS: u32 = u64::BITS - Tag::BITS;
    const COUNT: u64 = (1 << Self::COUNT_BITS) - 1;

    /// The count under `tag`.
    pub fn get(&self, tag: Tag) -> u64 {
        let word = self.0.load(Ordering::Acquire);
        if Tag::of(word) == tag { word & Self::COUNT } else { 0 }
    }

    /// Whether one can simply be added: the tag is the same and the count less than half full.
    #[inline]
    const fn is_plain(old: u64, tag: Tag) -> bool {
        (old ^ tag.0) >> (Self::COUNT_BITS - 1) == 0
    }

    const fn after(old: u64, tag: Tag) -> (u64, Counted) {
        let last = Tag::of(old);
        if Self::is_plain(old, tag) {
            (old + 1, Counted::Plainly)
        } else if last.0 == tag.0 {
            // A full count stays full: it must not run into the tag.
            let full = old & Self::COUNT == Self::COUNT;
            (if full { old } else { old + 1 }, Counted::NearlyFull)
        } else if last.is_before(tag) {
            (tag.0 | 1, Counted::Plainly)
        } else {
            (old, Counted::TooLate)
        }
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::{Arc, Barrier};

    const fn tag(number: u64) -> Tag {
        Tag::of(number << TaggedTally::COUNT_BITS)
    }

    #[derive(Default)]
    struct Lanes {
        plain: Tally,
        tagged: TaggedTally,
    }

    #[test]
    fn threads_that_live_together_never_share_a_seat() {
        let threads = seats() + 3;
        let barrier = Arc::new(Barrier::new(threads));
        let taken: Vec<usize> = (0..threads)
            .map(|_| {
                let barrier = barrier.clone();
                std::thread::spawn(move || {
                    let seat = seat();
                    barrier.wait();
                    seat
                })
            })
            .collect::<Vec<_>>()
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .collect();
        let own: Vec<usize> = taken.iter().copied().filter(|seat| *seat != STANDING).collect();
        assert_eq!(own.len(), own.iter().collect::<HashSet<_>>().len(), "a seat was given twice: {taken:?}");
        assert!(own.iter().all(|seat| *seat < seats()));
        assert!(own.len() < threads, "there were seats for everybody");
    }

    #[test]
    fn nothing_is_lost_whoever_counts() {
        let lanes = Arc::new(Striped::<Lanes>::new(2));
        let tag = tag(5);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        lanes.lane().count(|lane| &lane.plain);
                        lanes.lane().count_tagged(|lane| &lane.tagged, tag);
                    }
                });
            }
        });
        assert_eq!(lanes.iter().map(|lane| lane.plain.get()).sum::<u64>(), 60_000);
        assert_eq!(lanes.iter().map(|lane| lane.tagged.get(tag)).sum::<u64>(), 60_000);
    }

    #[test]
    fn a_count_belongs_to_its_tag_alone() {
        let lanes = Striped::<Lanes>::new(4);
        let (old, new) = (Tag::of(u64::MAX), Tag::of(u64::MAX).next());
        let count = |tag| lanes.lane().count_tagged(|lane| &lane.tagged, tag);
        let sum = |tag| lanes.iter().map(|lane| lane.tagged.get(tag)).sum::<u64>();
        // Far along, so that the next tag is the one that wraps.
        (1..4).for_each(|quarter| {
            count(Tag::of(quarter << (u64::BITS - 2)));
        });
        count(old);
        count(old);
        assert_eq!((sum(old), sum(new)), (2, 0));
        count(new);
        assert_eq!(sum(new), 1);
        assert_eq!(count(old), Counted::TooLate);
        assert_eq!((sum(old), sum(new)), (0, 1), "a late count of the old period changed the new one");
    }

    #[test]
    fn a_full_count_does_not_run_into_its_tag() {
        let full = tag(3).bits() | TaggedTally::COUNT;
        assert_eq!(TaggedTally::after(full, tag(3)), (full, Counted::NearlyFull));
        let half = tag(3).bits() | (TaggedTally::COUNT / 2);
        assert_eq!(TaggedTally::after(half, tag(3)), (half + 1, Counted::Plainly));
        assert_eq!(TaggedTally::after(half + 1, tag(3)), (half + 2, Counted::NearlyFull));
    }
}
