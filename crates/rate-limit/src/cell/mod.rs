//! Where the state of one limit is kept, and changed by many threads at once.

mod atomic_gcra;
mod epoch;
mod gcra;
mod line;
mod locked;
mod published;
mod sharded;
mod steps;
mod window;

pub use atomic_gcra::AtomicGcra;
pub(crate) use epoch::Epoch;
pub(crate) use gcra::GcraCell;
pub(crate) use locked::{Locked, Store};
pub(crate) use published::Published;
pub(crate) use sharded::Sharded;
pub(crate) use steps::Steps;
pub(crate) use window::WindowCell;

use seawall_core::ConfigError;
use seawall_core::time::{Clock, Timestamp};

use crate::algorithm::{Algorithm, Built};
use crate::config::Scaling;
use crate::figures::{Figures, Limits};
use crate::limit::{
    Carry, FixedWindow, Gcra, Owed, Pacer, Refused, SlidingLog, SlidingWindow, Taken, TokenSteps, Want, WarmUp,
    WindowCounter,
};
use crate::quota::Quota;

/// What was taken, and what is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    pub(crate) taken: Taken,
    pub(crate) figures: Figures,
}

/// Why nothing was taken, and what is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Denied {
    pub(crate) refused: Refused,
    pub(crate) figures: Figures,
    pub(crate) limits: Limits,
}

pub(crate) type Decision = Result<Granted, Denied>;

/// One limit's state.
pub(crate) enum Cell {
    Gcra(Box<GcraCell>),
    Window(Box<WindowCell>),
    Locked(Box<dyn Store>),
    Sharded(Box<Sharded>),
}

impl Cell {
    /// The cell of a limiter.
    pub(crate) fn scaled(
        quota: Quota,
        algorithm: Algorithm,
        scaling: Scaling,
        now: Timestamp,
    ) -> Result<Self, ConfigError> {
        let cell = Self::new(quota, algorithm, now)?;
        Ok(match scaling {
            Scaling::Strict => cell,
            Scaling::Sharded => Self::Sharded(Box::new(Sharded::new(cell))),
        })
    }

    /// A cell from which nothing was taken, which counts since a while before `now`.
    pub(crate) fn new(quota: Quota, algorithm: Algorithm, now: Timestamp) -> Result<Self, ConfigError> {
        macro_rules! under_lock {
            ($limit:ty) => {
                Self::Locked(Box::new(Locked::new(<$limit>::build(quota, algorithm)?, quota, now)))
            };
        }
        Ok(match algorithm {
            Algorithm::Gcra => Self::Gcra(Box::new(GcraCell::new(quota, now)?)),
            Algorithm::SlidingWindow { .. } => {
                let window = SlidingWindow::build(quota, algorithm)?;
                Self::Window(Box::new(WindowCell::new(window, Limits::of(quota))))
            }
            Algorithm::SlidingLog => under_lock!(SlidingLog),
            Algorithm::WindowCounter => under_lock!(WindowCounter),
            Algorithm::FixedWindow { .. } => under_lock!(FixedWindow),
            Algorithm::TokenSteps => under_lock!(TokenSteps),
            Algorithm::WarmUp { .. } => under_lock!(WarmUp),
            Algorithm::Pacer { .. } => under_lock!(Pacer),
        })
    }

    /// Takes what is wanted. `clock` is read again where a state is found to lie in the future.
    #[inline(always)]
    pub(crate) fn take(&self, want: Want, clock: &Clock) -> Decision {
        let Want { now, cells, max_wait } = want;
        match self {
            Self::Gcra(cell) => cell.take(now, cells, max_wait, clock),
            Self::Window(cell) => cell.take(now, cells, max_wait, clock),
            Self::Locked(cell) => cell.take(want, clock),
            Self::Sharded(cell) => cell.take(now, cells, max_wait, clock),
        }
    }

    /// What is left, and whether so many cells would be refused now. Takes nothing.
    #[inline]
    pub(crate) fn look(&self, at: Timestamp, cells: u32) -> Result<(Figures, Limits), Denied> {
        match self {
            Self::Gcra(cell) => cell.look(at, cells),
            Self::Window(cell) => cell.look(at, cells),
            Self::Locked(cell) => cell.look(at, cells),
            Self::Sharded(cell) => cell.look(at, cells),
        }
    }

