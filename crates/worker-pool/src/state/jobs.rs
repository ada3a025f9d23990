use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use seawall_core::Priority;
use seawall_core::time::Timestamp;

use crate::dead::Failure;
use crate::retry::Retry;

/// Which job, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    at: u32,
    /// Unique in its pool, in order of submission.
    pub(crate) id: u64,
}

impl Ticket {
    /// Of a job that ends where it was submitted.
    pub(crate) const fn outside(id: u64) -> Self {
        Self { at: NONE, id }
    }
}

/// What was said of a job when it was submitted, and what became of it since.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) priority: Priority,
    /// When it is too late to start, or to go on; [`Timestamp::NEVER`] if it never is.
    pub(crate) deadline: Timestamp,
    /// Apart, because most jobs have none of it, and a million of them may be queued.
    pub(crate) extra: Option<Box<Extra>>,
}

/// What few jobs have.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Option<Retry>,
    /// How many attempts have failed.
    pub(crate) failures: u32,
    /// The last of them.
    pub(crate) history: Vec<Failure>,
}

impl Terms {
    /// The same, expiring so long after now if it would not before.
    #[inline]
    pub(crate) fn expiring(mut self, after: Option<Duration>, now: Timestamp) -> Self {
        if let Some(after) = after {
            self.deadline = self.deadline.min(now + after);
        }
        self
    }

    /// Whether its deadline has passed.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.deadline <= now
    }

    /// How many attempts have failed.
    pub(crate) fn failures(&self) -> u32 {
        self.extra.as_ref().map_or(0, |extra| extra.failures)
    }

    /// The job has all its attempts before it, and no deadline. Gives what it was until now.
    pub(crate) fn begin_anew(&mut self) -> (Timestamp, u32) {
        let deadline = std::mem::replace(&mut self.deadline, Timestamp::NEVER);
        let failures = self.extra.as_mut().map_or(0, |extra| std::mem::take(&mut extra.failures));
        (deadline, failures)
    }

    /// It is what it was, after all.
    pub(crate) fn restore(&mut self, (deadline, failures): (Timestamp, u32)) {
        self.deadline = deadline;
        if let Some(extra) = &mut self.extra {
            extra.failures = failures;
        }
    }
}

/// A job that does not run now.
#[derive(Debug)]
pub(crate) struct Waiting<U> {
    pub(crate) unit: U,
    pub(crate) terms: Terms,
    /// Since when it waits for this attempt.
    pub(crate) since: Timestamp,
}

/// All jobs of a pool that have not ended: a slab of slots. Those that are ready are linked in one lane for each priority,
/// in order of arrival; those that wait for their next attempt are in a heap by time; those that run have a seat.
///
/// # Complexity
/// Constant for all but delayed jobs, which take the logarithm of their number. Slots are used again.
#[derive(Debug)]
pub(crate) struct Jobs<U> {
    slots: Vec<Slot<U>>,
    free: u32,
    lanes: [Lane; Priority::COUNT],
    /// The lanes that have jobs: a bit each.
    present: u8,
    ready: usize,
    /// When each is due. A job that was cancelled meanwhile is found to be gone when its time comes.
    due: BinaryHeap<Reverse<(Timestamp, u64, u32)>>,
    delayed: usize,
    next_id: u64,
}

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Lane {
    first: u32,
    last: u32,
    len: usize,
    /// Since when its first job waits.
    since: Timestamp,
}

/// A job's place. What it is, and what it holds, lie apart, so that a job is moved in and out and never about.
#[derive(Debug)]
struct Slot<U> {
    /// Tells this job from earlier ones in the slot. Of a free slot, nobody asks.
    id: u64,
    place: Place,
    /// The slot before this one in its lane.
    before: u32,
    /// The slot after this one in its lane; of a free one, the next that is free; of a job that runs, its seat.
    after: u32,
    job: Option<Waiting<U>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Free,
    Ready,
    Delayed,
    Running,
}

/// What was found of a job.
#[derive(Debug)]
pub(crate) enum Found<U> {
    /// It waited, and has been taken out.
    Waiting(Waiting<U>),
    /// It runs on this seat.
    Running(u32),
    /// It has ended.
    Gone,
}

