use std::task::Waker;
use std::time::Duration;

use super::Unserved;
use crate::time::Timestamp;

/// A place in a [`Line`]: plain data, worth nothing once its turn was taken or left.
#[derive(Debug)]
pub struct Place {
    slot: usize,
    /// Tells this holder of the slot from earlier ones.
    visit: u64,
}

/// Which place it is: to ask a [`Line`] of somebody else's place, which may be used up by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlaceId {
    slot: usize,
    visit: u64,
}

impl Place {
    /// Which place it is.
    pub const fn id(&self) -> PlaceId {
        PlaceId { slot: self.slot, visit: self.visit }
    }
}

/// Those who wait: a slab of slots, linked in one line for each class, each in order of arrival.
///
/// It decides nothing: who is served is said by the [slot](Line::first), by a [`Discipline`](super::Discipline) or another
/// rule. It wakes and drops no waker itself, because those are the executor's code and its user holds a lock meanwhile.
///
/// # Complexity
/// Every operation takes constant time. Slots are used again: memory is that of the most who ever waited at once.
#[derive(Debug)]
pub struct Line {
    slots: Vec<Slot>,
    free: Option<usize>,
    classes: Box<[Class]>,
    waiting: usize,
    visits: u64,
    /// When the line was last empty.
    standing_since: Timestamp,
}

#[derive(Clone, Copy, Debug, Default)]
struct Class {
    first: Option<usize>,
    last: Option<usize>,
    wanted: u64,
    waiting: usize,
    /// No one who waits asks for more: what was asked for at most since the class was empty.
    most: u32,
}

#[derive(Debug)]
struct Slot {
    visit: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Free { next: Option<usize> },
    Waiting { waker: Option<Waker>, waiter: Waiter, before: Option<usize>, after: Option<usize> },
    Granted { permits: u32 },
    Unserved(Unserved),
}

/// One who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// The line that it stands in.
    pub class: usize,
    /// How many permits it asks for.
    pub permits: u32,
    /// When it came.
    pub since: Timestamp,
}

/// What the holder of a place finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its turn has come. The place is used up.
    Granted {
        /// How many permits it has.
        permits: u32,
    },
    /// It will not be served. The place is used up.
    Unserved(Unserved),
    /// It waits.
    Waiting,
    /// The place was used up or left before.
    Gone,
}

