//! What is done with a table beside taking: rarely, and under the locks of its sets.

use seawall_core::sync::MutexGuard;
use seawall_core::sync::atomic::Ordering;
use seawall_core::time::Timestamp;

use super::super::arrivals::Arrivals;
use super::super::print::{Print, WAYS};
use super::{CLAIMED, GcraTable, LATEST, Slot, ticks};
use crate::cell::Epoch;
use crate::limit::{Gcra, Taken};

impl GcraTable {
    fn locked(&self, print: Print) -> (usize, MutexGuard<'_, Arrivals>) {
        let set = print.set(self.sets.len());
        (set, self.lock(set).lock())
    }

    /// The arrival time of a key as it would find it now.
    pub(crate) fn look(&self, print: Print, gcra: &Gcra, now: Timestamp) -> u64 {
        let (set, _arrivals) = self.locked(print);
        let floor = self.floors[set].load(Ordering::Relaxed);
        let latest = self.latest(print, gcra, ticks(gcra, now));
        match self.sets[set].find_key(print) {
            Some(slot) if slot.is_of(print) => slot.look().1,
            Some(slot) => slot.look().1.max(floor.min(latest)),
            None => self.sets[set].least().1.max(floor).min(latest),
        }
    }

    /// Whether the key has a slot, in whatever class. Without a lock.
    pub(crate) fn has_slot(&self, print: Print) -> bool {
        self.set(print).find_key(print).is_some()
    }

    /// To be read before something is taken, and written on its receipt.
    pub(crate) const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Gives back what is safe to give back of what was granted in this epoch; nothing to a key that has no slot.
    pub(crate) fn give_back(&self, print: Print, gcra: &Gcra, taken: &Taken, epoch: u32, now: Timestamp) {
        let refund = |tat| gcra.refundable(tat, taken, gcra.ticks(now));
        self.lower(print, |tat| if self.epoch.takes(epoch) { tat - refund(tat) } else { tat });
    }

    /// Makes a key one that was never seen: it owes no more than any other newcomer.
    pub(crate) fn reset(&self, print: Print) {
        self.lower(print, |_| {
            // Whoever takes from now on, and takes before the swap, makes it fail.
            self.epoch.advance();
            0
        });
    }

    /// Lowers the arrival time of a key, but not to its set's floor, if anything was ever evicted from it. `change` is asked again if
    /// the key has taken meanwhile.
    fn lower(&self, print: Print, change: impl Fn(u64) -> u64) {
        let (set, _arrivals) = self.locked(print);
        if let Some(slot) = self.sets[set].find_key(print) {
            let above = match self.floors[set].load(Ordering::Relaxed) {
                0 => 0,
                floor => floor.saturating_add(1).min(CLAIMED - 1),
            };
            slot.update(|tat| change(tat).max(above.min(tat)));
        }
    }

    /// Brings the arrival time of a key to `tat`, if it is earlier: in its slot, in that of a key that owes less, or in the floor.
    pub(crate) fn raise(&self, print: Print, tat: u64) {
        let tat = tat.min(LATEST);
        let (set, mut arrivals) = self.locked(print);
        let (set, floor) = (&self.sets[set], &self.floors[set]);
        if let Some(slot) = set.find_key(print) {
            return slot.update(|own| own.max(tat));
        }
        loop {
            let (slot, victim) = set.least();
            let known = floor.load(Ordering::Relaxed);
            if tat <= victim || tat <= known {
                floor.store(known.max(tat), Ordering::Relaxed);
                return;
            }
            if slot.hand_over(victim, print, tat) {
                floor.store(known.max(victim), Ordering::Relaxed);
                arrivals.arrived += 1;
                return;
            }
        }
    }

    /// Brings a set's floor to `tat`, if it is lower.
    pub(crate) fn raise_floor(&self, set: usize, tat: u64) {
        if let Some(floor) = self.floors.get(set) {
            let _arrivals = self.lock(set).lock();
            floor.store(floor.load(Ordering::Relaxed).max(tat.min(LATEST)), Ordering::Relaxed);
        }
    }

