use std::cell::Cell;

use super::{Clock, Timestamp};

/// The time of one decision: read from the clock when first asked for, the same from then on.
///
/// Reading the time is the dearest step of most decisions, so a path that does not ask does not pay.
///
/// ```
/// use seawall_core::time::{Clock, Now};
/// use std::time::Duration;
///
/// let (clock, time) = Clock::manual();
/// let now = Now::new(Some(&clock));
/// let first = now.get();
/// time.advance(Duration::from_secs(1));
/// assert_eq!(now.get(), first);
/// ```
#[derive(Debug)]
pub struct Now<'a> {
    clock: Option<&'a Clock>,
    read: Cell<Option<Timestamp>>,
}

impl<'a> Now<'a> {
    /// A time that `clock` will tell; without one the [system clock](Clock::system).
    #[inline]
    pub const fn new(clock: Option<&'a Clock>) -> Self {
        Self { clock, read: Cell::new(None) }
    }

    /// A time that is known already.
    #[inline]
    pub const fn at(at: Timestamp) -> Self {
        Self { clock: None, read: Cell::new(Some(at)) }
    }

    /// The time of this decision.
    #[inline(always)]
    pub fn get(&self) -> Timestamp {
        if let Some(at) = self.read.get() {
            return at;
        }
        let at = match self.clock {
            Some(clock) => clock.now(),
            None => Clock::system().now(),
        };
        self.read.set(Some(at));
        at
    }
}
