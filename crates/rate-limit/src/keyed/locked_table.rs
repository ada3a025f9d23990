#[cfg(all(test, not(seawall_loom)))]
mod tests;

use std::cmp::Reverse;
use std::sync::Arc;

use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::sync::{Mutex, MutexGuard};
use seawall_core::time::{Clock, Timestamp};

use super::arrivals::Arrivals;
use super::print::{Print, WAYS, sets_for};
use crate::cell::Epoch;
use crate::figures::Limits;
use crate::limit::{Carry, Limit, Refused, Taken, Want, owing};

/// The states of many keys in bounded memory, for any [`Limit`], which forgets nothing that would refuse.
///
/// A set has four slots and a *ghost*: the least state that refuses whatever the states that were evicted from it would refuse. A
/// key that is in no slot was evicted with a state that the ghost covers, and starts from the ghost when it comes again. So no
/// key ever passes more than its limit, however many keys there are. Time makes the ghost forget as it makes every state forget.
///
/// Each set is behind a lock of its own, held for the length of one decision.
pub(crate) struct LockedTable<L: Limit> {
    sets: Box<[Mutex<Set<L>>]>,
    /// The longest wait that was ever granted, in nanoseconds.
    longest_wait: AtomicU64,
}

struct Set<L: Limit> {
    /// The same for all sets, except while it is being replaced.
    rule: Arc<Rule<L>>,
    keys: [u64; WAYS],
    states: [L::State; WAYS],
    ghost: L::State,
    arrivals: Arrivals,
}

struct Rule<L> {
    limit: L,
    limits: Limits,
    newcomers: Newcomers,
}

/// What a key that comes without a slot starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newcomers {
    /// What those that had to go had taken at most: a limit forgets no debt.
    Inherit,
    /// Nothing: what is counted is nobody's but the key's own, as long as it has a slot.
    BeginAnew,
}

/// A decision, what is left after it, and from when on it is as if nothing had been taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided {
    pub(crate) result: Result<Taken, Refused>,
    pub(crate) remaining: u32,
    pub(crate) reset_at: Timestamp,
    /// The quota that decided.
    pub(crate) limits: Limits,
}

/// What counts of what a key has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owed {
    /// How many cells do.
    pub(crate) cells: u32,
    /// How many are left.
    pub(crate) left: u32,
    /// For how many nanoseconds the last of them does.
    pub(crate) nanos: u64,
}

impl<L: Limit> Set<L> {
    fn new(rule: Arc<Rule<L>>) -> Self {
        Self {
            rule,
            keys: [0; WAYS],
            states: Default::default(),
            ghost: L::State::default(),
            arrivals: Arrivals::default(),
        }
    }

    fn find(&self, print: Print) -> Option<usize> {
        print_way(&self.keys, print)
    }

    /// What of a state counts at `now`, if anything does.
    fn owed(&self, state: &L::State, now: Timestamp) -> Option<Owed> {
        let limit = &self.rule.limit;
        let nanos = limit.reset_at(state).as_nanos().saturating_sub(now.as_nanos());
        let left = limit.remaining(state, now);
        let cells = limit.remaining(&L::State::default(), now).saturating_sub(left);
        (nanos > 0 && cells > 0).then_some(Owed { cells, left, nanos })
    }

    /// What a key is known to have taken: its own state, or the ghost.
    fn known(&self, print: Print) -> &L::State {
        self.find(print).map_or(&self.ghost, |way| &self.states[way])
    }

    /// Decides, and gives a newcomer a slot if it passes.
    fn take(&mut self, print: Print, want: Want) -> Result<Taken, Refused> {
        if let Some(way) = self.find(print) {
            return self.rule.limit.take(&mut self.states[way], want);
        }
        let mut state = self.ghost.clone();
        let all = self.rule.limit.remaining(&L::State::default(), want.now);
        let owed = all.saturating_sub(self.rule.limit.remaining(&state, want.now));
        let taken = self.rule.limit.take(&mut state, want)?;
        if want.cells > 0 {
            self.arrivals.inherited = self.arrivals.inherited.saturating_add(u64::from(owed));
            self.let_in(print, state, want.now);
        }
        Ok(taken)
    }

