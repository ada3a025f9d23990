//! What is done with a table beside taking: rarely, and under the locks of its sets.

use seawall_core::sync::atomic::Ordering;
use seawall_core::time::Timestamp;

use super::super::arrivals::Arrivals;
use super::super::print::{Print, WAYS};
use super::{Account, CLAIMED, Excess, GcraTable, LATEST, Locked, Set, Slot, ticks};
use crate::cell::Epoch;
use crate::limit::{Gcra, Taken};

impl GcraTable {
    pub(super) fn locked(&self, print: Print) -> (usize, &Set, Locked<'_>) {
        let set = print.set(self.sets.len());
        (set, &self.sets[set], self.lock(set))
    }

    /// The arrival time of a key as it would find it now.
    pub(crate) fn look(&self, print: Print, gcra: &Gcra, now: Timestamp) -> u64 {
        let (number, set, locked) = self.locked(print);
        let latest = self.latest(print.class(), ticks(gcra, now));
        match set.find_key(print) {
            Some(way) if set.0[way].is_of(print) => set.0[way].look(),
            Some(way) => {
                let (due, _) = self.ask(locked.excess(way), print.class());
                set.0[way].look().saturating_add(due).min(CLAIMED - 1)
            }
            None => set.least(&locked).owes.max(self.floors[number].load(Ordering::Relaxed)).min(latest),
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
    pub(crate) fn give_back(&self, print: Print, gcra: &Gcra, taken: &Taken, epoch: u32, now: &dyn Fn() -> Timestamp) {
        let refund = |tat| {
            // After the arrival time: no time by which anything in it was taken is later.
            let now = gcra.ticks(now());
            gcra.refundable(tat, taken, now, self.may_wait(tat, now))
        };
        self.lower(print, |tat| if self.epoch.takes(epoch) { tat - refund(tat) } else { tat });
    }

    /// Whether turns of a key may be to come.
    fn may_wait(&self, tat: u64, now: u64) -> bool {
        let waits_from = now.saturating_add(self.least_to_wait.load(Ordering::Relaxed));
        now < self.last_turn.load(Ordering::Relaxed) && tat > waits_from
    }

    /// Makes a key one that was never seen: it owes no more than any other newcomer.
    pub(crate) fn reset(&self, print: Print) {
        let lowered = self.lower(print, |_| {
            // Whoever takes from now on, and takes before the swap, makes it fail.
            self.epoch.advance();
            0
        });
        if let Some((number, way, mut locked)) = lowered {
            let (excess, floor) = (locked.excess(way), self.floors[number].load(Ordering::Relaxed));
            let inherited = floor.saturating_sub(self.sets[number].0[way].look());
            locked.keep(way, Excess::new(inherited.min(excess.ticks()), excess.asked()));
        }
    }

    /// Lowers the arrival time of a key, but not to its set's floor, if anything was ever evicted from it. `change` is asked again if
    /// the key has taken meanwhile.
    fn lower(&self, print: Print, change: impl Fn(u64) -> u64) -> Option<(usize, usize, Locked<'_>)> {
        let (number, set, locked) = self.locked(print);
        let way = set.find_key(print)?;
        let above = match self.floors[number].load(Ordering::Relaxed) {
            0 => 0,
            floor => floor.saturating_add(1).min(CLAIMED - 1),
        };
        set.0[way].update(|tat| change(tat).max(above.min(tat)));
        Some((number, way, locked))
    }

    /// Makes a key owe at least this: in its slot, in that of a key that owes less, or in the floor. `now` is in ticks.
    pub(crate) fn raise(&self, print: Print, account: Account, now: u64) {
        let account = Account { tat: account.tat.min(LATEST), ..account };
        self.expect_owed(account.all(), now);
        if account.excess > 0 {
            self.expect_excess(account.asked, account.excess);
        }
        let (number, set, mut locked) = self.locked(print);
        if let Some(way) = set.find_key(print) {
            let slot = &set.0[way];
            let own = self.account(slot.look(), locked.excess(way));
            let (tat, excess) = self.asked_by(slot.print().unwrap_or(print).class(), own.max(account));
            locked.keep(way, excess);
            return slot.update(|own| own.max(tat));
        }
        let floor = &self.floors[number];
        loop {
            let victim = set.least(&locked);
            let known = floor.load(Ordering::Relaxed);
            if account.all() <= victim.owes || account.all() <= known {
                floor.store(known.max(account.all()), Ordering::Relaxed);
                return;
            }
            // It may be one that had to go, of which is asked what is asked of any newcomer.
            let inherited = known.min(self.latest(print.class(), now));
            let evicted = Account { tat: inherited, excess: known - inherited, asked: self.debt(print.class()) };
            let (tat, excess) = self.asked_by(print.class(), account.max(evicted));
            if victim.slot.hand_over(victim.tat, print, tat) {
                floor.store(known.max(victim.owes), Ordering::Relaxed);
                locked.keep(victim.way, excess);
                locked.guarded.arrivals.arrived += 1;
                return;
            }
        }
    }

    /// Brings a set's floor to `tat`, if it is lower.
    pub(crate) fn raise_floor(&self, set: usize, tat: u64, now: u64) {
        if let Some(floor) = self.floors.get(set) {
            let tat = tat.min(LATEST);
            self.expect_owed(tat, now);
            let _locked = self.lock(set);
            floor.store(floor.load(Ordering::Relaxed).max(tat), Ordering::Relaxed);
        }
    }

    /// Says that an arrival time was brought here by no step of the clock. Before anybody finds it.
    fn expect_owed(&self, tat: u64, now: u64) {
        self.longest_debt.fetch_max(tat.saturating_sub(now), Ordering::Relaxed);
    }

    /// Whether an arrival time lies further ahead than any quota can have brought it by `now`.
    pub(crate) fn is_ahead_of(&self, tat: u64, gcra: &Gcra, now: Timestamp) -> bool {
        tat > self.horizon(ticks(gcra, now))
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
            + size_of_val(&*self.asked)
            + self.locks.iter().map(|lock| lock.0.lock().memory()).sum::<usize>()
    }

    /// Changes all arrival times, each by its class. `floor` says what becomes of one of which the class is not known: the latest
    /// of all classes. One such change at a time, [during](Epoch::during) which no receipt is written that is taken back.
    ///
    /// `now` is in ticks: what lies ahead of it after the change is owed, and no step of the clock has brought it there.
    pub(crate) fn carry(&self, now: u64, each: impl Fn(u8, u64) -> u64, floor: impl Fn(u64) -> u64) {
        let owed = |tat: u64| {
            let tat = tat.min(LATEST);
            self.expect_owed(tat, now);
            tat
        };
        let carried = |class: u8, debt: u64| {
            let tat = each(class, now.saturating_add(debt).min(LATEST));
            tat.min(LATEST).saturating_sub(now)
        };
        // What is known of keys that had to go is carried as well.
        for (class, debt) in (0..=u8::MAX).zip(&self.debts) {
            self.expect_debt(class.into(), carried(class, debt.load(Ordering::Relaxed)));
        }
        for number in 0..self.sets.len() {
            let (set, mut locked) = (&self.sets[number], self.lock(number));
            for (way, slot) in set.0.iter().enumerate() {
                let Some(print) = slot.print() else { continue };
                let excess = locked.excess(way);
                // The time in which it was idle has paid for it.
                let excess =
                    Excess::new(excess.ticks().saturating_sub(now.saturating_sub(slot.look())), excess.asked());
                let asked = carried(print.class(), self.asked(excess.asked()));
                let beyond = Excess::new(carried(print.class(), excess.ticks()), excess.asked());
                let (due, left) = self.ask_of(beyond, asked, self.larger(excess.asked(), print.class()));
                if left != Excess::NONE {
                    self.expect_excess(self.debt(left.asked()), left.ticks());
                }
                locked.keep(way, left);
                slot.update(|tat| owed(each(print.class(), tat).saturating_add(due)));
            }
            let known = self.floors[number].load(Ordering::Relaxed);
            self.floors[number].store(owed(floor(known)), Ordering::Relaxed);
        }
        self.all_were_asked();
    }

    /// Tells of every key that owes something at `now`, in ticks.
    pub(crate) fn for_each(&self, now: u64, mut tell: impl FnMut(Print, Account)) {
        for number in 0..self.sets.len() {
            let owing: [Option<(Print, Account)>; WAYS] = {
                let locked = self.lock(number);
                std::array::from_fn(|way| {
                    let slot = &self.sets[number].0[way];
                    let print = slot.print()?;
                    let account = self.account_at(now, print.class(), self.account(slot.look(), locked.excess(way)));
                    Some((print, account)).filter(|(_, account)| account.all() > now)
                })
            };
            owing.into_iter().flatten().for_each(|(print, account)| tell(print, account));
        }
    }

    /// The floors of all sets, as far as they lie after `now`, and no further than any clock could have brought them.
    pub(crate) fn floors(&self, now: u64) -> impl Iterator<Item = (usize, u64)> {
        let horizon = self.horizon(now);
        let floors = self.floors.iter().map(move |floor| floor.load(Ordering::Relaxed).min(horizon)).enumerate();
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
        self.locks.iter().for_each(|lock| all += lock.0.lock().arrivals);
        all
    }
}

impl Slot {
    pub(super) fn print(&self) -> Option<Print> {
        Print::from_word(self.key.load(Ordering::Relaxed))
    }
}