    /// Whether an arrival time lies further ahead than any quota can have brought it by `now`.
    pub(crate) fn is_ahead_of(&self, tat: u64, gcra: &Gcra, now: Timestamp) -> bool {
        let debt = self.longest_debt.load(Ordering::Relaxed).max(gcra.capacity());
        tat > ticks(gcra, now).saturating_add(debt).saturating_add(self.longest_wait.load(Ordering::Relaxed))
    }

    pub(crate) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// How much memory that is, in bytes.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.sets)
            + size_of_val(&*self.floors)
            + size_of_val(&*self.locks)
            + size_of_val(&*self.debts)
    }

    /// Changes all arrival times, each by its class. `floor` says what becomes of one of which the class is not known: the latest
    /// of all classes. One such change at a time, [during](Epoch::during) which no receipt is written that is taken back.
    ///
    /// `now` is in ticks: what lies ahead of it after the change is owed, and no step of the clock has brought it there.
    pub(crate) fn carry(&self, now: u64, each: impl Fn(u8, u64) -> u64, floor: impl Fn(u64) -> u64) {
        let owed = |tat: u64| {
            let tat = tat.min(LATEST);
            // Before anybody finds it.
            self.longest_debt.fetch_max(tat.saturating_sub(now), Ordering::Relaxed);
            tat
        };
        // What is known of keys that had to go is carried as well.
        for (class, debt) in (0..=u8::MAX).zip(&self.debts) {
            let carried = each(class, now.saturating_add(debt.load(Ordering::Relaxed)).min(LATEST));
            self.expect_debt(class.into(), carried.min(LATEST).saturating_sub(now));
        }
        for number in 0..self.sets.len() {
            let _arrivals = self.lock(number).lock();
            for slot in &self.sets[number].0 {
                if let Some(print) = slot.print() {
                    slot.update(|tat| owed(each(print.class(), tat)));
                }
            }
            let known = self.floors[number].load(Ordering::Relaxed);
            self.floors[number].store(owed(floor(known)), Ordering::Relaxed);
        }
    }

    /// Tells of every key that owes something at `now`, in ticks: its print and its arrival time.
    pub(crate) fn for_each(&self, now: u64, mut tell: impl FnMut(Print, u64)) {
        for number in 0..self.sets.len() {
            let owing: [Option<(Print, u64)>; WAYS] = {
                let _arrivals = self.lock(number).lock();
                std::array::from_fn(|way| {
                    let slot = &self.sets[number].0[way];
                    Some((slot.print()?, slot.look().1)).filter(|(_, tat)| *tat > now)
                })
            };
            owing.into_iter().flatten().for_each(|(print, tat)| tell(print, tat));
        }
    }

    /// The floors of all sets, as far as they lie after `now`.
    pub(crate) fn floors(&self, now: u64) -> impl Iterator<Item = (usize, u64)> {
        let floors = self.floors.iter().map(|floor| floor.load(Ordering::Relaxed)).enumerate();
        floors.filter(move |(_, floor)| *floor > now)
    }

    /// How many keys owe something at `now`, in ticks: all sets counted, or from a sample of 16 384.
    pub(crate) fn live(&self, now: u64) -> usize {
        const SAMPLE: usize = 16_384;
        let step = (self.sets.len() / SAMPLE).max(1);
        let slots = self.sets.iter().step_by(step).flat_map(|set| &set.0);
        // One that is just being handed over will owe something.
        slots.filter(|slot| slot.tat.load(Ordering::Relaxed) > now).count() * step
    }

    /// What has come and gone since the table was made.
    pub(crate) fn arrivals(&self) -> Arrivals {
        let mut all = Arrivals::default();
        self.locks.iter().for_each(|lock| all += *lock.0.lock());
        all
    }
}

impl Slot {
    fn print(&self) -> Option<Print> {
        Print::from_word(self.key.load(Ordering::Relaxed))
    }
}