    /// Gives a newcomer the slot of whoever has most left; of several, of the first to owe nothing.
    fn let_in(&mut self, print: Print, state: L::State, now: Timestamp) {
        let left = |way: &usize| {
            let state = &self.states[*way];
            (Reverse(self.rule.limit.remaining(state, now)), self.rule.limit.reset_at(state))
        };
        let first = (0..WAYS).min_by_key(left).unwrap_or(0);
        let live = self.rule.limit.reset_at(&self.states[first]) > now;
        // Also what owes nothing by this clock: another thread's may be behind it.
        if self.rule.newcomers == Newcomers::Inherit {
            self.rule.limit.merge(&mut self.ghost, &self.states[first]);
        }
        self.keys[first] = print.word();
        self.states[first] = state;
        self.arrivals.arrived += 1;
        self.arrivals.evicted_live += u64::from(live);
    }

    fn decided(&self, print: Print, now: Timestamp, result: Result<Taken, Refused>) -> Decided {
        let state = self.known(print);
        let Rule { limit, limits, .. } = &*self.rule;
        Decided { result, remaining: limit.remaining(state, now), reset_at: limit.reset_at(state), limits: *limits }
    }
}

fn print_way(keys: &[u64; WAYS], print: Print) -> Option<usize> {
    keys.iter().position(|key| print.is_same_key(*key))
}

impl<L: Limit> LockedTable<L> {
    /// Room for so many keys, rounded up to a power of two and at least 4.
    pub(crate) fn new(keys: usize, limit: L, limits: Limits, newcomers: Newcomers) -> Self {
        let rule = Arc::new(Rule { limit, limits, newcomers });
        let sets = (0..sets_for(keys)).map(|_| Mutex::new(Set::new(rule.clone()))).collect();
        Self { sets, longest_wait: AtomicU64::new(0) }
    }

