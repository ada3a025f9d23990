use std::time::Duration;

use seawall_core::ConfigError;
use seawall_core::time::{Clock, Timestamp};

use super::arrivals::Arrivals;
use super::debts::{Debt, Evicted};
use super::gcra_table::{Account, GcraTable};
use super::print::Print;
use super::store::{Keep, of_class};
use crate::algorithm::{Algorithm, Built};
use crate::cell::{Decision, Denied, Epoch, Granted, Published};
use crate::figures::{Figures, Limits};
use crate::limit::{Carry, Gcra, Limit, Refused, Taken, Want, origin};
use crate::limiter::nanos;
use crate::quota::Quota;

/// One [`GcraTable`] for the keys of all classes, whose quotas count in the same ticks.
pub(super) struct GcraStore {
    table: GcraTable,
    /// By class; at least one.
    classes: Box<[Published]>,
}

impl GcraStore {
    pub(super) fn new(quotas: &[Quota], keys: usize, now: Timestamp) -> Result<Self, ConfigError> {
        let [first, ..] = quotas else { return Err(no_class()) };
        let ticks = Gcra::new(*first)?.since(origin(now));
        let table = GcraTable::new(keys, quotas.len());
        let classes = quotas.iter().enumerate().map(|(class, quota)| {
            let gcra = ticks.alike(*quota).map_err(|error| of_class(class, error))?;
            table.expect(class, &gcra);
            Ok(Published::new(&gcra, *quota))
        });
        let classes = classes.collect::<Result<_, ConfigError>>()?;
        Ok(Self { table, classes })
    }

    #[inline(always)]
    fn class(&self, class: u8) -> &Published {
        self.classes.get(usize::from(class)).unwrap_or(&self.classes[0])
    }

    #[inline(always)]
    pub(super) fn decide(&self, print: Print, want: Want, clock: &Clock) -> Decision {
        let (gcra, limits) = self.class(print.class()).read();
        let (result, tat) = self.table.take(print, &gcra, want, clock);
        // A clock that was read again has stepped back: what is left is told as of then.
        let now = gcra.ticks(want.now);
        let figures = figures(&gcra, tat, now);
        match result {
            Ok(taken) => Ok(Granted { taken, figures }),
            Err(refused) => Err(Denied { refused, figures, limits }),
        }
    }

    /// Whether the key is known by itself, not only by what is remembered of those that had to go.
    pub(super) fn has_slot(&self, print: Print) -> bool {
        self.table.has_slot(print)
    }

    /// The limits of these quotas, which count in the ticks of this store.
    fn alike(&self, quotas: &[Quota], algorithm: Algorithm) -> Result<Vec<Gcra>, ConfigError> {
        let (ticks, _) = self.classes[0].read();
        let alike = |quota| Gcra::build(quota, algorithm).and_then(|_| ticks.alike(quota));
        let alike =
            quotas.iter().enumerate().map(|(class, quota)| alike(*quota).map_err(|error| of_class(class, error)));
        alike.collect()
    }

    fn ticks(&self, at: Timestamp) -> u64 {
        self.classes[0].read().0.ticks(at)
    }

    /// When a debt that was told so long ago will be paid, in ticks.
    fn due(&self, owed: u64, after: Duration, now: Timestamp) -> u64 {
        self.ticks(now + Duration::from_nanos(owed).saturating_sub(after))
    }
}

fn no_class() -> ConfigError {
    ConfigError::new("classes", 0, "at least one")
}

#[inline(always)]
fn figures(gcra: &Gcra, tat: u64, now: u64) -> Figures {
    let owed = tat.saturating_sub(now);
    let left = gcra.capacity().saturating_sub(owed);
    Figures { left, unit: gcra.interval(), owed, ticks_per_nano: gcra.ticks_per_nano() }
}

impl Keep for GcraStore {
    fn take(&self, print: Print, want: Want, clock: &Clock) -> Decision {
        self.decide(print, want, clock)
    }

    fn look(&self, print: Print, at: Timestamp, cells: u32) -> Result<(Figures, Limits), Denied> {
        let (gcra, limits) = self.class(print.class()).read();
        let tat = self.table.look(print, &gcra, at);
        let figures = figures(&gcra, tat, gcra.ticks(at));
        if cells > gcra.burst() {
            return Err(Denied { refused: Refused::Never, figures, limits });
        }
        match gcra.advance(tat, gcra.ticks(at), cells, 0) {
            // What the clock has left behind is for a real call to mend.
            Err(missing) if cells > 0 && !self.table.is_ahead_of(tat, &gcra, at) => {
                Err(Denied { refused: Refused::Later { retry_after: figures.nanos(missing) }, figures, limits })
            }
            _ => Ok((figures, limits)),
        }
    }

