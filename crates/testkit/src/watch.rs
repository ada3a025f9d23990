//! A policy under watch: what it admits must end exactly once, what queues must leave.
//!
//! [`watched`] puts a policy behind one of the same behaviour that counts. Whatever drives the policy (a front door, a
//! tower layer, a user's own loop) is then held to the rules that no policy can check by itself.
//!
//! ```
//! use seawall_testkit::watch::{watched, Account};
//! # use seawall_core::{Admits, Ask, Ending, Kind, Name, Policy, Rejection, Shared, time::{Clock, Now}};
//! # struct Anyone;
//! # impl Policy for Anyone {
//! #     type Token = ();
//! #     type Place = std::convert::Infallible;
//! #     type Refusal = Rejection;
//! #     fn clock(&self) -> Option<&Clock> { None }
//! #     fn settle(&self, _: (), _: Ending<'_>, _: &Now<'_>) {}
//! # }
//! # impl<Call: ?Sized> Admits<Call> for Anyone {
//! #     fn try_admit(&self, _: &Ask<'_, Call>) -> Result<(), Rejection> { Ok(()) }
//! # }
//! # let policy = Shared::from_policy(Anyone);
//! let (policy, ledger) = watched(policy);
//! let permit = policy.try_admit()?;
//! assert_eq!(ledger.account().open(), 1);
//! permit.success();
//! assert_eq!(ledger.account(), Account { admitted: 1, succeeded: 1, ..Account::default() });
//! # Ok::<(), Rejection>(())
//! ```

use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Ending, Entry, Outcome, Policy, Shared};

/// `policy` under watch, and the ledger of what it does.
pub fn watched<P: Policy>(policy: Shared<P>) -> (Shared<Watched<P>>, Ledger) {
    let ledger = Ledger::default();
    (Shared::from_policy(Watched { policy, ledger: ledger.clone() }), ledger)
}

/// A policy that does what the one inside it does, and counts.
#[derive(Debug)]
pub struct Watched<P> {
    policy: Shared<P>,
    ledger: Ledger,
}

/// What became of the calls of a [`Watched`] policy; clones are handles of the same ledger.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    account: Arc<Mutex<Account>>,
}

/// A ledger at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Calls that were admitted, at once or in their turn.
    pub admitted: usize,
    /// Calls that were refused, at once or in their turn.
    pub refused: usize,
    /// Calls that ended in success.
    pub succeeded: usize,
    /// Calls that ended in failure.
    pub failed: usize,
    /// Calls that ended without a verdict.
    pub ignored: usize,
    /// Calls that never started and were given back.
    pub cancelled: usize,
    /// Calls that were dropped before their end.
    pub abandoned: usize,
    /// Calls that panicked.
    pub panicked: usize,
    /// Admissions that were renewed before their call started.
    pub renewed: usize,
    /// Places that were given out.
    pub queued: usize,
    /// Places whose turn came, for better or worse.
    pub served: usize,
    /// Places that were given up.
    pub left: usize,
}

impl Ledger {
    /// The ledger now.
    pub fn account(&self) -> Account {
        *self.account.lock()
    }

    /// Checks that nothing is open: every call that was admitted has ended, every place was served or given up.
    #[track_caller]
    pub fn assert_balanced(&self) {
        let account = self.account();
        assert_eq!(account.open(), 0, "calls that were admitted and never ended: {account:?}");
        assert_eq!(account.waiting(), 0, "places that were neither served nor given up: {account:?}");
    }

    fn note(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.account.lock());
    }

    fn note_decision<T, E>(&self, decision: &Result<T, E>) {
        self.note(|account| match decision {
            Ok(_) => account.admitted += 1,
            Err(_) => account.refused += 1,
        });
    }
}

impl Account {
    /// Calls that were admitted and have not ended.
    ///
    /// # Panics
    ///
    /// When more calls ended than were admitted.
    pub const fn open(&self) -> usize {
        let ended = self.succeeded + self.failed + self.ignored + self.cancelled + self.abandoned + self.panicked;
        self.admitted.checked_sub(ended).expect("no call ends twice")
    }

    /// Places that are held.
    ///
    /// # Panics
    ///
    /// When more places were used up than given out.
    pub const fn waiting(&self) -> usize {
        self.queued.checked_sub(self.served + self.left).expect("no place is used up twice")
    }
}

impl<P: Policy> Policy for Watched<P> {
    type Token = P::Token;
    type Place = P::Place;
    type Refusal = P::Refusal;

    const WAITS: bool = P::WAITS;
    const SCARCE: bool = P::SCARCE;

    fn clock(&self) -> Option<&Clock> {
        self.policy.clock()
    }

    fn settle(&self, token: P::Token, ending: Ending<'_>, now: &Now<'_>) {
        self.ledger.note(|account| {
            let count = match &ending {
                Ending::Finished(report) => match report.outcome() {
                    Outcome::Success => &mut account.succeeded,
                    Outcome::Failure => &mut account.failed,
                    _ => &mut account.ignored,
                },
                Ending::Cancelled => &mut account.cancelled,
                Ending::Panicked => &mut account.panicked,
                _ => &mut account.abandoned,
            };
            *count += 1;
        });
        self.policy.settle(token, ending, now);
    }

    fn peek(&self, now: &Now<'_>) -> Result<(), P::Refusal> {
        self.policy.peek(now)
    }

    fn renew(&self, token: &mut P::Token, now: &Now<'_>) -> Result<(), P::Refusal> {
        self.ledger.note(|account| account.renewed += 1);
        self.policy.renew(token, now)
    }

    fn wake_at(&self, place: &P::Place) -> Option<Timestamp> {
        self.policy.wake_at(place)
    }

    fn leave(&self, place: P::Place) {
        self.ledger.note(|account| account.left += 1);
        self.policy.leave(place);
    }
}

impl<Call: ?Sized, P: Admits<Call>> Admits<Call> for Watched<P> {
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<P::Token, P::Refusal> {
        let decision = self.policy.try_admit(ask);
        self.ledger.note_decision(&decision);
        decision
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<P::Token, P::Place>, P::Refusal> {
        let entry = self.policy.enter(ask);
        match &entry {
            Ok(Entry::Queued(_)) => self.ledger.note(|account| account.queued += 1),
            other => self.ledger.note_decision(other),
        }
        entry
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut P::Place,
        cx: &mut Context<'_>,
    ) -> Poll<Result<P::Token, P::Refusal>> {
        let turn = self.policy.poll_place(ask, place, cx);
        if let Poll::Ready(decision) = &turn {
            self.ledger.note(|account| account.served += 1);
            self.ledger.note_decision(decision);
        }
        turn
    }
}
