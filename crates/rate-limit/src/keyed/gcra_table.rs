mod excess;
#[cfg(all(test, not(seawall_loom)))]
mod tests;
mod upkeep;

use seawall_core::stripe::Padded;
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::{Clock, Timestamp};

pub(crate) use self::excess::Account;
use self::excess::{Excess, Guarded, Locked};
use super::print::{Print, WAYS, sets_for};
use crate::cell::Epoch;
use crate::limit::{Gcra, Refused, Taken, Want};

/// The arrival times of many keys in bounded memory, which forgets no debt.
///
/// A set is one cache line: four slots of a key's [`Print`] and its theoretical arrival time in ticks. A known key costs that
/// line, one compare-and-swap and no lock. A new key takes the place of the one in its set that owes least, under the set's lock,
/// and **inherits what that one owes**.
///
/// # Why no key ever passes more than its limit
/// Each set remembers its *floor*: the latest arrival time that was ever evicted from it. A key that is in no slot was evicted
/// with an arrival time that is not above the floor, and starts from the floor when it comes again. So what the table knows of a
/// key is never less than what an unbounded map would know. (Space-Saving, Metwally, Agrawal, El Abbadi 2005, gives counts of
/// frequent items the same one-sided error.)
///
/// Only what a newcomer owes beyond what its class ever let a key owe is not asked of it at once, so that a debt of hours locks
/// out nobody whose quota is of seconds. It is its [`Excess`], and is asked of it when it gets a class that lets it owe more. A key
/// whose arrival time was brought back because the clock has stepped back may owe whatever any class lets a key owe: what is not
/// asked of it is its excess too.
///
/// What is given back never brings a slot to its set's floor once it has one, so giving back is exact
/// for whoever stays, and takes nothing from what the floor holds for others.
///
/// # Why a lock-free hit is safe
/// Who replaces a key first makes the arrival time [`CLAIMED`], then writes the print, then the newcomer's arrival time, which is
/// later than that of the key before. So a compare-and-swap by what was read of the key before fails. Only where a key of another
/// quota or a clock that stepped back has brought a slot below its floor could a later word be equal by chance; so whoever has
/// swapped looks at the print once more, and if it is not the key's, the swap has charged a stranger and admitted nobody.
pub(crate) struct GcraTable {
    sets: Box<[Set]>,
    /// By set. Written under the set's lock.
    floors: Box<[AtomicU64]>,
    /// Each lock is that of many sets.
    locks: Box<[Padded<Mutex<Guarded>>]>,
    /// The longest wait that was ever granted, in ticks.
    longest_wait: AtomicU64,
    /// The shortest capacity of a quota under which anybody ever waited, and when the last turn comes, in ticks. Who waits by one
    /// class may owe less than another class lets it owe at once.
    least_to_wait: AtomicU64,
    last_turn: AtomicU64,
    /// The longest that any key may owe without having waited, in ticks: the longest capacity of any quota, or what was carried from
    /// one to the next.
    longest_debt: AtomicU64,
    /// The same by class. A smaller quota may take the place of a larger one, and the larger one come back before a key has paid
    /// what that let it owe.
    debts: Box<[AtomicU64]>,
    /// How much was asked at least of a key of which was asked what its class lets it owe, by class: what `debts` say, as soon as all
    /// keys have been asked for that.
    asked: Box<[AtomicU64]>,
    /// Moves on before an arrival time is brought back by anything but a receipt.
    epoch: Epoch,
}

#[derive(Default)]
#[repr(align(64))]
struct Set([Slot; WAYS]);

#[derive(Default)]
struct Slot {
    /// A [`Print`], or 0.
    key: AtomicU64,
    tat: AtomicU64,
}

const _: () = assert!(cfg!(seawall_loom) || size_of::<Set>() == 64, "a set is one cache line");

/// Stands for the arrival time of a slot that is being handed over.
const CLAIMED: u64 = u64::MAX;
/// No time is later, so that no arrival time is ever [`CLAIMED`]: at least 4.5 years after the clock's zero.
const LATEST: u64 = 1 << 63;
const MOST_LOCKS: usize = 256;

/// A decision, and the arrival time after it.
pub(crate) type Decided = (Result<Taken, Refused>, u64);

/// One question to the table.
#[derive(Clone, Copy)]
struct Question<'a> {
    print: Print,
    gcra: &'a Gcra,
    want: Want,
    /// The time of the want, and its longest wait, in ticks.
    now: u64,
    max_wait: u64,
}

impl<'a> Question<'a> {
    #[inline(always)]
    fn new(print: Print, gcra: &'a Gcra, want: Want) -> Self {
        let max_wait = want.max_wait.saturating_mul(gcra.ticks_per_nano()).min(LATEST / 4);
        Self { print, gcra, want, now: ticks(gcra, want.now), max_wait }
    }