    fn limits(&self, class: u8) -> Limits {
        self.class(class).read().1
    }

    fn epoch(&self) -> &Epoch {
        self.table.epoch()
    }

    fn give_back(&self, print: Print, taken: Taken, epoch: u32, now: &dyn Fn() -> Timestamp) {
        let (gcra, _) = self.class(print.class()).read();
        self.table.give_back(print, &gcra, &taken, epoch, now);
    }

    fn reset(&self, print: Print) {
        self.table.reset(print);
    }

    fn check(&self, quotas: &[Quota], algorithm: Algorithm) -> Result<(), ConfigError> {
        self.alike(quotas, algorithm).map(drop)
    }

    /// The table is gone through set by set. Calls that are made meanwhile are decided by the old quota or the new one.
    fn carry(&self, quotas: &[Quota], algorithm: Algorithm, carry: Carry, now: Timestamp) -> Result<(), ConfigError> {
        let old: Vec<Gcra> = self.classes.iter().map(|class| class.read().0).collect();
        let new = self.alike(quotas, algorithm)?;
        // What was granted under the old quotas is not taken back under the new ones, nor what is granted by the one or the other
        // meanwhile.
        let mut replaced = Ok(());
        self.table.epoch().during(|| {
            replaced = self.classes.iter().zip(quotas).zip(&new).enumerate().try_for_each(
                |(number, ((class, quota), gcra))| {
                    self.table.expect(number, gcra);
                    class.replace(*quota, |_, _| {})
                },
            );
            if carry != Carry::AsIs {
                let carried = |class: usize, tat| match (old.get(class), new.get(class)) {
                    (Some(old), Some(new)) => new.carry(old, tat, carry, now),
                    _ => tat,
                };
                let latest = |tat| (0..new.len()).map(|class| carried(class, tat)).max().unwrap_or(tat);
                self.table.carry(self.ticks(now), |class, tat| carried(usize::from(class), tat), latest);
            }
        });
        replaced
    }

    fn capacity(&self) -> usize {
        self.table.capacity()
    }

    fn sets(&self) -> usize {
        self.table.sets()
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.table.memory() + size_of_val(&*self.classes)
    }

    fn live(&self, now: Timestamp) -> usize {
        self.table.live(self.ticks(now))
    }

    fn arrivals(&self) -> Arrivals {
        self.table.arrivals()
    }

    fn each(&self, now: Timestamp, tell: &mut dyn FnMut(Print, Figures)) {
        let ticks = self.ticks(now);
        self.table.for_each(ticks, |print, account| {
            let (gcra, _) = self.class(print.class()).read();
            if account.tat > ticks {
                tell(print, figures(&gcra, account.tat, ticks));
            }
        });
    }

    fn debts(&self, now: Timestamp, tell: &mut dyn FnMut(Debt)) {
        let (gcra, _) = self.classes[0].read();
        let now = gcra.ticks(now);
        self.table.for_each(now, |print, account| {
            let Account { tat, excess, asked } = account;
            // The time in which it was idle has paid for it.
            let beyond = excess.saturating_sub(now.saturating_sub(tat));
            tell(Debt {
                print: print.word(),
                owed: gcra.nanos(tat.saturating_sub(now)),
                cells: 0,
                beyond: gcra.nanos(beyond),
                asked: asked / gcra.ticks_per_nano(),
            });
        });
    }

    fn evicted(&self, now: Timestamp, tell: &mut dyn FnMut(Evicted)) {
        let (gcra, _) = self.classes[0].read();
        let now = gcra.ticks(now);
        for (set, floor) in self.table.floors(now) {
            tell(Evicted { class: 0, set, owed: gcra.nanos(floor - now), cells: 0 });
        }
    }

    fn owe(&self, debt: Debt, after: Duration, now: Timestamp) {
        if let Some(print) = Print::from_word(debt.print) {
            let (gcra, _) = self.class(print.class()).read();
            let ticks = |nanos: u64| nanos.saturating_mul(gcra.ticks_per_nano());
            // What was asked of it is paid first.
            let rest = nanos(after.saturating_sub(Duration::from_nanos(debt.owed)));
            let account = Account {
                tat: self.due(debt.owed, after, now),
                excess: ticks(debt.beyond.saturating_sub(rest)),
                asked: ticks(debt.asked),
            };
            self.table.raise(print, account, gcra.ticks(now));
        }
    }

    fn owe_anew(&self, evicted: Evicted, after: Duration, now: Timestamp) {
        self.table.raise_floor(evicted.set, self.due(evicted.owed, after, now), self.ticks(now));
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests;