impl<U> Jobs<U> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            lanes: [Lane { first: NONE, last: NONE, len: 0, since: Timestamp::NEVER }; Priority::COUNT],
            present: 0,
            ready: 0,
            due: BinaryHeap::new(),
            delayed: 0,
            next_id: 1,
        }
    }

    /// How many may start now.
    pub(crate) const fn ready(&self) -> usize {
        self.ready
    }

    /// How many of a priority may start now.
    pub(crate) const fn ready_of(&self, priority: Priority) -> usize {
        self.lanes[priority as usize].len
    }

    /// How many wait for their next attempt.
    pub(crate) const fn delayed(&self) -> usize {
        self.delayed
    }

    /// Since when the first of each lane waits.
    #[inline]
    pub(crate) fn heads(&self) -> [Option<Timestamp>; Priority::COUNT] {
        self.lanes.map(|lane| (lane.len > 0).then_some(lane.since))
    }

    /// The lane that has jobs, if there is only one.
    #[inline]
    pub(crate) const fn only_lane(&self) -> Option<usize> {
        if self.present.is_power_of_two() { Some(self.present.trailing_zeros() as usize) } else { None }
    }

    /// Since when the job waits that has waited longest of all that are ready.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.heads().into_iter().flatten().min()
    }

    /// A number for a job that never lies here.
    pub(crate) const fn number(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// A new job, at the end of its lane.
    #[inline]
    pub(crate) fn push(&mut self, unit: U, terms: Terms, now: Timestamp) -> Ticket {
        let id = self.number();
        let lane = terms.priority as usize;
        let at = self.store(id, Place::Ready, Some(Waiting { unit, terms, since: now }));
        self.link(at, lane, now);
        Ticket { at, id }
    }

    #[inline]
    fn store(&mut self, id: u64, place: Place, job: Option<Waiting<U>>) -> u32 {
        let at = self.free;
        let Some(slot) = self.slots.get_mut(at as usize) else {
            let at = u32::try_from(self.slots.len()).expect("a queue's bound is far below");
            self.slots.push(Slot { id, place, before: NONE, after: NONE, job });
            return at;
        };
        self.free = slot.after;
        slot.id = id;
        slot.place = place;
        slot.job = job;
        at
    }

    #[inline]
    fn link(&mut self, at: u32, lane: usize, since: Timestamp) {
        let last = self.lanes[lane].last;
        let slot = &mut self.slots[at as usize];
        slot.before = last;
        slot.after = NONE;
        let known = &mut self.lanes[lane];
        known.last = at;
        known.len += 1;
        self.ready += 1;
        if let Some(last) = self.slots.get_mut(last as usize) {
            last.after = at;
        } else {
            known.first = at;
            known.since = since;
            self.present |= 1 << lane;
        }
    }

    #[inline]
    fn unlink(&mut self, at: u32, lane: usize) {
        let Slot { before, after, .. } = self.slots[at as usize];
        let next = self.slots.get_mut(after as usize);
        let since = next.and_then(|next| {
            next.before = before;
            next.job.as_ref().map(|job| job.since)
        });
        let known = &mut self.lanes[lane];
        if after == NONE {
            known.last = before;
        }
        if let Some(previous) = self.slots.get_mut(before as usize) {
            previous.after = after;
        } else {
            known.first = after;
            known.since = since.unwrap_or(Timestamp::NEVER);
        }
        known.len -= 1;
        self.ready -= 1;
        if known.len == 0 {
            self.present &= !(1 << lane);
        }
    }

    /// Lets the first job of a lane start on a seat.
    #[inline]
    pub(crate) fn start(&mut self, lane: usize, seat: u32) -> Option<(Ticket, Waiting<U>)> {
        let at = self.lanes[lane].first;
        let job = self.lift(at)?;
        let slot = &mut self.slots[at as usize];
        slot.place = Place::Running;
        slot.after = seat;
        Some((Ticket { at, id: slot.id }, job))
    }

    /// Takes the first job of a lane out: it will not start.
    pub(crate) fn drop_first(&mut self, lane: usize) -> Option<Waiting<U>> {
        self.take_out(self.lanes[lane].first)
    }

    /// Takes the last job of a lane out: it will not start.
    pub(crate) fn drop_last(&mut self, lane: usize) -> Option<Waiting<U>> {
        self.take_out(self.lanes[lane].last)
    }

    /// Whether the first job of a lane has expired.
    #[inline]
    pub(crate) fn is_first_expired(&self, lane: usize, now: Timestamp) -> bool {
        let first = self.slots.get(self.lanes[lane].first as usize);
        first.and_then(|slot| slot.job.as_ref()).is_some_and(|job| job.terms.is_expired(now))
    }

    fn take_out(&mut self, at: u32) -> Option<Waiting<U>> {
        let job = self.lift(at)?;
        self.vacate(at);
        Some(job)
    }

    /// Takes a job that is ready out of its lane, and leaves its slot to the caller.
    #[inline]
    fn lift(&mut self, at: u32) -> Option<Waiting<U>> {
        let job = self.slots.get_mut(at as usize).filter(|slot| slot.place == Place::Ready)?.job.take()?;
        self.unlink(at, job.terms.priority as usize);
        Some(job)
    }

    #[inline]
    fn vacate(&mut self, at: u32) {
        let slot = &mut self.slots[at as usize];
        slot.place = Place::Free;
        slot.after = self.free;
        self.free = at;
    }

    /// A job that ran has ended.
    #[inline]
    pub(crate) fn end(&mut self, ticket: Ticket) {
        if self.slot(ticket).is_some_and(|slot| slot.place == Place::Running) {
            self.vacate(ticket.at);
        }
    }

    #[inline]
    fn slot(&mut self, ticket: Ticket) -> Option<&mut Slot<U>> {
        self.slots.get_mut(ticket.at as usize).filter(|slot| slot.id == ticket.id)
    }

    /// The jobs that run, with their seats. One look at each slot.
    pub(crate) fn running(&self) -> impl Iterator<Item = (u64, u32)> {
        self.slots.iter().filter(|slot| slot.place == Place::Running).map(|slot| (slot.id, slot.after))
    }

    /// A job that ran waits for its next attempt.
    pub(crate) fn delay(&mut self, ticket: Ticket, unit: U, terms: Terms, due: Timestamp) {
        let Some(slot) = self.slot(ticket) else { return };
        slot.place = Place::Delayed;
        slot.job = Some(Waiting { unit, terms, since: due });
        self.due.push(Reverse((due, ticket.id, ticket.at)));
        self.delayed += 1;
    }

    /// A job that ran where it was submitted waits here for its next attempt.
    pub(crate) fn push_delayed(&mut self, id: u64, unit: U, terms: Terms, due: Timestamp) -> Ticket {
        let at = self.store(id, Place::Running, None);
        let ticket = Ticket { at, id };
        self.delay(ticket, unit, terms, due);
        ticket
    }

    /// When the next delayed job is due, if any is.
    pub(crate) fn next_due(&mut self) -> Option<Timestamp> {
        while let Some(&Reverse((due, id, at))) = self.due.peek() {
            if self.is_delayed(Ticket { at, id }) {
                return Some(due);
            }
            self.due.pop();
        }
        None
    }

    fn is_delayed(&mut self, ticket: Ticket) -> bool {
        self.slot(ticket).is_some_and(|slot| slot.place == Place::Delayed)
    }

    /// Makes all jobs ready that are due. Tells whether there were any.
    pub(crate) fn promote(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        while self.next_due().is_some_and(|due| due <= now) {
            let Some(Reverse((_, id, at))) = self.due.pop() else { break };
            let Some(slot) = self.slot(Ticket { at, id }) else { continue };
            let Some(job) = &slot.job else { continue };
            let (lane, since) = (job.terms.priority as usize, job.since);
            slot.place = Place::Ready;
            self.link(at, lane, since);
            self.delayed -= 1;
            any = true;
        }
        any
    }

    /// Looks for a job, and takes it out if it waits.
    pub(crate) fn find(&mut self, ticket: Ticket) -> Found<U> {
        let Some(slot) = self.slot(ticket) else { return Found::Gone };
        match slot.place {
            Place::Ready => self.take_out(ticket.at).map_or(Found::Gone, Found::Waiting),
            Place::Delayed => {
                let Some(job) = slot.job.take() else { return Found::Gone };
                self.vacate(ticket.at);
                self.delayed -= 1;
                self.forget_stale();
                Found::Waiting(job)
            }
            Place::Running => Found::Running(slot.after),
            Place::Free => Found::Gone,
        }
    }

    /// Keeps the heap in proportion to the jobs in it, though those that were cancelled stay until they are due.
    fn forget_stale(&mut self) {
        if self.due.len() <= 2 * self.delayed + 64 {
            return;
        }
        let mut due = std::mem::take(&mut self.due);
        due.retain(|&Reverse((_, id, at))| self.is_delayed(Ticket { at, id }));
        self.due = due;
    }

    /// Takes one job out that waits, ready or delayed; those that are ready first, in order of priority.
    pub(crate) fn take_any(&mut self) -> Option<Waiting<U>> {
        if let Some(job) = (0..Priority::COUNT).rev().find_map(|lane| self.drop_first(lane)) {
            return Some(job);
        }
        while let Some(Reverse((_, id, at))) = self.due.pop() {
            if let Found::Waiting(job) = self.find(Ticket { at, id }) {
                return Some(job);
            }
        }
        None
    }
}