    /// The quota that holds now.
    pub(crate) fn limits(&self) -> Limits {
        match self {
            Self::Gcra(cell) => cell.limits(),
            Self::Window(cell) => cell.limits(),
            Self::Locked(cell) => cell.limits(),
            Self::Sharded(cell) => cell.cell().limits(),
        }
    }

    /// As much of `want.cells` as there is.
    pub(crate) fn take_up_to(&self, want: Want, clock: &Clock) -> Decision {
        let mut want = want;
        // No more than are left, of a pacer too that would let a call take more and the next one pay.
        if let Self::Locked(cell) = self
            && let Ok((figures, _)) | Err(Denied { figures, .. }) = cell.look(want.now, 0)
            && figures.remaining() > 0
        {
            want.cells = want.cells.min(figures.remaining());
        }
        loop {
            let most = match self.take(want, clock) {
                Ok(granted) => return Ok(granted),
                Err(denied) => denied.figures.remaining(),
            };
            // Others may take meanwhile, so that it can be less each time; nothing is always there.
            want.cells = most.min(want.cells - 1);
        }
    }

    /// Which receipts are taken back.
    #[inline]
    pub(crate) fn epoch(&self) -> &Epoch {
        match self {
            Self::Gcra(cell) => cell.epoch(),
            Self::Window(cell) => cell.epoch(),
            Self::Locked(cell) => cell.epoch(),
            Self::Sharded(cell) => cell.cell().epoch(),
        }
    }

    /// Takes back nothing of what was granted so far.
    pub(crate) fn end_receipts(&self) {
        self.epoch().advance();
        if let Self::Sharded(cell) = self {
            cell.end_leases();
        }
    }

    /// Gives back what is safe to give back of what was taken in this epoch. `now` is asked once the state is known from which it is
    /// given back: at an earlier time it would be more, and those who have taken meanwhile would have had it already.
    pub(crate) fn give_back(&self, taken: Taken, epoch: u32, now: &dyn Fn() -> Timestamp) {
        match self {
            Self::Gcra(cell) => cell.give_back(taken, epoch, now),
            Self::Window(cell) => cell.freeze().give_back(taken, epoch, now),
            Self::Locked(cell) => cell.give_back(taken, epoch, now),
            Self::Sharded(cell) => cell.give_back(taken, epoch, now),
        }
    }

    /// Whether the quota could be replaced by this one.
    pub(crate) fn check(&self, quota: Quota, algorithm: Algorithm) -> Result<(), ConfigError> {
        match self {
            Self::Gcra(cell) => {
                Gcra::build(quota, algorithm)?;
                cell.check(quota)
            }
            Self::Window(_) => SlidingWindow::build(quota, algorithm).map(drop),
            Self::Locked(cell) => cell.check(quota, algorithm),
            Self::Sharded(cell) => cell.cell().check(quota, algorithm),
        }
    }

    /// Replaces the quota.
    pub(crate) fn carry(
        &self,
        quota: Quota,
        algorithm: Algorithm,
        carry: Carry,
        now: Timestamp,
    ) -> Result<(), ConfigError> {
        match self {
            Self::Gcra(cell) => {
                Gcra::build(quota, algorithm)?;
                cell.carry(quota, carry, now)
            }
            Self::Window(cell) => {
                let window = SlidingWindow::build(quota, algorithm)?;
                cell.freeze().carry(window, Limits::of(quota), carry, now);
                Ok(())
            }
            Self::Locked(cell) => cell.carry(quota, algorithm, carry, now),
            Self::Sharded(cell) => {
                cell.cell().carry(quota, algorithm, carry, now)?;
                cell.end_leases();
                Ok(())
            }
        }
    }

    /// Owes at least this; a token bucket goes by the time alone.
    pub(crate) fn raise(&self, owed: Owed, now: Timestamp) {
        match self {
            Self::Gcra(cell) => cell.raise(owed.reset_at, now),
            Self::Window(cell) => cell.freeze().raise(owed, now),
            Self::Locked(cell) => cell.raise(owed, now),
            Self::Sharded(cell) => cell.cell().raise(owed, now),
        }
    }

    /// Forgets whatever was taken.
    pub(crate) fn reset(&self) {
        match self {
            Self::Gcra(cell) => cell.reset(),
            Self::Window(cell) => cell.freeze().reset(),
            Self::Locked(cell) => cell.reset(),
            Self::Sharded(cell) => {
                cell.cell().reset();
                cell.end_leases();
            }
        }
    }
}
