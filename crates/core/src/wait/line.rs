use std::task::Waker;

/// How much a call matters. A higher one is served first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Priority {
    /// Work that can be left undone.
    Low,
    /// Work without a special standing.
    #[default]
    Normal,
    /// Work that somebody waits for.
    High,
    /// Work without which the service is down.
    Critical,
}

impl Priority {
    const COUNT: usize = 4;
}

/// A place in a [`WaitQueue`](super::WaitQueue): plain data, worth nothing once its turn was taken or left.
#[derive(Debug)]
pub struct Place {
    slot: usize,
    /// Tells this holder of the slot from earlier ones.
    visit: u64,
}

/// Those who wait: a slab of slots, linked in one line for each priority. Every operation takes constant time.
#[derive(Debug, Default)]
pub(super) struct Line {
    slots: Vec<Slot>,
    free: Option<usize>,
    ends: [Ends; Priority::COUNT],
    waiting: usize,
    visits: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    first: Option<usize>,
    last: Option<usize>,
}

#[derive(Debug)]
struct Slot {
    visit: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Free { next: Option<usize> },
    Waiting { waker: Option<Waker>, class: usize, before: Option<usize>, after: Option<usize> },
    Granted,
}

/// What somebody who asks after a place finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Granted,
    Waiting,
    Gone,
}

impl Line {
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Puts somebody at the end of its priority's line.
    pub(super) fn push(&mut self, priority: Priority) -> Place {
        let class = priority as usize;
        let before = self.ends[class].last;
        self.visits += 1;
        let slot = Slot { visit: self.visits, state: State::Waiting { waker: None, class, before, after: None } };
        let at = self.store(slot);
        match before {
            Some(before) => self.link(before).1.replace(at),
            None => self.ends[class].first.replace(at),
        };
        self.ends[class].last = Some(at);
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

    /// Grants the turn of the first of the highest priority, and tells whom to wake, if it has asked already.
    pub(super) fn grant(&mut self) -> Option<Waker> {
        let first = self.ends.iter().rev().find_map(|ends| ends.first)?;
        self.unlink(first);
        match std::mem::replace(&mut self.slots[first].state, State::Granted) {
            State::Waiting { waker, .. } => waker,
            State::Free { .. } | State::Granted => None,
        }
    }

    /// Looks after `place`, and remembers whom to wake if it still waits: `waker` then holds whom it would have woken, to be
    /// dropped when the lock is released. A granted place is used up by this.
    pub(super) fn look(&mut self, place: &Place, waker: &mut Option<Waker>) -> Found {
        match self.slots.get_mut(place.slot).filter(|slot| slot.visit == place.visit).map(|slot| &mut slot.state) {
            Some(State::Waiting { waker: known, .. }) => {
                std::mem::swap(known, waker);
                Found::Waiting
            }
            Some(State::Granted) => {
                self.vacate(place.slot);
                Found::Granted
            }
            Some(State::Free { .. }) | None => Found::Gone,
        }
    }

    /// Takes `place` out of the line. Tells what it was, and whom it would have woken, to be dropped when the lock is
    /// released.
    pub(super) fn remove(&mut self, place: &Place) -> (Found, Option<Waker>) {
        let slot = self.slots.get_mut(place.slot).filter(|slot| slot.visit == place.visit);
        let (found, waker) = match slot.map(|slot| &mut slot.state) {
            Some(State::Waiting { waker, .. }) => (Found::Waiting, waker.take()),
            Some(State::Granted) => (Found::Granted, None),
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

    fn unlink(&mut self, at: usize) {
        let State::Waiting { class, before, after, .. } = self.slots[at].state else {
            return;
        };
        match before {
            Some(before) => *self.link(before).1 = after,
            None => self.ends[class].first = after,
        }
        match after {
            Some(after) => *self.link(after).0 = before,
            None => self.ends[class].last = before,
        }
        self.waiting -= 1;
    }

    /// The links of a slot that is in a line.
    fn link(&mut self, at: usize) -> (&mut Option<usize>, &mut Option<usize>) {
        match &mut self.slots[at].state {
            State::Waiting { before, after, .. } => (before, after),
            State::Free { .. } | State::Granted => unreachable!("only those who wait are linked"),
        }
    }
}
