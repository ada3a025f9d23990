use std::task::{Context, Poll};
use std::time::Duration;

use super::{Discipline, Found, Line, Pace, Place, Priority, Unserved, Waiter, Wakers};
use crate::stripe::{self, Padded};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::time::{Now, Timestamp};

/// Capacity, and those who wait for it: the one queue of all patterns.
///
/// Permits lie in stripes, so that threads which take and release them at once do not meet on one word. Whoever finds no
/// permit announces itself and looks again under the lock; from then on whoever releases one comes through the lock too.
///
/// # Fairness
/// A [`Discipline`] says who is served next; by default first come, first served within a [`Priority`], a higher priority
/// first. While anybody waits, nobody passes by: a call that asks for few permits does not overtake one that asks for many.
///
/// # Refusals
/// A call is refused only if at one moment of the asking too little was free, or somebody waited.
///
/// # Cancel safety
/// A [`Place`] that is left gives its turn on, even if it had been granted already.
///
/// # Complexity
/// Taking and releasing without waiters: one read-modify-write, on a line of the thread's own in the best case. Refusing
/// without a place in the line: two looks at each stripe, and nothing is written. Everything else takes the lock for a
/// constant number of steps, and for one look at each stripe.
#[derive(Debug)]
pub struct WaitQueue {
    stripes: Box<[Padded<Stripe>]>,
    /// In the lower half, how many reasons there are to come through the lock: those who wait, those who look a second time,
    /// and one for all permits that are to be withdrawn. In the upper half, how often one was announced.
    ///
    /// A permit is put into its stripe before this is read, and this is raised before the stripes are looked at for the last
    /// time; both in one total order, so one of the two sees the other.
    attention: AtomicU64,
    /// What is known of the locked part without the lock: of one moment each.
    told: Told,
    locked: Mutex<Locked>,
}

/// What lies in one stripe.
///
/// Stripes are looked at one after the other, so a permit that goes from one to another may be overlooked. But a sum over all of
/// them that is the same twice was true in between, because what was taken meanwhile can only be made up for by a release.
#[derive(Debug, Default)]
struct Stripe {
    /// The lower half counts permits, the upper half the releases.
    word: AtomicU64,
    /// The last sum over all stripes that was found twice by whoever has this stripe: what is seen once more is still true.
    proven: AtomicU64,
}

#[derive(Debug)]
struct Told {
    permits: AtomicU32,
    withdrawn: AtomicU32,
    waiting: AtomicUsize,
    /// Nanoseconds for each permit that is handed out; zero when nothing is known.
    pace: AtomicU64,
}

#[derive(Debug)]
struct Locked {
    line: Line,
    discipline: Discipline,
    pace: Pace,
    /// The most who may wait.
    bound: usize,
    permits: u32,
    /// Permits that are out and will not be given out again.
    withdrawn: u32,
}

/// What somebody asks of a [`WaitQueue`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Claim {
    permits: u32,
    priority: Priority,
    deadline: Option<Timestamp>,
    max_wait: Option<Duration>,
}

/// What [`WaitQueue::enter`] gives.
#[derive(Debug)]
pub enum Turn {
    /// The permits, at once.
    Now,
    /// A place in the line.
    Later(Place),
    /// Neither: too little is free and the line is full.
    Full,
    /// Neither: the turn would come after the deadline, in so long a time if that is known.
    TooLate(Option<Duration>),
    /// Neither: more is asked for than there is in all.
    Never,
}

impl Claim {
    /// One permit, at [`Priority::Normal`], without a deadline.
    pub const fn new() -> Self {
        Self { permits: 1, priority: Priority::Normal, deadline: None, max_wait: None }
    }

    /// So many permits, all at once.
    pub const fn permits(mut self, permits: u32) -> Self {
        self.permits = permits;
        self
    }

