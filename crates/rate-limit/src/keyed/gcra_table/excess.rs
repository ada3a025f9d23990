use seawall_core::sync::MutexGuard;
use seawall_core::sync::atomic::Ordering;

use super::super::arrivals::Arrivals;
use super::super::print::{Print, WAYS};
use super::{CLAIMED, GcraTable, LATEST, of_class};

/// What a key may owe beyond its arrival time.
///
/// Of a key whose debt is not known, because its clock has stepped back or because it had to go and was known by its set's floor
/// alone, no more is asked than its class ever let a key owe: a debt of hours locks out nobody whose quota is of seconds. The
/// rest is kept here, and [asked](super::GcraTable::ask) of the key when it gets a class that lets it owe more. Until then it moves
/// on with the arrival time, whatever the key takes: what was not asked is not paid by time in which the key was never idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excess(u64);

impl Excess {
    pub(super) const NONE: Self = Self(0);
    const CLASS: u64 = 0xff;

    /// So many ticks, rounded up to 256, beyond what a key of the class `asked` may owe.
    pub(super) fn new(ticks: u64, asked: u8) -> Self {
        match ticks {
            0 => Self::NONE,
            _ => Self(ticks.min(LATEST).next_multiple_of(Self::CLASS + 1) | u64::from(asked)),
        }
    }

    pub(super) const fn ticks(self) -> u64 {
        self.0 & !Self::CLASS
    }

    /// As much was asked as a key of this class may owe.
    #[expect(clippy::cast_possible_truncation, reason = "the lowest eight bits")]
    pub(super) const fn asked(self) -> u8 {
        self.0 as u8
    }
}

/// What the locks of a table guard, beside that nobody else gives away slots of their sets: what has come and gone there, and by
/// slot what keys owe in excess.
#[derive(Default)]
pub(super) struct Guarded {
    pub(super) arrivals: Arrivals,
    /// By set; none where all keys are of one class.
    excesses: Box<[[Excess; WAYS]]>,
    /// Whether there ever was any.
    any: bool,
}

impl Guarded {
    pub(super) fn new(sets: usize) -> Self {
        Self { excesses: vec![[Excess::NONE; WAYS]; sets].into(), ..Self::default() }
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.excesses)
    }
}

/// A set under its lock.
pub(super) struct Locked<'a> {
    pub(super) guarded: MutexGuard<'a, Guarded>,
    /// Which of the lock's sets it is.
    pub(super) row: usize,
}

impl Locked<'_> {
    pub(super) fn excess(&self, way: usize) -> Excess {
        self.guarded.excesses.get(self.row).map_or(Excess::NONE, |ways| ways[way])
    }

    pub(super) fn keep(&mut self, way: usize, excess: Excess) {
        let Guarded { excesses, any, .. } = &mut *self.guarded;
        if let Some(ways) = excesses.get_mut(self.row) {
            ways[way] = excess;
            *any |= excess != Excess::NONE;
        }
    }

    /// Whether a key of any of the lock's sets may owe anything in excess.
    pub(super) fn has_excesses(&self) -> bool {
        self.guarded.any
    }
}

/// What a key is known to owe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// When that is paid which was asked of it, in ticks.
    pub(crate) tat: u64,
    /// What it owes in excess, in ticks.
    pub(crate) excess: u64,
    /// How much was asked of it at least, in ticks, if it owes anything in excess.
    pub(crate) asked: u64,
}

impl Account {
    /// When all of it is paid.
    pub(super) fn all(&self) -> u64 {
        self.tat.saturating_add(self.excess).min(LATEST)
    }

    /// The most of both.
    pub(super) fn max(self, other: Self) -> Self {
        let tat = self.tat.max(other.tat);
        let asked = [self, other].iter().filter(|account| account.excess > 0).map(|account| account.asked).min();
        Self { tat, excess: self.all().max(other.all()).saturating_sub(tat), asked: asked.unwrap_or(u64::MAX) }
    }
}

