use std::collections::VecDeque;

use seawall_core::time::Timestamp;

use crate::limit::Taken;

/// How many states are remembered that are a few words.
pub(super) const MANY: usize = 512;
/// How many are remembered that are more.
pub(super) const FEW: usize = 8;

/// The turns that are to come, and the state before each of them: once it and all that were promised after it are given up, that
/// state is the one again. So a place in time that nobody uses is held only while somebody stands behind it.
///
/// - Whoever is promised a turn stands behind all others; turns that act at the same instant stand together.
/// - Nobody passes at once while a turn is to come. Where somebody does (a turn had come by another thread's clock, or one that was
///   given back had let the others move up), no earlier state is one to return to: the line is [forgotten](Self::forget).
/// - What is given back is given back to every state that it was taken from: each is one of the past that would be, had those
///   who stand behind never asked.
///
/// A bounded number of states is remembered. Beyond it neighbours stand together, and their place is held until all of them have
/// given up.
pub(super) struct Line<S> {
    groups: VecDeque<Group<S>>,
    /// How many groups are remembered at most.
    most: usize,
    /// Turns that act at this instant or before it are not in the line, though they may be to come.
    unknown: Timestamp,
    epoch: u32,
}

/// Turns that act at these instants: no turn of another group does.
struct Group<S> {
    first: Timestamp,
    last: Timestamp,
    /// How many of them were not given up.
    held: u64,
    before: S,
}

impl<S> Line<S> {
    pub(super) const fn new(most: usize) -> Self {
        Self { groups: VecDeque::new(), most, unknown: Timestamp::ZERO, epoch: 0 }
    }

    /// The line of the turns of this epoch of the state: a later one knows nothing of those before.
    pub(super) fn of(&mut self, epoch: u32) -> &mut Self {
        if self.epoch != epoch {
            self.groups.clear();
            (self.unknown, self.epoch) = (Timestamp::ZERO, epoch);
        }
        self
    }

    /// Cells were granted: in turn, and taken from the state that was before, or at once.
    pub(super) fn granted(&mut self, taken: &Taken, before: Option<S>) {
        match before {
            Some(before) if taken.act_at > taken.at => self.join(taken, before),
            _ if taken.cells > 0 => self.forget(),
            _ => {}
        }
    }

    /// A turn was promised, and taken from this state.
    fn join(&mut self, taken: &Taken, before: S) {
        // Turns that have come are used.
        while let Some(group) = self.groups.front()
            && group.last <= taken.at
        {
            self.unknown = self.unknown.max(group.last);
            self.groups.pop_front();
        }
        let (first, last) = (taken.act_at, taken.act_at);
        match self.groups.back_mut() {
            Some(group) if group.last < first => self.stand_behind(Group { first, last, held: 1, before }),
            Some(group) if group.first <= first => group.held += 1,
            // It has a turn before others that were promised theirs before it.
            Some(_) => self.forget(),
            None if self.unknown < first => self.stand_behind(Group { first, last, held: 1, before }),
            None => {}
        }
    }

    fn stand_behind(&mut self, group: Group<S>) {
        self.groups.push_back(group);
        if self.groups.len() > self.most {
            self.gather();
        }
    }

    /// Lets neighbours stand together.
    fn gather(&mut self) {
        let mut groups = std::mem::take(&mut self.groups).into_iter();
        while let Some(group) = groups.next() {
            let Some(next) = groups.next() else {
                self.groups.push_back(group);
                return;
            };
            self.groups.push_back(Group { last: next.last, held: group.held + next.held, ..group });
        }
    }

    /// No earlier state is one to return to.
    pub(super) fn forget(&mut self) {
        if let Some(group) = self.groups.back() {
            self.unknown = self.unknown.max(group.last);
            self.groups.clear();
        }
    }

    /// Gives back what was taken, as `give_back` does it to a state, and returns to the state before the last turns if they are
    /// given up with it.
    pub(super) fn give_back(&mut self, state: &mut S, taken: &Taken, now: Timestamp, give_back: impl Fn(&mut S)) {
        let place = if taken.act_at > taken.at { self.place(taken.act_at) } else { None };
        self.groups.range_mut(place.map_or(0, |place| place + 1)..).for_each(|group| give_back(&mut group.before));
        if let Some(group) = place.and_then(|place| self.groups.get_mut(place))
            && now <= taken.act_at
        {
            group.held = group.held.saturating_sub(1);
        }
        match self.leave() {
            Some(before) => *state = before,
            None => give_back(state),
        }
    }

    /// The state before the last turns, if nobody holds them.
    fn leave(&mut self) -> Option<S> {
        let mut before = None;
        while self.groups.back().is_some_and(|group| group.held == 0) {
            before = self.groups.pop_back().map(|group| group.before);
        }
        before
    }

    fn place(&self, act_at: Timestamp) -> Option<usize> {
        let place = self.groups.partition_point(|group| group.last < act_at);
        self.groups.get(place).filter(|group| group.first <= act_at).map(|_| place)
    }
}