    /// Of this priority.
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Refused at once if its turn is expected later.
    pub const fn until(mut self, deadline: Option<Timestamp>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Without a deadline: refused at once if its turn is expected later than so long after it enters.
    pub const fn or_within(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// The same, with the earlier of its deadline and this one.
    pub fn earlier(self, deadline: Option<Timestamp>) -> Self {
        let earlier = match (self.deadline, deadline) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        self.until(earlier)
    }

    /// How many permits it asks for.
    pub const fn wanted(&self) -> u32 {
        self.permits
    }

    /// How much it matters.
    pub const fn get_priority(&self) -> Priority {
        self.priority
    }

    /// When it is too late.
    pub const fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// When it is too late if it enters at `now`.
    pub fn deadline_from(&self, now: Timestamp) -> Option<Timestamp> {
        self.deadline.or_else(|| self.max_wait.map(|wait| now + wait))
    }
}

impl Default for Claim {
    fn default() -> Self {
        Self::new()
    }
}

const HALF: u32 = u32::BITS;
/// One more in the upper half.
const UPPER: u64 = 1 << HALF;

const fn lower(word: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    {
        word as u32
    }
}

impl WaitQueue {
    /// So many permits, and at most `bound` who wait for one.
    pub fn new(permits: u32, bound: usize) -> Self {
        let stripes = stripe::seats();
        let count = u32::try_from(stripes).unwrap_or(u32::MAX);
        let share = |stripe: u32| u64::from(permits / count) + u64::from(stripe < permits % count);
        Self {
            stripes: (0..count)
                .map(|stripe| Padded(Stripe { word: AtomicU64::new(share(stripe)), proven: AtomicU64::new(u64::MAX) }))
                .collect(),
            attention: AtomicU64::new(0),
            told: Told {
                permits: AtomicU32::new(permits),
                withdrawn: AtomicU32::new(0),
                waiting: AtomicUsize::new(0),
                pace: AtomicU64::new(0),
            },
            locked: Mutex::new(Locked {
                line: Line::new(Priority::COUNT),
                discipline: Discipline::default(),
                pace: Pace::default(),
                bound,
                permits,
                withdrawn: 0,
            }),
        }
    }

    /// Takes a permit if one is free and nobody waits for it.
    #[inline]
    pub fn try_take(&self) -> bool {
        self.try_take_many(1).is_ok()
    }

    /// Takes so many permits, all or none, if they are free and nobody waits.
    ///
    /// # Errors
    /// How many were free.
    #[inline]
    pub fn try_take_many(&self, permits: u32) -> Result<(), u32> {
        let before = self.attention.load(Ordering::SeqCst);
        if lower(before) == 0 {
            let own = self.own();
            let Stripe { word, proven } = &self.stripes[own].0;
            if take(word, permits).is_ok() {
                return Ok(());
            }
            let proven = proven.load(Ordering::SeqCst);
            if lower(proven) < permits && self.sum() == proven {
                return Err(lower(proven));
            }
            return self.take_elsewhere(own, permits, before);
        }
        self.take_past(permits)
    }

    #[inline(never)]
    fn take_elsewhere(&self, own: usize, permits: u32, before: u64) -> Result<(), u32> {
        let Err(seen) = self.take_from_one(own, permits) else { return Ok(()) };
        // Nobody gathered or withdrew while the stripes were looked at, so what was free lay in them.
        if self.is_shortage(permits, seen) && self.attention.load(Ordering::SeqCst) == before {
            self.stripes[own].0.proven.store(seen, Ordering::SeqCst);
            return Err(lower(seen));
        }
        self.take_past(permits)
    }

    #[cold]
    fn take_past(&self, permits: u32) -> Result<(), u32> {
        let waits = self.told.waiting.load(Ordering::SeqCst) > 0;
        if !waits && self.look_again(permits) { Ok(()) } else { Err(self.free()) }
    }

    /// Takes what is asked for, or a place in the line.
    #[inline]
    pub fn enter(&self, claim: Claim, now: &Now<'_>) -> Turn {
        if lower(self.attention.load(Ordering::SeqCst)) == 0 && self.take_from_one(self.own(), claim.permits).is_ok() {
            return Turn::Now;
        }
        self.enter_locked(claim, now.get())
    }

    /// Takes from the stripe of this thread, or from the next that has enough; otherwise tells the sum of what was seen.
    #[inline]
    fn take_from_one(&self, own: usize, permits: u32) -> Result<(), u64> {
        let mut seen = 0_u64;
        let (before, from_own) = self.stripes.split_at(own);
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
    fn is_shortage(&self, permits: u32, seen: u64) -> bool {
        total_order();
        lower(seen) < permits && self.sum() == seen
    }

    #[inline]
    fn sum(&self) -> u64 {
        self.stripes.iter().fold(0, |sum, stripe| sum.wrapping_add(stripe.0.word.load(Ordering::SeqCst)))
    }

    #[inline]
    fn own(&self) -> usize {
        stripe::seat().min(self.stripes.len() - 1)
    }

    #[cold]
    fn look_again(&self, permits: u32) -> bool {
        let mut locked = self.locked.lock();
        self.announce();
        self.withdraw(&mut locked);
        let taken = self.take_past_nobody(&locked, permits);
        self.conclude(1);
        taken
    }

    #[cold]
    fn enter_locked(&self, claim: Claim, now: Timestamp) -> Turn {
        let mut woken = Wakers::default();
        let turn = {
            let mut locked = self.locked.lock();
            // Announced: a permit that is released from here on is either seen below, or its releaser waits for the lock.
            // Whoever takes one past us began before this.
            self.announce();
            self.withdraw(&mut locked);
            if self.take_past_nobody(&locked, claim.permits) {
                self.conclude(1);
                return Turn::Now;
            }
            match locked.line_up(claim, now) {
                Ok((place, displaced)) => {
                    // The announcement stays for as long as the place waits; so does that of the one who is displaced. It
                    // goes when the other has come, so that the line is not empty in between.
                    if let Some(lower) = displaced {
                        woken.push(locked.line.refuse(lower, Unserved::Displaced));
                        self.conclude(1);
                    }
                    // It may be the next, and ask for less than those who wait for more than is free.
                    self.hand_out(&mut locked, now, &mut woken);
                    Turn::Later(place)
                }
                Err(turn) => {
                    self.conclude(1);
                    turn
                }
            }
        };
        let again = woken.is_full();
        woken.wake();
        if again {
            self.serve(now);
        }
        turn
    }

    fn take_past_nobody(&self, locked: &Locked, permits: u32) -> bool {
        locked.withdrawn == 0 && locked.line.waiting() == 0 && self.gather(permits)
    }

    /// Takes from all stripes together. What is short is put back: whoever takes past the lock meanwhile began before the
    /// lock was taken, and sees that somebody was announced.
    fn gather(&self, permits: u32) -> bool {
        let mut short = permits;
        let (before, from_own) = self.stripes.split_at(self.own());
        for stripe in from_own.iter().chain(before) {
            if short == 0 {
                break;
            }
            short -= take_at_most(&stripe.0.word, short);
        }
        if short > 0 && short < permits {
            self.put(permits - short);
        }
        short == 0
    }

    #[inline]
    fn put(&self, permits: u32) {
        self.stripes[self.own()].0.word.fetch_add(UPPER + u64::from(permits), Ordering::SeqCst);
    }

    fn announce(&self) {
        self.attention.fetch_add(UPPER + 1, Ordering::SeqCst);
        total_order();
    }

    fn conclude(&self, reasons: u32) {
        self.attention.fetch_sub(u64::from(reasons), Ordering::SeqCst);
    }

    /// Gives a permit back: to whoever is served next.
    #[inline]
    pub fn release(&self, now: &Now<'_>) {
        self.release_many(1, now);
    }

    /// Gives so many permits back.
    #[inline]
    pub fn release_many(&self, permits: u32, now: &Now<'_>) {
        self.put(permits);
        total_order();
        if lower(self.attention.load(Ordering::SeqCst)) > 0 {
            self.serve(now.get());
        }
    }

    #[cold]
    fn serve(&self, now: Timestamp) {
        loop {
            let mut woken = Wakers::default();
            self.hand_out(&mut self.locked.lock(), now, &mut woken);
            let again = woken.is_full();
            woken.wake();
            if !again {
                return;
            }
        }
    }

    /// Withdraws and grants what the stripes have, and drops whom the discipline drops, until nothing is left to do or
    /// `woken` is full.
    fn hand_out(&self, locked: &mut Locked, now: Timestamp, woken: &mut Wakers) {
        self.withdraw(locked);
        while locked.withdrawn == 0 && !woken.is_full() {
            if let Some(late) = locked.discipline.late(&locked.line, now) {
                woken.push(locked.line.refuse(late, Unserved::Late));
                self.conclude(1);
                continue;
            }
            let Some(next) = locked.discipline.next(&locked.line, now) else { break };
            let permits = locked.line.waiter(next).map_or(0, |waiter| waiter.permits);
            if !self.gather(permits) {
                break;
            }
            locked.pace.turn(permits, now);
            woken.push(locked.line.grant(next));
            self.conclude(1);
        }
        self.told.waiting.store(locked.line.waiting(), Ordering::SeqCst);
        let pace = locked.pace.average();
        if pace > 0 {
            self.told.pace.store(pace, Ordering::Relaxed);
        }
    }

    /// Takes what is to be withdrawn out of the stripes, as far as it is there.
    fn withdraw(&self, locked: &mut Locked) {
        if locked.withdrawn == 0 {
            return;
        }
        for stripe in &self.stripes {
            locked.withdrawn -= take_at_most(&stripe.0.word, locked.withdrawn);
        }
        if locked.withdrawn == 0 {
            self.conclude(1);
        }
        self.told.withdrawn.store(locked.withdrawn, Ordering::Relaxed);
    }

    /// Looks whether the turn of `place` has come; if not, `cx` is woken when it does. A place that is ready is used up, and
    /// its holder has what it asked for, or will never have it.
    ///
    /// # Errors
    /// Why it will not be served.
    pub fn poll(&self, place: &Place, cx: &mut Context<'_>) -> Poll<Result<(), Unserved>> {
        // Wakers are the executor's code: they are cloned and dropped outside of the lock.
        let mut waker = Some(cx.waker().clone());
        let found = self.locked.lock().line.look(place, &mut waker);
        match found {
            Found::Granted { .. } => Poll::Ready(Ok(())),
            Found::Unserved(why) => Poll::Ready(Err(why)),
            Found::Waiting | Found::Gone => Poll::Pending,
        }
    }

    /// Leaves the line. A turn that was granted already goes to the next.
    #[expect(clippy::needless_pass_by_value, reason = "a place that was left is worth nothing")]
    pub fn leave(&self, place: Place, now: &Now<'_>) {
        let (found, waker) = {
            let mut locked = self.locked.lock();
            let left = locked.line.remove(&place);
            self.told.waiting.store(locked.line.waiting(), Ordering::SeqCst);
            left
        };
        drop(waker);
        match found {
            // Whoever asks for less than the one who left may be served by what is free already.
            Found::Waiting => {
                self.conclude(1);
                if lower(self.attention.load(Ordering::SeqCst)) > 0 {
                    self.serve(now.get());
                }
            }
            Found::Granted { permits } => self.release_many(permits, now),
            Found::Unserved(_) | Found::Gone => {}
        }
    }

    /// Changes the number of permits. More wake those who wait; fewer are withdrawn as they are released, before anything
    /// is admitted again, and those who wait for more than there will be are told so.
    pub fn resize(&self, permits: u32, now: &Now<'_>) {
        self.resize_to(|| permits, now);
    }

    /// The same for a number that is asked for under the lock, so that of several at once the last word holds. Tells the
    /// number before and now.
    pub fn resize_to(&self, permits: impl FnOnce() -> u32, now: &Now<'_>) -> (u32, u32) {
        let now = now.get();
        let mut woken = Wakers::default();
        let (changed, mut again) = {
            let mut locked = self.locked.lock();
            let changed = self.change_permits(&mut locked, permits());
            (changed, self.refuse_impossible(&mut locked, &mut woken))
        };
        woken.wake();
        while again {
            let mut woken = Wakers::default();
            again = self.refuse_impossible(&mut self.locked.lock(), &mut woken);
            woken.wake();
        }
        self.serve(now);
        changed
    }

    /// Makes the number of permits `to`; tells it before and now.
    fn change_permits(&self, locked: &mut Locked, to: u32) -> (u32, u32) {
        let from = std::mem::replace(&mut locked.permits, to);
        self.told.permits.store(to, Ordering::Relaxed);
        // While this goes on, everybody comes through the lock.
        self.announce();
        if to < from {
            if locked.withdrawn == 0 {
                self.announce();
            }
            locked.withdrawn += from - to;
            self.withdraw(locked);
        } else {
            // What was to be withdrawn and is not withdrawn yet need not be.
            let kept = (to - from).min(locked.withdrawn);
            locked.withdrawn -= kept;
            if kept > 0 && locked.withdrawn == 0 {
                self.conclude(1);
            }
            self.told.withdrawn.store(locked.withdrawn, Ordering::Relaxed);
            self.put(to - from - kept);
        }
        self.conclude(1);
        (from, to)
    }

    /// Refuses those who ask for more than there is in all; whether some are left because `woken` is full.
    fn refuse_impossible(&self, locked: &mut Locked, woken: &mut Wakers) -> bool {
        for class in 0..locked.line.classes() {
            while let Some(at) = locked.line.first_beyond(class, locked.permits) {
                if woken.is_full() {
                    return true;
                }
                woken.push(locked.line.refuse(at, Unserved::Never));
                self.conclude(1);
            }
        }
        self.told.waiting.store(locked.line.waiting(), Ordering::SeqCst);
        false
    }

    /// Changes how many may wait. Those who wait already stay.
    pub fn set_bound(&self, bound: usize) {
        self.locked.lock().bound = bound;
    }

    /// Changes who is served next.
    pub fn set_discipline(&self, discipline: Discipline) {
        self.locked.lock().discipline = discipline;
    }

    /// How many may wait.
    pub fn bound(&self) -> usize {
        self.locked.lock().bound
    }

    /// Whether so many permits would be refused now: somebody waits, or too few are free. Takes nothing.
    #[inline]
    pub fn would_refuse(&self, permits: u32) -> bool {
        let before = self.attention.load(Ordering::SeqCst);
        if lower(before) == 0 {
            let enough = lower(self.stripes[self.own()].0.word.load(Ordering::SeqCst)) >= permits;
            if enough || !self.is_shortage(permits, self.sum()) {
                return false;
            }
            // As in `try_take_many`: somebody who gathers in vain hides what is free.
            if self.attention.load(Ordering::SeqCst) == before {
                return true;
            }
        } else if self.waiting_about() > 0 {
            return true;
        }
        self.would_refuse_locked(permits)
    }

    #[cold]
    fn would_refuse_locked(&self, permits: u32) -> bool {
        let locked = self.locked.lock();
        locked.withdrawn > 0 || locked.line.waiting() > 0 || self.is_shortage(permits, self.sum())
    }

    /// How many permits there are in all.
    #[inline]
    pub fn permits(&self) -> u32 {
        self.told.permits.load(Ordering::Relaxed)
    }

    /// How many permits are free, as near as concurrent callers let it be told.
    #[inline]
    pub fn free(&self) -> u32 {
        lower(self.sum())
    }

    /// How many permits are out, as near as concurrent callers let it be told. More than there are after a reduction.
    #[inline]
    pub fn taken(&self) -> u32 {
        self.taken_beside(self.free())
    }

    /// How many permits are out when so many are free.
    #[inline]
    pub fn taken_beside(&self, free: u32) -> u32 {
        let all = self.permits().saturating_add(self.told.withdrawn.load(Ordering::Relaxed));
        all.saturating_sub(free)
    }

    /// How many wait. Takes the lock: whoever has a place counts, and whoever asks next for one comes after this.
    pub fn waiting(&self) -> usize {
        self.locked.lock().line.waiting()
    }

    /// How many wait, as near as concurrent callers let it be told: without the lock.
    #[inline]
    pub fn waiting_about(&self) -> usize {
        self.told.waiting.load(Ordering::Relaxed)
    }

    /// For how long somebody has been waiting, whoever it was.
    pub fn standing(&self, now: Timestamp) -> Duration {
        self.locked.lock().line.standing(now)
    }

    /// How long one that comes now would wait for what it asks; `None` when nothing is known of it.
    pub fn expected_wait(&self, claim: Claim, now: Timestamp) -> Option<Duration> {
        self.locked.lock().expected_wait(claim, now)
    }

    /// What a wait for so many permits behind all who wait took lately; `None` when nothing was ever known. Without a lock and
    /// without the time, so it may be long past.
    pub fn usual_wait(&self, permits: u32) -> Option<Duration> {
        let pace = self.told.pace.load(Ordering::Relaxed);
        let ahead = (self.waiting_about() as u64).saturating_add(u64::from(permits));
        (pace > 0).then(|| Duration::from_nanos(pace.saturating_mul(ahead)))
    }
}

impl Locked {
    /// A place in the line, and the slot of the one who gives way for it.
    fn line_up(&mut self, claim: Claim, now: Timestamp) -> Result<(Place, Option<usize>), Turn> {
        if claim.permits > self.permits {
            return Err(Turn::Never);
        }
        if let Some(deadline) = claim.deadline_from(now) {
            let wait = self.expected_wait(claim, now);
            // Whoever cannot wait at all takes nobody's place.
            if deadline <= now || wait.is_some_and(|wait| now + wait > deadline) {
                return Err(Turn::TooLate(wait));
            }
        }
        let class = claim.priority as usize;
        let displaced = if self.line.waiting() < self.bound {
            None
        } else {
            let lower = if self.bound == 0 { None } else { Discipline::displaced(&self.line, class) };
            Some(lower.ok_or(Turn::Full)?)
        };
        if self.line.waiting() == 0 {
            self.pace.line_forms(now);
        }
        let place = self.line.push(Waiter { class, permits: claim.permits, since: now });
        Ok((place, displaced))
    }

    fn expected_wait(&self, claim: Claim, now: Timestamp) -> Option<Duration> {
        let ahead = self.discipline.ahead(&self.line, claim.priority as usize, now);
        self.pace.until(ahead + u64::from(claim.permits), self.line.waiting() > 0, now)
    }
}

/// Takes `permits` from a stripe that has so many; otherwise tells what was there.
#[inline]
fn take(stripe: &AtomicU64, permits: u32) -> Result<(), u64> {
    let mut there = stripe.load(Ordering::SeqCst);
    while lower(there) >= permits {
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
    let taken = |there: u64| lower(there).min(most);
    let less = |there: u64| (taken(there) > 0).then(|| there - u64::from(taken(there)));
    stripe.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).map_or(0, taken)
}

/// The operations around it are in the one total order of all sequentially consistent ones. Loom gives them less than that,
/// so a model needs a fence.
#[inline]
fn total_order() {
    #[cfg(seawall_loom)]
    crate::sync::atomic::fence(Ordering::SeqCst);
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_has_changed_since_proves_nothing() {
        let now = Now::at(Timestamp::ZERO);
        let queue = WaitQueue::new(1, 0);
        assert!(queue.try_take());
        let seen = queue.sum();
        assert!(queue.is_shortage(1, seen));
        queue.release(&now);
        assert!(!queue.is_shortage(1, seen), "one was released meanwhile");
        assert!(queue.try_take());
        assert!(!queue.is_shortage(1, seen), "one was released and taken meanwhile");
        assert!(!queue.is_shortage(0, queue.sum()), "there are enough");
    }

    #[test]
    fn what_is_taken_and_put_back_elsewhere_shows_in_the_sum() {
        let queue = WaitQueue::new(2, 0);
        let before = queue.sum();
        assert!(queue.try_take());
        assert_ne!(queue.sum(), before);
        queue.release(&Now::at(Timestamp::ZERO));
        assert_eq!(lower(queue.sum()), lower(before));
        assert_ne!(queue.sum(), before);
    }
}
