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

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    fn taken(at: u64, act_at: u64) -> Taken {
        let [at, act_at] = [at, act_at].map(Timestamp::from_nanos);
        Taken { at, act_at, cells: 1, mark: 0 }
    }

    /// A line of turns that were promised at 0, and the state after them: how many cells were taken.
    fn line(turns: &[u64]) -> (Line<u64>, u64) {
        let (mut line, mut state) = (Line::new(MANY), 0);
        for act_at in turns {
            line.granted(&taken(0, *act_at), Some(state));
            state += 1;
        }
        (line, state)
    }

    /// Gives up, at `now`, a turn that was promised at 0.
    fn give_up(line: &mut Line<u64>, state: &mut u64, act_at: u64, now: u64) {
        line.give_back(state, &taken(0, act_at), Timestamp::from_nanos(now), |_| {});
    }

    #[test]
    fn the_state_before_turns_is_the_one_again_once_all_behind_have_given_up() {
        let (mut line, mut state) = line(&[10, 20, 20, 30]);
        for (act_at, left) in [(20, 4), (10, 4), (30, 3), (20, 0)] {
            give_up(&mut line, &mut state, act_at, 5);
            assert_eq!(state, left, "{act_at}");
        }
    }

    #[test]
    fn a_turn_before_others_that_were_promised_theirs_before_is_not_lost_with_them() {
        let (mut line, mut state) = line(&[20, 10]);
        give_up(&mut line, &mut state, 20, 5);
        assert_eq!(state, 2, "the other is still to come");
    }

    #[test]
    fn a_turn_that_is_not_in_the_line_gives_up_nobody_elses_at_the_same_instant() {
        let (mut line, mut state) = line(&[10]);
        // Somebody passes at once, so that the line is forgotten.
        line.granted(&taken(1, 1), None);
        line.granted(&taken(1, 10), Some(state + 1));
        state += 2;
        give_up(&mut line, &mut state, 10, 5);
        assert_eq!(state, 3, "one of two turns at the same instant is still to come");
        // The same where turns have come by one clock and not by another.
        let (mut line, mut state) = self::line(&[10]);
        line.granted(&taken(10, 20), Some(state));
        state += 1;
        give_up(&mut line, &mut state, 20, 15);
        line.granted(&taken(9, 10), Some(state));
        state += 1;
        give_up(&mut line, &mut state, 10, 9);
        assert_eq!(state, 2);
    }

    #[test]
    fn a_turn_is_given_up_at_its_own_instant_and_not_later() {
        let (mut line, mut state) = line(&[10]);
        give_up(&mut line, &mut state, 10, 11);
        assert_eq!(state, 1, "it was used");
        let (mut line, mut state) = self::line(&[10]);
        give_up(&mut line, &mut state, 10, 10);
        assert_eq!(state, 0);
    }

    #[test]
    fn what_is_given_back_is_given_back_to_the_states_after_it_and_to_no_earlier_one() {
        let (mut line, mut state) = line(&[10, 20, 30]);
        let back = |line: &mut Line<u64>, state: &mut u64, act_at| {
            line.give_back(state, &taken(0, act_at), Timestamp::ZERO, |state| *state -= 1);
        };
        back(&mut line, &mut state, 20);
        assert_eq!(state, 2);
        back(&mut line, &mut state, 30);
        // The state before the second turn, from which nothing of it was taken.
        assert_eq!(state, 1);
        back(&mut line, &mut state, 10);
        assert_eq!(state, 0);
    }

    #[test]
    fn neighbours_that_stand_together_hold_their_place_until_all_have_given_up() {
        let most = 4;
        let (mut line, mut state) = (Line::new(most), 0);
        for act_at in 1..=5 {
            line.granted(&taken(0, act_at), Some(state));
            state += 1;
        }
        // The first and the second, the third and the fourth, and the last by itself.
        for (act_at, left) in [(5, 4), (4, 4), (3, 2), (2, 2), (1, 0)] {
            give_up(&mut line, &mut state, act_at, 0);
            assert_eq!(state, left, "{act_at}");
        }
    }

    #[test]
    fn the_turns_of_another_epoch_are_none_of_the_line() {
        let (mut line, mut state) = line(&[10]);
        give_up(line.of(1), &mut state, 10, 0);
        assert_eq!(state, 1);
        // Nor do they keep turns of the new one out of it.
        line.of(1).granted(&taken(0, 5), Some(1));
        state = 2;
        give_up(line.of(1), &mut state, 5, 0);
        assert_eq!(state, 1);
    }
}
