use std::task::{Context, Poll, Waker};

use super::line::{Found, Line, Place, Priority};
use crate::stripe::{self, Padded};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// Capacity, and those who wait for it: the one queue of all patterns.
///
/// Permits lie in stripes, so that threads which take and release them at once do not meet on one word. Whoever finds no
/// permit announces itself and looks again under the lock; from then on whoever releases one comes through the lock too.
///
/// # Fairness
/// First come, first served within a [`Priority`]; a higher priority first. While anybody waits, nobody passes by.
///
/// # Cancel safety
/// A [`Place`] that is left gives its turn on, even if it had been granted already.
///
/// # Complexity
/// Taking and releasing without waiters: one read-modify-write, on a line of the thread's own in the best case. Everything
/// else takes the lock for a constant number of steps, and for one look at each stripe.
#[derive(Debug)]
pub struct WaitQueue {
    stripes: Box<[Padded<AtomicUsize>]>,
    /// How many reasons there are to come through the lock: those who wait, those who look a second time, and permits
    /// that are to be withdrawn.
    ///
    /// A permit is put into its stripe before this is read, and this is raised before the stripes are looked at for the last
    /// time; both in one total order, so one of the two sees the other.
    attention: AtomicUsize,
    locked: Mutex<Locked>,
}

#[derive(Debug)]
struct Locked {
    line: Line,
    /// The most who may wait.
    bound: usize,
    permits: usize,
    /// Permits that are out and will not be given out again.
    withdrawn: usize,
}

/// What [`WaitQueue::enter`] gives.
#[derive(Debug)]
pub enum Turn {
    /// A permit, at once.
    Now,
    /// A place in the line.
    Later(Place),
    /// Neither: nothing is free and the line is full.
    Full,
}

impl WaitQueue {
    /// So many permits, and at most `bound` who wait for one.
    pub fn new(permits: usize, bound: usize) -> Self {
        let stripes = stripe::seats();
        let share = |stripe| permits / stripes + usize::from(stripe < permits % stripes);
        Self {
            stripes: (0..stripes).map(|stripe| Padded(AtomicUsize::new(share(stripe)))).collect(),
            attention: AtomicUsize::new(0),
            locked: Mutex::new(Locked { line: Line::default(), bound, permits, withdrawn: 0 }),
        }
    }

    /// Takes a permit if one is free and nobody waits for it.
    #[inline]
    pub fn try_take(&self) -> bool {
        if self.attention.load(Ordering::SeqCst) == 0 && self.take_any() {
            return true;
        }
        matches!(self.enter_locked(None), Turn::Now)
    }

    /// Takes a permit, or a place in the line of `priority`.
    #[inline]
    pub fn enter(&self, priority: Priority) -> Turn {
        if self.attention.load(Ordering::SeqCst) == 0 && self.take_any() {
            return Turn::Now;
        }
        self.enter_locked(Some(priority))
    }

    /// Takes from the stripe of this thread, or from the next that has something.
    #[inline]
    fn take_any(&self) -> bool {
        let (before, from_own) = self.stripes.split_at(self.own());
        from_own.iter().chain(before).any(|stripe| take(&stripe.0))
    }

    #[inline]
    fn own(&self) -> usize {
        stripe::seat().min(self.stripes.len() - 1)
    }

    #[cold]
    fn enter_locked(&self, waits: Option<Priority>) -> Turn {
        let mut locked = self.locked.lock();
        // Announced: a permit that is released from here on is either seen below, or its releaser waits for the lock. Whoever
        // takes one past us began before this.
        self.announce();
        self.withdraw(&mut locked);
        let turn = if locked.withdrawn == 0 && locked.line.waiting() == 0 && self.take_any() {
            Turn::Now
        } else {
            match waits {
                Some(priority) if locked.line.waiting() < locked.bound => {
                    // The announcement stays for as long as the place waits.
                    return Turn::Later(locked.line.push(priority));
                }
                _ => Turn::Full,
            }
        };
        self.attention.fetch_sub(1, Ordering::SeqCst);
        turn
    }

    fn announce(&self) {
        self.attention.fetch_add(1, Ordering::SeqCst);
        total_order();
    }