impl Line {
    /// An empty line with so many classes.
    pub fn new(classes: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: None,
            classes: vec![Class::default(); classes].into_boxed_slice(),
            waiting: 0,
            visits: 0,
            standing_since: Timestamp::NEVER,
        }
    }

    /// How many classes there are.
    pub const fn classes(&self) -> usize {
        self.classes.len()
    }

    /// How many wait.
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many wait in `class`.
    pub fn waiting_in(&self, class: usize) -> usize {
        self.classes[class].waiting
    }

    /// How many permits those of `class` ask for.
    pub fn wanted(&self, class: usize) -> u64 {
        self.classes[class].wanted
    }

    /// For how long somebody has been waiting, whoever it was: zero when the line is empty.
    pub fn standing(&self, now: Timestamp) -> Duration {
        now.saturating_duration_since(self.standing_since)
    }

    /// The slot of the first to come of `class`.
    pub fn first(&self, class: usize) -> Option<usize> {
        self.classes[class].first
    }

    /// The slot of the last to come of `class`.
    pub fn last(&self, class: usize) -> Option<usize> {
        self.classes[class].last
    }

    /// The one who waits in slot `at`.
    pub fn waiter(&self, at: usize) -> Option<Waiter> {
        match self.slots.get(at)?.state {
            State::Waiting { waiter, .. } => Some(waiter),
            State::Free { .. } | State::Granted { .. } | State::Unserved(_) => None,
        }
    }

    /// The slot of a place, if its holder still waits.
    pub fn slot_of(&self, id: PlaceId) -> Option<usize> {
        let slot = self.slots.get(id.slot).filter(|slot| slot.visit == id.visit)?;
        matches!(slot.state, State::Waiting { .. }).then_some(id.slot)
    }

    /// Whom to wake so that the one in slot `at` looks after its place again; it goes on waiting.
    pub fn call(&mut self, at: usize) -> Option<Waker> {
        match &mut self.slots.get_mut(at)?.state {
            State::Waiting { waker, .. } => waker.take(),
            State::Free { .. } | State::Granted { .. } | State::Unserved(_) => None,
        }
    }

    /// When the one who waits in slot `at` came.
    pub fn since(&self, at: usize) -> Timestamp {
        self.waiter(at).map_or(Timestamp::NEVER, |waiter| waiter.since)
    }

    /// The slot of the first of `class` who asks for more than `permits`.
    ///
    /// # Complexity
    /// One look at each of the class, and none if nobody has asked for so much since the class was empty.
    pub fn first_beyond(&self, class: usize, permits: u32) -> Option<usize> {
        if self.classes[class].most <= permits {
            return None;
        }
        let mut at = self.classes[class].first;
        while let Some(slot) = at {
            let State::Waiting { waiter, after, .. } = &self.slots[slot].state else {
                return None;
            };
            if waiter.permits > permits {
                return Some(slot);
            }
            at = *after;
        }
        None
    }

    /// Puts somebody at the end of its class.
    pub fn push(&mut self, waiter: Waiter) -> Place {
        if self.waiting == 0 {
            self.standing_since = waiter.since;
        }
        let before = self.classes[waiter.class].last;
        self.visits += 1;
        let slot = Slot { visit: self.visits, state: State::Waiting { waker: None, waiter, before, after: None } };
        let at = self.store(slot);
        if let Some(before) = before {
            *self.link(before).1 = Some(at);
        }
        let class = &mut self.classes[waiter.class];
        class.first.get_or_insert(at);
        class.last = Some(at);
        class.wanted += u64::from(waiter.permits);
        class.waiting += 1;
        class.most = class.most.max(waiter.permits);
        self.waiting += 1;
        Place { slot: at, visit: self.visits }
    }

    fn store(&mut self, slot: Slot) -> usize {
        let Some(at) = self.free else {
            self.slots.push(slot);
            return self.slots.len() - 1;
        };
        if let State::Free { next } = self.slots[at].state {
            self.free = next;
        }
        self.slots[at] = slot;
        at
    }

    /// Grants the turn of the one in slot `at`, and tells whom to wake, if it has asked already.
    pub fn grant(&mut self, at: usize) -> Option<Waker> {
        let permits = self.waiter(at)?.permits;
        self.conclude(at, State::Granted { permits })
    }

    /// Tells the one in slot `at` that it will not be served, and whom to wake, if it has asked already.
    pub fn refuse(&mut self, at: usize, why: Unserved) -> Option<Waker> {
        self.conclude(at, State::Unserved(why))
    }

    fn conclude(&mut self, at: usize, state: State) -> Option<Waker> {
        self.unlink(at)?;
        match std::mem::replace(&mut self.slots[at].state, state) {
            State::Waiting { waker, .. } => waker,
            State::Free { .. } | State::Granted { .. } | State::Unserved(_) => None,
        }
    }

    /// Looks after `place`, and remembers whom to wake if it still waits: `waker` then holds whom it would have woken, to be
    /// dropped when the lock is released. A place that waits no more is used up by this.
    pub fn look(&mut self, place: &Place, waker: &mut Option<Waker>) -> Found {
        match self.slots.get_mut(place.slot).filter(|slot| slot.visit == place.visit).map(|slot| &mut slot.state) {
            Some(State::Waiting { waker: known, .. }) => {
                std::mem::swap(known, waker);
                Found::Waiting
            }
            Some(&mut State::Granted { permits }) => {
                self.vacate(place.slot);
                Found::Granted { permits }
            }
            Some(&mut State::Unserved(why)) => {
                self.vacate(place.slot);
                Found::Unserved(why)
            }
            Some(State::Free { .. }) | None => Found::Gone,
        }
    }

    /// Takes `place` out of the line. Tells what it was, and whom it would have woken, to be dropped when the lock is
    /// released.
    pub fn remove(&mut self, place: &Place) -> (Found, Option<Waker>) {
        let slot = self.slots.get_mut(place.slot).filter(|slot| slot.visit == place.visit);
        let (found, waker) = match slot.map(|slot| &mut slot.state) {
            Some(State::Waiting { waker, .. }) => (Found::Waiting, waker.take()),
            Some(&mut State::Granted { permits }) => (Found::Granted { permits }, None),
            Some(&mut State::Unserved(why)) => (Found::Unserved(why), None),
            Some(State::Free { .. }) | None => return (Found::Gone, None),
        };
        if found == Found::Waiting {
            self.unlink(place.slot);
        }
        self.vacate(place.slot);
        (found, waker)
    }

    fn vacate(&mut self, at: usize) {
        self.slots[at].state = State::Free { next: self.free };
        self.slots[at].visit = 0;
        self.free = Some(at);
    }

    /// Takes the one in slot `at` out of its class; `None` if nobody waits there.
    fn unlink(&mut self, at: usize) -> Option<()> {
        let State::Waiting { waiter, before, after, .. } = self.slots.get(at)?.state else {
            return None;
        };
        match before {
            Some(before) => *self.link(before).1 = after,
            None => self.classes[waiter.class].first = after,
        }
        match after {
            Some(after) => *self.link(after).0 = before,
            None => self.classes[waiter.class].last = before,
        }
        let class = &mut self.classes[waiter.class];
        class.wanted -= u64::from(waiter.permits);
        class.waiting -= 1;
        if class.waiting == 0 {
            class.most = 0;
        }
        self.waiting -= 1;
        if self.waiting == 0 {
            self.standing_since = Timestamp::NEVER;
        }
        Some(())
    }

    /// The links of a slot that is in a line.
    fn link(&mut self, at: usize) -> (&mut Option<usize>, &mut Option<usize>) {
        match &mut self.slots[at].state {
            State::Waiting { before, after, .. } => (before, after),
            State::Free { .. } | State::Granted { .. } | State::Unserved(_) => {
                unreachable!("only those who wait are linked")
            }
        }
    }
}
