//! A policy that never waits and whose right to call is no capacity: one trial call at a time, taken when it starts.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, Ending, Kind, Name, Policy, Rejection};

/// At most so many trials at once; none at all is a door that is shut.
pub(crate) struct Probe {
    most: usize,
    running: AtomicUsize,
}

/// Whether the call has its trial already, or only a reservation that promises nothing.
pub(crate) struct Token {
    is_trial: bool,
}

impl Probe {
    pub(crate) const fn new(most: usize) -> Self {
        Self { most, running: AtomicUsize::new(0) }
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    fn take(&self) -> Result<(), Rejection> {
        let more = |running| (running < self.most).then_some(running + 1);
        let taken = self.running.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        if taken.is_ok() { Ok(()) } else { Err(refusal()) }
    }
}

fn refusal() -> Rejection {
    static SHUT: Kind = Kind::new("probe", "shut");
    Rejection::new(&SHUT, Name::from_static("test"))
}

impl Policy for Probe {
    type Token = Token;
    type Place = Infallible;
    type Refusal = Rejection;

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn settle(&self, token: Token, _ending: Ending<'_>, _now: &Now<'_>) {
        if token.is_trial {
            let before = self.running.fetch_sub(1, Ordering::SeqCst);
            assert!(before > 0, "a trial ends once");
        }
    }

    fn peek(&self, _now: &Now<'_>) -> Result<(), Rejection> {
        if self.running() >= self.most { Err(refusal()) } else { Ok(()) }
    }

    fn renew(&self, token: &mut Token, _now: &Now<'_>) -> Result<(), Rejection> {
        if !token.is_trial {
            self.take()?;
            token.is_trial = true;
        }
        Ok(())
    }
}

impl<Call: ?Sized> Admits<Call> for Probe {
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Token, Rejection> {
        self.peek(ask.now)?;
        if !ask.is_reservation() {
            self.take()?;
        }
        Ok(Token { is_trial: !ask.is_reservation() })
    }
}