    /// The same at another time.
    fn at(self, now: Timestamp) -> Self {
        Self::new(self.print, self.gcra, Want { now, ..self.want })
    }

    /// The arrival time after the cells are taken, or how much is missing.
    #[inline(always)]
    fn advance(&self, tat: u64) -> Result<u64, u64> {
        self.gcra.advance(tat, self.now, self.want.cells, self.max_wait)
    }

    #[inline(always)]
    fn taken(&self, new: u64) -> Decided {
        let wait = self.wait(new);
        let nanos = if wait == 0 { 0 } else { self.gcra.nanos(wait) };
        let act_at = Timestamp::from_nanos(self.want.now.as_nanos().saturating_add(nanos));
        (Ok(Taken { at: self.want.now, act_at, cells: self.want.cells, mark: new }), new)
    }

    /// How long whoever took up to `new` has to wait, in ticks.
    #[inline(always)]
    fn wait(&self, new: u64) -> u64 {
        new.saturating_sub(self.now).saturating_sub(self.gcra.capacity())
    }

    #[inline(always)]
    fn refused(&self, missing: u64, tat: u64) -> Decided {
        (Err(Refused::Later { retry_after: self.gcra.nanos(missing) }), tat)
    }
}

#[inline(always)]
fn ticks(gcra: &Gcra, at: Timestamp) -> u64 {
    gcra.ticks(at).min(LATEST)
}

/// What was found for a key that seemed to be new.
enum Newcomer<'a> {
    /// It got a slot, or is refused without one.
    Decided(Decided),
    /// It has this slot.
    Known(&'a Slot),
    /// It would inherit an arrival time that only a clock which stepped back, or another quota, can explain: the clock has to be
    /// read again.
    Ahead(u64),
}

impl Set {
    /// The slot of exactly this print. Without a branch for each slot: which one it is cannot be foretold.
    #[inline(always)]
    fn find(&self, print: Print) -> Option<&Slot> {
        let mut found = WAYS;
        for (place, slot) in self.0.iter().enumerate().rev() {
            found = if slot.key.load(Ordering::Acquire) == print.word() { place } else { found };
        }
        self.0.get(found)
    }

    /// The slot of this key in whatever class. Whose it stays only under the set's lock.
    fn find_key(&self, print: Print) -> Option<usize> {
        self.0.iter().position(|slot| print.is_same_key(slot.key.load(Ordering::Relaxed)))
    }

    /// The slot that owes least.
    fn least(&self, locked: &Locked<'_>) -> Victim<'_> {
        let looks = self.0.iter().enumerate().map(|(way, slot)| {
            let tat = slot.look();
            Victim { way, slot, tat, owes: tat.saturating_add(locked.excess(way).ticks()).min(CLAIMED - 1) }
        });
        let least = looks.reduce(|least, next| if next.owes < least.owes { next } else { least });
        least.expect("a set has slots")
    }
}

/// The slot of a set that owes least.
struct Victim<'a> {
    way: usize,
    slot: &'a Slot,
    tat: u64,
    /// With its excess.
    owes: u64,
}

impl Slot {
    fn look(&self) -> u64 {
        self.tat.load(Ordering::Acquire)
    }

    /// Gives the slot, whose arrival time was `from`, to `print`, unless somebody has changed it. Called under the set's lock.
    fn hand_over(&self, from: u64, print: Print, tat: u64) -> bool {
        if self.tat.compare_exchange(from, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        self.key.store(print.word(), Ordering::Release);
        self.tat.store(tat, Ordering::Release);
        true
    }

    /// Whether it is the key's in exactly this class. Called under the set's lock.
    fn is_of(&self, print: Print) -> bool {
        self.key.load(Ordering::Relaxed) == print.word()
    }

    /// Gives the slot to the same key in another class, which owes so much more. Called under the set's lock.
    fn take_over(&self, print: Print, due: u64) {
        let tat = self.tat.swap(CLAIMED, Ordering::AcqRel);
        self.key.store(print.word(), Ordering::Release);
        self.tat.store(tat.saturating_add(due).min(CLAIMED - 1), Ordering::Release);
    }

    /// Changes the arrival time. Called under the set's lock.
    fn update(&self, change: impl Fn(u64) -> u64) {
        let mut tat = self.tat.load(Ordering::Acquire);
        while let Err(found) = self.tat.compare_exchange(tat, change(tat), Ordering::AcqRel, Ordering::Acquire) {
            tat = found;
        }
    }
}

impl GcraTable {
    /// Room for so many keys, rounded up to a power of two and at least 4, of so many classes, at least one.
    pub(crate) fn new(keys: usize, classes: usize) -> Self {
        let sets = sets_for(keys);
        let locks = sets.min(MOST_LOCKS);
        let with_excess = if classes > 1 { sets / locks } else { 0 };
        let by_class = || (0..classes.max(1)).map(|_| AtomicU64::new(0)).collect();
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            floors: (0..sets).map(|_| AtomicU64::new(0)).collect(),
            locks: (0..locks).map(|_| Padded(Mutex::new(Guarded::new(with_excess)))).collect(),
            longest_wait: AtomicU64::new(0),
            least_to_wait: AtomicU64::new(u64::MAX),
            last_turn: AtomicU64::new(0),
            longest_debt: AtomicU64::new(0),
            debts: by_class(),
            asked: by_class(),
            epoch: Epoch::new(),
        }
    }