    /// How many keys there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    pub(crate) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// How much memory that is, in bytes, without what states have beside themselves.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.sets)
    }

    /// The quota that holds.
    pub(crate) fn limits(&self) -> Limits {
        self.sets[0].lock().rule.limits
    }

    fn set(&self, print: Print) -> MutexGuard<'_, Set<L>> {
        self.sets[print.set(self.sets.len())].lock()
    }

    /// Takes what is wanted. `clock` is read again where a state lies too far in the future; `epoch` moves on before that is brought
    /// back.
    pub(crate) fn take(&self, print: Print, want: Want, clock: &Clock, epoch: &Epoch) -> Decided {
        let mut set = self.set(print);
        let result = set.take(print, want);
        match result {
            Err(Refused::Later { .. }) if self.ahead(&set, print, want.now) > 0 => {
                drop(set);
                self.heal(print, want, clock, epoch)
            }
            _ => {
                if let Ok(taken) = result {
                    self.note_wait(&taken);
                }
                set.decided(print, want.now, result)
            }
        }
    }

    fn note_wait(&self, taken: &Taken) {
        let wait = taken.act_at.as_nanos().saturating_sub(taken.at.as_nanos());
        if wait > 0 {
            self.longest_wait.fetch_max(wait, Ordering::Relaxed);
        }
    }

    fn ahead(&self, set: &Set<L>, print: Print, now: Timestamp) -> u64 {
        set.rule.limit.ahead(set.known(print), now, self.longest_wait.load(Ordering::Relaxed))
    }

    /// Brings back a state that lies further ahead than any clock could have brought it, and asks again.
    ///
    /// The state is read before the clock, and the clock outside the lock, so that time which passes between is not taken for a
    /// step.
    #[cold]
    fn heal(&self, print: Print, want: Want, clock: &Clock, epoch: &Epoch) -> Decided {
        let seen = self.set(print).known(print).clone();
        let now = clock.now();
        let longest_wait = self.longest_wait.load(Ordering::Relaxed);
        let mut set = self.set(print);
        let by = set.rule.limit.ahead(&seen, now, longest_wait).min(self.ahead(&set, print, now));
        if by > 0 {
            epoch.advance();
            let Set { rule, ghost, states, .. } = &mut *set;
            let limit = &rule.limit;
            limit.pull_back(ghost, limit.ahead(ghost, now, longest_wait).min(by));
            for state in states {
                limit.pull_back(state, limit.ahead(state, now, longest_wait).min(by));
            }
        }
        let result = set.take(print, Want { now, ..want });
        if let Ok(taken) = result {
            self.note_wait(&taken);
        }
        set.decided(print, now, result)
    }

    /// What would be decided. Takes nothing.
    pub(crate) fn look(&self, print: Print, want: Want) -> Decided {
        let set = self.set(print);
        let result = set.rule.limit.take(&mut set.known(print).clone(), want);
        let result = match result {
            // What the clock has left behind is for a real call to mend.
            Err(_) if self.ahead(&set, print, want.now) > 0 => set.rule.limit.take(&mut L::State::default(), want),
            _ => result,
        };
        set.decided(print, want.now, result)
    }

    /// Gives back what is safe to give back, if the receipt `is_valid`; nothing to a key that has
    /// no slot.
    pub(crate) fn give_back(
        &self,
        print: Print,
        taken: Taken,
        is_valid: impl FnOnce() -> bool,
        now: &dyn Fn() -> Timestamp,
    ) {
        let mut set = self.set(print);
        if let Some(way) = set.find(print)
            && is_valid()
        {
            let Set { rule, states, .. } = &mut *set;
            rule.limit.give_back(&mut states[way], taken, now());
        }
    }

    /// Makes a key one that was never seen: what it has taken is what any other newcomer has.
    pub(crate) fn reset(&self, print: Print, epoch: &Epoch) {
        let mut set = self.set(print);
        if let Some(way) = set.find(print) {
            epoch.advance();
            set.states[way] = set.ghost.clone();
        }
    }

    /// Makes a key have taken at least so many cells, that count until `reset_at`.
    pub(crate) fn raise(&self, print: Print, cells: u32, reset_at: Timestamp, now: Timestamp) {
        let mut set = self.set(print);
        let mut state = owing(&set.rule.limit, cells, reset_at, now);
        let Set { rule, keys, states, ghost, .. } = &mut *set;
        if let Some(way) = print_way(keys, print) {
            return rule.limit.merge(&mut states[way], &state);
        }
        rule.limit.merge(&mut state, ghost);
        set.let_in(print, state, now);
    }

    /// Makes every new key of a set have taken at least so many cells, that count until `reset_at`.
    pub(crate) fn raise_ghost(&self, set: usize, cells: u32, reset_at: Timestamp, now: Timestamp) {
        if let Some(set) = self.sets.get(set) {
            let Set { rule, ghost, .. } = &mut *set.lock();
            rule.limit.merge(ghost, &owing(&rule.limit, cells, reset_at, now));
        }
    }

    /// Replaces the limit, set by set.
    pub(crate) fn carry(&self, limit: L, limits: Limits, carry: Carry, now: Timestamp) {
        let newcomers = self.sets[0].lock().rule.newcomers;
        let rule = Arc::new(Rule { limit, limits, newcomers });
        for set in &self.sets {
            let mut set = set.lock();
            let set = &mut *set;
            for state in set.states.iter_mut().chain([&mut set.ghost]) {
                *state = rule.limit.carry(&set.rule.limit, std::mem::take(state), carry, now);
            }
            set.rule = rule.clone();
        }
    }

    /// Tells of every key that has taken something that counts at `now`.
    pub(crate) fn for_each(&self, now: Timestamp, mut tell: impl FnMut(Print, Owed)) {
        for set in &self.sets {
            let owing: [_; WAYS] = {
                let set = set.lock();
                std::array::from_fn(|way| Some((Print::from_word(set.keys[way])?, set.owed(&set.states[way], now)?)))
            };
            owing.into_iter().flatten().for_each(|(print, owed)| tell(print, owed));
        }
    }

    /// Tells of every ghost what [`for_each`](Self::for_each) tells of keys.
    pub(crate) fn ghosts(&self, now: Timestamp, mut tell: impl FnMut(usize, Owed)) {
        for (number, set) in self.sets.iter().enumerate() {
            let set = set.lock();
            let owed = set.owed(&set.ghost, now);
            drop(set);
            if let Some(owed) = owed {
                tell(number, owed);
            }
        }
    }

    /// How many keys have taken something that counts at `now`.
    pub(crate) fn live(&self, now: Timestamp) -> usize {
        let live = |set: &Set<L>| set.states.iter().filter(|state| set.rule.limit.reset_at(state) > now).count();
        self.sets.iter().map(|set| live(&set.lock())).sum()
    }

    /// What has come and gone since the table was made.
    pub(crate) fn arrivals(&self) -> Arrivals {
        let mut all = Arrivals::default();
        self.sets.iter().for_each(|set| all += set.lock().arrivals);
        all
    }
}