    /// Gives a permit back: to the first in line, if there is one.
    #[inline]
    pub fn release(&self) {
        self.stripes[self.own()].0.fetch_add(1, Ordering::SeqCst);
        total_order();
        if self.attention.load(Ordering::SeqCst) > 0 {
            let next = self.hand_out(&mut self.locked.lock());
            next.into_iter().for_each(Waker::wake);
        }
    }

    /// Withdraws and grants what the stripes have. One permit is handed out at a time, by whoever released it, so there is
    /// at most one to wake.
    fn hand_out(&self, locked: &mut Locked) -> Option<Waker> {
        self.withdraw(locked);
        if locked.withdrawn == 0 && locked.line.waiting() > 0 && self.take_any() {
            self.attention.fetch_sub(1, Ordering::SeqCst);
            return locked.line.grant();
        }
        None
    }

    /// Takes what is to be withdrawn out of the stripes, as far as it is there.
    fn withdraw(&self, locked: &mut Locked) {
        for stripe in &self.stripes {
            if locked.withdrawn == 0 {
                return;
            }
            let most = locked.withdrawn;
            let taken =
                stripe.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |there| Some(there - there.min(most)));
            let taken = taken.map_or(0, |there| there.min(most));
            locked.withdrawn -= taken;
            self.attention.fetch_sub(taken, Ordering::SeqCst);
        }
    }

    /// Looks whether the turn of `place` has come; if not, `cx` is woken when it does. A place that is ready is used up, and
    /// its holder has a permit.
    pub fn poll(&self, place: &Place, cx: &mut Context<'_>) -> Poll<()> {
        // Wakers are the executor's code: they are cloned and dropped outside of the lock.
        let mut waker = Some(cx.waker().clone());
        let found = self.locked.lock().line.look(place, &mut waker);
        match found {
            Found::Granted => Poll::Ready(()),
            Found::Waiting | Found::Gone => Poll::Pending,
        }
    }

    /// Leaves the line. A turn that was granted already goes to the next.
    #[expect(clippy::needless_pass_by_value, reason = "a place that was left is worth nothing")]
    pub fn leave(&self, place: Place) {
        let (found, waker) = self.locked.lock().line.remove(&place);
        drop(waker);
        match found {
            Found::Waiting => {
                self.attention.fetch_sub(1, Ordering::SeqCst);
            }
            Found::Granted => self.release(),
            Found::Gone => {}
        }
    }

    /// Changes the number of permits. More wake those who wait; fewer are withdrawn as they are released, before anything
    /// is admitted again.
    pub fn resize(&self, permits: usize) {
        let mut wakers = Vec::new();
        {
            let mut locked = self.locked.lock();
            let (old, new) = (locked.permits, permits);
            locked.permits = new;
            let (fewer, more) = (old.saturating_sub(new), new.saturating_sub(old));
            locked.withdrawn += fewer;
            self.attention.fetch_add(fewer, Ordering::SeqCst);
            total_order();
            self.stripes[self.own()].0.fetch_add(more, Ordering::SeqCst);
            while self.attention.load(Ordering::SeqCst) > 0 {
                let before = (locked.withdrawn, locked.line.waiting());
                wakers.extend(self.hand_out(&mut locked));
                if before == (locked.withdrawn, locked.line.waiting()) {
                    break;
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Changes how many may wait. Those who wait already stay.
    pub fn set_bound(&self, bound: usize) {
        self.locked.lock().bound = bound;
    }

    /// How many permits are free, as near as concurrent callers let it be told.
    pub fn free(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.0.load(Ordering::Relaxed)).sum()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.locked.lock().line.waiting()
    }
}

/// Takes one from a stripe that has one.
#[inline]
fn take(stripe: &AtomicUsize) -> bool {
    let mut there = stripe.load(Ordering::SeqCst);
    while there > 0 {
        match stripe.compare_exchange_weak(there, there - 1, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return true,
            Err(found) => there = found,
        }
    }
    false
}

/// The operations around it are in the one total order of all sequentially consistent ones. Loom gives them less than that,
/// so a model needs a fence.
#[inline]
fn total_order() {
    #[cfg(seawall_loom)]
    crate::sync::atomic::fence(Ordering::SeqCst);
}