    /// Says that keys of this class may owe as much as this limit lets them. Before its first use.
    pub(crate) fn expect(&self, class: usize, gcra: &Gcra) {
        let before = self.expect_debt(class, gcra.capacity());
        if before < gcra.capacity() {
            self.ask_again();
        }
    }

    /// Gives what was expected before.
    fn expect_debt(&self, class: usize, debt: u64) -> u64 {
        self.longest_debt.fetch_max(debt, Ordering::Relaxed);
        of_class(&self.debts, class).fetch_max(debt, Ordering::Relaxed)
    }

    /// The most that a key of this class may owe without having waited, in ticks.
    fn debt(&self, class: u8) -> u64 {
        of_class(&self.debts, class.into()).load(Ordering::Relaxed)
    }

    /// How many keys there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    #[inline(always)]
    fn set(&self, print: Print) -> &Set {
        &self.sets[print.set(self.sets.len())]
    }

    fn lock(&self, set: usize) -> Locked<'_> {
        // Both are powers of two.
        let (lock, row) = (set & (self.locks.len() - 1), set / self.locks.len());
        Locked { guarded: self.locks[lock].0.lock(), row }
    }

    /// Takes what is wanted. `clock` is read again where an arrival time lies too far in the future.
    #[inline(always)]
    pub(crate) fn take(&self, print: Print, gcra: &Gcra, want: Want, clock: &Clock) -> Decided {
        if want.cells == 0 || want.cells > gcra.burst() {
            return self.without_taking(print, gcra, want);
        }
        let question = Question::new(print, gcra, want);
        match self.set(print).find(print).and_then(|slot| self.take_from(slot, question, clock)) {
            Some(decided) => decided,
            None => self.take_slowly(question, clock),
        }
    }

    #[cold]
    fn without_taking(&self, print: Print, gcra: &Gcra, want: Want) -> Decided {
        let tat = self.look(print, gcra, want.now);
        if want.cells > 0 {
            return (Err(Refused::Never), tat);
        }
        (Ok(Taken { at: want.now, act_at: want.now, cells: 0, mark: tat }), tat)
    }

    /// Takes from a slot that was found to be the key's; `None` if it is not any more.
    #[inline(always)]
    fn take_from(&self, slot: &Slot, mut question: Question<'_>, clock: &Clock) -> Option<Decided> {
        let own = question.print.word();
        let is_its_own = || slot.key.load(Ordering::Acquire) == own;
        let mut tat = slot.tat.load(Ordering::Acquire);
        loop {
            // Who was there when the arrival time was, so that nobody is charged for another.
            if !is_its_own() || tat == CLAIMED {
                return None;
            }
            match question.advance(tat) {
                Ok(new) => {
                    self.note_wait(&question, new);
                    match slot.tat.compare_exchange_weak(tat, new, Ordering::AcqRel, Ordering::Acquire) {
                        Ok(_) if is_its_own() => return Some(question.taken(new)),
                        Ok(_) => return None,
                        Err(found) => tat = found,
                    }
                }
                Err(_) if self.is_ahead(tat, &question) => {
                    // The word was read before the clock: time that passes between is not taken for a step.
                    let later = question.at(clock.now());
                    if self.is_ahead(tat, &later) {
                        self.heal(slot, tat, &later);
                    }
                    question = later;
                    tat = slot.tat.load(Ordering::Acquire);
                }
                Err(missing) => return Some(question.refused(missing, tat)),
            }
        }
    }

    /// Brings an arrival time back to the latest that a key of this class can have been brought to. By another class it may have
    /// been more.
    #[cold]
    #[inline(never)]
    fn heal(&self, slot: &Slot, from: u64, question: &Question<'_>) {
        let Question { print, now, .. } = *question;
        let (_, set, mut locked) = self.locked(print);
        let latest = self.latest(print.class(), now);
        self.last_turn.fetch_min(self.after(now, 0), Ordering::Relaxed);
        // Whoever takes from now on, and takes before the swap, makes it fail.
        self.epoch.advance();
        if let Some(way) = set.find_key(print)
            && slot.is_of(print)
            && slot.tat.compare_exchange(from, latest, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        {
            let beyond = self.horizon(now).saturating_sub(latest);
            locked.keep(way, Excess::new(beyond, print.class()));
        }
    }

    /// Before the arrival time is changed, so that nobody takes that for one of a clock that has stepped back.
    #[inline(always)]
    fn note_wait(&self, question: &Question<'_>, new: u64) {
        let wait = question.wait(new);
        if wait > 0 {
            self.longest_wait.fetch_max(wait, Ordering::Relaxed);
            self.least_to_wait.fetch_min(question.gcra.capacity(), Ordering::Relaxed);
            self.last_turn.fetch_max(question.now.saturating_add(wait), Ordering::Relaxed);
        }
    }

    /// The latest time that a key of this class can have been brought to by `now`, in ticks.
    fn latest(&self, class: u8, now: u64) -> u64 {
        self.after(now, self.debt(class)).min(CLAIMED - 1)
    }

    /// The latest time that any key can have been brought to by now.
    fn horizon(&self, now: u64) -> u64 {
        self.after(now, self.longest_debt.load(Ordering::Relaxed))
    }

    fn after(&self, now: u64, debt: u64) -> u64 {
        now.saturating_add(debt).saturating_add(self.longest_wait.load(Ordering::Relaxed))
    }

    /// Whether only a clock that stepped back explains this arrival time. A key that had another class owes what that class let it,
    /// and pays it.
    fn is_ahead(&self, tat: u64, question: &Question<'_>) -> bool {
        tat > self.horizon(question.now)
    }

    /// For a key that was not found: it is new, or its slot has just changed hands, or its class has.
    #[cold]
    #[inline(never)]
    fn take_slowly(&self, mut question: Question<'_>, clock: &Clock) -> Decided {
        // How late an arrival time was seen before the clock was read again.
        let mut seen = 0;
        loop {
            match self.try_newcomer(question, seen) {
                Newcomer::Decided(decided) => return decided,
                Newcomer::Known(slot) => {
                    if let Some(decided) = self.take_from(slot, question, clock) {
                        return decided;
                    }
                }
                Newcomer::Ahead(tat) => {
                    seen = tat;
                    question = question.at(clock.now());
                }
            }
        }
    }

    fn try_newcomer(&self, question: Question<'_>, seen: u64) -> Newcomer<'_> {
        let print = question.print;
        let (number, set, mut locked) = self.locked(print);
        let floor = &self.floors[number];
        if let Some(way) = set.find_key(print) {
            let slot = &set.0[way];
            if !slot.is_of(print) {
                let (due, excess) = self.ask(locked.excess(way), print.class());
                locked.keep(way, excess);
                // Before the new class can find it.
                slot.take_over(print, due);
            }
            return Newcomer::Known(slot);
        }
        loop {
            let victim = set.least(&locked);
            let owed = victim.owes.max(floor.load(Ordering::Relaxed));
            let latest = self.latest(print.class(), question.now);
            if owed > latest && owed > seen {
                return Newcomer::Ahead(owed);
            }
            let inherited = owed.min(latest);
            let advanced = question.advance(inherited);
            let tat = match advanced {
                Ok(new) => new,
                // It owes more than its own quota lets it: it gets a slot, so that this ends when its own debt would.
                Err(_) if owed > latest => inherited,
                Err(missing) => return Newcomer::Decided(question.refused(missing, inherited)),
            };
            self.note_wait(&question, tat);
            if !victim.slot.hand_over(victim.tat, print, tat) {
                // Its own key has just used it.
                continue;
            }
            // What was seen before the clock was read again lies further ahead than any clock could have brought it.
            let kept = if owed <= seen { owed.min(self.horizon(question.now)) } else { owed };
            floor.store(kept, Ordering::Relaxed);
            locked.keep(victim.way, Excess::new(kept.saturating_sub(inherited), print.class()));
            let arrivals = &mut locked.guarded.arrivals;
            arrivals.arrived += 1;
            arrivals.evicted_live += u64::from(victim.tat > question.now);
            let cells = inherited.saturating_sub(question.now).div_ceil(question.gcra.interval());
            arrivals.inherited = arrivals.inherited.saturating_add(cells);
            return Newcomer::Decided(match advanced {
                Ok(new) => question.taken(new),
                Err(missing) => question.refused(missing, inherited),
            });
        }
    }
}

/// What is kept for a class; for one that there is not, the first.
fn of_class(by_class: &[AtomicU64], class: usize) -> &AtomicU64 {
    by_class.get(class).unwrap_or(&by_class[0])
}