impl GcraTable {
    /// How much was asked of a key at least, of which was asked what this class lets it owe.
    pub(super) fn asked(&self, class: u8) -> u64 {
        of_class(&self.asked, class.into()).load(Ordering::Relaxed)
    }

    /// What is asked of a key in excess of its arrival time when it gets this class, and what remains.
    pub(super) fn ask(&self, excess: Excess, class: u8) -> (u64, Excess) {
        self.ask_of(excess, self.asked(excess.asked()), class)
    }

    /// The same of a key of which so much was asked.
    pub(super) fn ask_of(&self, excess: Excess, asked: u64, class: u8) -> (u64, Excess) {
        let owed = self.debt(class);
        if owed <= asked {
            return (0, excess);
        }
        let due = excess.ticks().min(owed - asked);
        (due, Excess::new(excess.ticks() - due, class))
    }

    pub(super) fn account(&self, tat: u64, excess: Excess) -> Account {
        Account { tat, excess: excess.ticks(), asked: self.asked(excess.asked()) }
    }

    /// The arrival time and the excess of a key of this class with this account.
    pub(super) fn asked_by(&self, class: u8, account: Account) -> (u64, Excess) {
        let own = self.debt(class);
        let due = account.excess.min(own.saturating_sub(account.asked));
        let asked = account.asked.max(own);
        // As much was asked of it as of a key of any class that lets it owe no more than that.
        let classes = (0..=u8::MAX).take(self.debts.len()).filter(|class| self.debt(*class) <= asked);
        let class = classes.max_by_key(|class| self.debt(*class)).unwrap_or(class);
        (account.tat.saturating_add(due).min(LATEST), Excess::new(account.excess - due, class))
    }

    /// What a key of this class owes at `now`, which is no more than any clock could have brought it to.
    pub(super) fn account_at(&self, now: u64, class: u8, account: Account) -> Account {
        let horizon = self.horizon(now);
        if account.tat <= horizon {
            return account;
        }
        let tat = self.latest(class, now);
        Account { tat, excess: horizon.saturating_sub(tat), asked: self.debt(class) }
    }

    /// Asks of every key that owes anything in excess what it may owe now that its class, or the one that was asked, lets a key owe
    /// more than before.
    pub(super) fn ask_again(&self) {
        for lock in 0..self.locks.len() {
            if !self.lock(lock).has_excesses() {
                continue;
            }
            for number in (lock..self.sets.len()).step_by(self.locks.len()) {
                let (set, mut locked) = (&self.sets[number], self.lock(number));
                for (way, slot) in set.0.iter().enumerate() {
                    let excess = locked.excess(way);
                    let class = slot.print().map_or(0, Print::class);
                    let (due, left) = self.ask(excess, self.larger(excess.asked(), class));
                    locked.keep(way, left);
                    if due > 0 {
                        slot.update(|tat| tat.saturating_add(due).min(CLAIMED - 1));
                    }
                }
            }
        }
        self.all_were_asked();
    }

    /// Which of two classes lets a key owe more.
    pub(super) fn larger(&self, one: u8, other: u8) -> u8 {
        if self.debt(one) > self.debt(other) { one } else { other }
    }

    pub(super) fn all_were_asked(&self) {
        for (asked, debt) in self.asked.iter().zip(&self.debts) {
            asked.fetch_max(debt.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Says that a key may owe so much in excess once it owes what was asked.
    pub(super) fn expect_excess(&self, asked: u64, excess: u64) {
        self.longest_debt.fetch_max(asked.saturating_add(excess).min(LATEST), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_excess_is_kept_with_the_class_that_was_asked_and_is_never_less() {
        for ticks in [1, 255, 256, 257, LATEST - 1, LATEST, u64::MAX] {
            for class in [0, 1, 255] {
                let excess = Excess::new(ticks, class);
                assert_eq!(excess.asked(), class);
                assert!(excess.ticks() >= ticks.min(LATEST) && excess.ticks() - ticks.min(LATEST) < 256);
            }
        }
        assert_eq!(Excess::new(0, 7), Excess::NONE);
        assert_eq!(Excess::NONE.ticks(), 0);
    }
}
