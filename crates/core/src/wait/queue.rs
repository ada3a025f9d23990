use std::task::{Context, Poll};
use std::time::Duration;

use super::stripes::{Stripes, Taken, total_order};
use super::{Claim, Discipline, Found, Line, Pace, Place, Priority, Turn, Unserved, Waiter, Wakers};
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
    stripes: Stripes,
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

/// One more announcement, in the upper half.
const ANNOUNCED: u64 = 1 << u32::BITS;

/// How many reasons there are to come through the lock.
const fn reasons(attention: u64) -> u64 {
    attention & (ANNOUNCED - 1)
}

impl WaitQueue {
    /// So many permits, and at most `bound` who wait for one.
    pub fn new(permits: u32, bound: usize) -> Self {
        Self {
            stripes: Stripes::new(permits),
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
        if reasons(before) > 0 {
            return self.take_past(permits);
        }
        match self.stripes.take_from_own(permits) {
            Taken::All => Ok(()),
            Taken::Short { free } => Err(free),
            Taken::Unknown => self.take_elsewhere(permits, before),
        }
    }

    #[inline(never)]
    fn take_elsewhere(&self, permits: u32, before: u64) -> Result<(), u32> {
        let Err(seen) = self.stripes.take_from_one(permits) else { return Ok(()) };
        // Nobody gathered or withdrew while the stripes were looked at, so what was free lay in them.
        if self.stripes.is_shortage(permits, seen) && self.attention.load(Ordering::SeqCst) == before {
            return Err(self.stripes.remember(seen));
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
        if reasons(self.attention.load(Ordering::SeqCst)) == 0 && self.stripes.take_from_one(claim.wanted()).is_ok() {
            return Turn::Now;
        }
        self.enter_locked(claim, now.get())
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
            if self.take_past_nobody(&locked, claim.wanted()) {
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
        locked.withdrawn == 0 && locked.line.waiting() == 0 && self.stripes.gather(permits)
    }

    fn announce(&self) {
        self.attention.fetch_add(ANNOUNCED + 1, Ordering::SeqCst);
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
        self.stripes.put(permits);
        total_order();
        if reasons(self.attention.load(Ordering::SeqCst)) > 0 {
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
            if !self.stripes.gather(permits) {
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
        locked.withdrawn -= self.stripes.take_at_most(locked.withdrawn);
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
                if reasons(self.attention.load(Ordering::SeqCst)) > 0 {
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
            self.stripes.put(to - from - kept);
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
        if reasons(before) == 0 {
            if !self.stripes.are_short_of(permits) {
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
        locked.withdrawn > 0 || locked.line.waiting() > 0 || self.stripes.are_short_of(permits)
    }

    /// How many permits there are in all.
    #[inline]
    pub fn permits(&self) -> u32 {
        self.told.permits.load(Ordering::Relaxed)
    }

    /// How many permits are free, as near as concurrent callers let it be told.
    #[inline]
    pub fn free(&self) -> u32 {
        self.stripes.free()
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
        if claim.wanted() > self.permits {
            return Err(Turn::Never);
        }
        if let Some(deadline) = claim.deadline_from(now) {
            let wait = self.expected_wait(claim, now);
            // Whoever cannot wait at all takes nobody's place.
            if deadline <= now || wait.is_some_and(|wait| now + wait > deadline) {
                return Err(Turn::TooLate(wait));
            }
        }
        let class = claim.get_priority() as usize;
        let displaced = if self.line.waiting() < self.bound {
            None
        } else {
            let lower = if self.bound == 0 { None } else { Discipline::displaced(&self.line, class) };
            Some(lower.ok_or(Turn::Full)?)
        };
        if self.line.waiting() == 0 {
            self.pace.line_forms(now);
        }
        let place = self.line.push(Waiter { class, permits: claim.wanted(), since: now });
        Ok((place, displaced))
    }

    fn expected_wait(&self, claim: Claim, now: Timestamp) -> Option<Duration> {
        let ahead = self.discipline.ahead(&self.line, claim.get_priority() as usize, now);
        self.pace.until(ahead + u64::from(claim.wanted()), self.line.waiting() > 0, now)
    }
}
