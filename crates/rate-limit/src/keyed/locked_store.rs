use std::time::Duration;

use seawall_core::ConfigError;
use seawall_core::time::{Clock, Timestamp};

use super::arrivals::Arrivals;
use super::debts::{Debt, Evicted};
use super::locked_table::{Decided, LockedTable, Newcomers};
use super::print::Print;
use super::store::{Keep, of_class};
use crate::algorithm::{Algorithm, Built};
use crate::cell::{Decision, Denied, Epoch, Granted};
use crate::figures::{Figures, Limits};
use crate::limit::{Carry, Taken, Want, origin};
use crate::quota::Quota;

/// A [`LockedTable`] for the keys of each class: what the state of one limit means, another cannot say.
pub(super) struct LockedStore<L: Built> {
    /// By class; at least one.
    tables: Box<[LockedTable<L>]>,
    epoch: Epoch,
    /// Since when all its limits count.
    zero: Timestamp,
}

impl<L: Built> LockedStore<L> {
    pub(super) fn new(
        quotas: &[Quota],
        algorithm: Algorithm,
        keys: usize,
        newcomers: Newcomers,
        now: Timestamp,
    ) -> Result<Self, ConfigError> {
        let zero = origin(now);
        let tables = built::<L>(quotas, algorithm, zero)?.into_iter().zip(quotas);
        let table = |(limit, quota): (L, &Quota)| LockedTable::new(keys, limit, Limits::of(*quota), newcomers);
        let tables = tables.map(table).collect();
        Ok(Self { tables, epoch: Epoch::new(), zero })
    }

    fn table(&self, class: u8) -> &LockedTable<L> {
        self.tables.get(usize::from(class)).unwrap_or(&self.tables[0])
    }
}

fn built<L: Built>(quotas: &[Quota], algorithm: Algorithm, zero: Timestamp) -> Result<Vec<L>, ConfigError> {
    let build = |(class, quota): (usize, &Quota)| {
        L::build(*quota, algorithm).map(|limit| limit.since(zero)).map_err(|error| of_class(class, error))
    };
    quotas.iter().enumerate().map(build).collect()
}

fn figures(decided: &Decided, now: Timestamp) -> Figures {
    Figures::plain(decided.remaining, decided.reset_at.as_nanos().saturating_sub(now.as_nanos()))
}

/// When a debt that was told so long ago is over.
fn due(owed: u64, after: Duration, now: Timestamp) -> Timestamp {
    now + Duration::from_nanos(owed).saturating_sub(after)
}

impl<L: Built> Keep for LockedStore<L> {
    fn take(&self, print: Print, want: Want, clock: &Clock) -> Decision {
        let decided = self.table(print.class()).take(print, want, clock, &self.epoch);
        let figures = figures(&decided, want.now);
        match decided.result {
            Ok(taken) => Ok(Granted { taken, figures }),
            Err(refused) => Err(Denied { refused, figures, limits: decided.limits }),
        }
    }

    fn look(&self, print: Print, at: Timestamp, cells: u32) -> Result<(Figures, Limits), Denied> {
        let decided = self.table(print.class()).look(print, Want::now(at, cells));
        let (figures, limits) = (figures(&decided, at), decided.limits);
        match decided.result {
            Ok(_) => Ok((figures, limits)),
            Err(refused) => Err(Denied { refused, figures, limits }),
        }
    }

    fn limits(&self, class: u8) -> Limits {
        self.table(class).limits()
    }

    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    fn give_back(&self, print: Print, taken: Taken, epoch: u32, now: &dyn Fn() -> Timestamp) {
        let is_valid = || self.epoch.takes(epoch);
        self.table(print.class()).give_back(print, taken, is_valid, now);
    }

    fn reset(&self, print: Print) {
        self.tables.iter().for_each(|table| table.reset(print, &self.epoch));
    }

    fn check(&self, quotas: &[Quota], algorithm: Algorithm) -> Result<(), ConfigError> {
        built::<L>(quotas, algorithm, self.zero).map(drop)
    }

    fn carry(&self, quotas: &[Quota], algorithm: Algorithm, carry: Carry, now: Timestamp) -> Result<(), ConfigError> {
        let limits = built::<L>(quotas, algorithm, self.zero)?;
        // What was granted under the old quotas is not taken back under the new ones.
        self.epoch.during(|| {
            for ((table, limit), quota) in self.tables.iter().zip(limits).zip(quotas) {
                table.carry(limit, Limits::of(*quota), carry, now);
            }
        });
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.tables[0].capacity()
    }

    fn sets(&self) -> usize {
        self.tables[0].sets()
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.tables.iter().map(LockedTable::memory).sum::<usize>()
    }

    fn live(&self, now: Timestamp) -> usize {
        self.tables.iter().map(|table| table.live(now)).sum()
    }

    fn arrivals(&self) -> Arrivals {
        let mut all = Arrivals::default();
        self.tables.iter().for_each(|table| all += table.arrivals());
        all
    }

    fn each(&self, now: Timestamp, tell: &mut dyn FnMut(Print, Figures)) {
        for table in &self.tables {
            table.for_each(now, |print, owed| tell(print, Figures::plain(owed.left, owed.nanos)));
        }
    }

    fn debts(&self, now: Timestamp, tell: &mut dyn FnMut(Debt)) {
        for table in &self.tables {
            table.for_each(now, |print, owed| {
                tell(Debt { print: print.word(), owed: owed.nanos, cells: owed.cells, beyond: 0, asked: 0 });
            });
        }
    }

    fn evicted(&self, now: Timestamp, tell: &mut dyn FnMut(Evicted)) {
        for (class, table) in (0..=u8::MAX).zip(&self.tables) {
            table.ghosts(now, |set, owed| tell(Evicted { class, set, owed: owed.nanos, cells: owed.cells }));
        }
    }

    fn owe(&self, debt: Debt, after: Duration, now: Timestamp) {
        if let Some(print) = Print::from_word(debt.print) {
            self.table(print.class()).raise(print, debt.cells, due(debt.owed, after, now), now);
        }
    }

    fn owe_anew(&self, evicted: Evicted, after: Duration, now: Timestamp) {
        let due = due(evicted.owed, after, now);
        self.table(evicted.class).raise_ghost(evicted.set, evicted.cells, due, now);
    }
}
