use std::fmt;

use seawall_core::Shared;
use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Admits, Policy};

use super::{Door, Mode, Request};
use crate::service::{self, Control, ControlledService};
use crate::watch::{Ledger, Watched, watched};

/// How a pattern's policy is made in the situations that the contract is about.
///
/// Each is made anew for each check, on a manual clock: what depends on time (a circuit that is half open) is brought
/// about by moving it.
pub trait Subject {
    /// The policy.
    type Policy: Admits<Request> + 'static;

    /// Whether a reservation takes the turn of the next call. A policy that lets calls wait may still give out its turns in
    /// `call` alone, as a breaker does with its probes.
    const RESERVES: bool = <Self::Policy as Policy>::WAITS;

    /// A policy that admits every call of a check: at most 64 at once, a thousand in all.
    fn admitting(&self, situation: &Situation) -> Shared<Self::Policy>;

    /// A policy that admits exactly one call: the next one is refused, or waits, for as long as the first one runs.
    ///
    /// A policy that lets calls wait has room for eight of them; where they wait for time, the next turn comes within
    /// ten seconds.
    fn single(&self, situation: &Situation) -> Shared<Self::Policy>;

    /// A policy that refuses every call at once, whatever it is, and lets none wait.
    fn refusing(&self, situation: &Situation) -> Shared<Self::Policy>;

    /// How many calls (slots, probes) the policy itself believes to be running; 0 for one that does not keep count.
    fn in_use(&self, policy: &Self::Policy) -> usize;
}

/// The manual time on which a policy is made.
#[derive(Clone, Debug)]
pub struct Situation {
    /// The clock by which the policy decides.
    pub clock: Clock,
    /// The hand that moves it.
    pub time: ManualTime,
}

impl Situation {
    /// A situation at time zero.
    pub fn new() -> Self {
        let (clock, time) = Clock::manual();
        Self { clock, time }
    }
}

impl Default for Situation {
    fn default() -> Self {
        Self::new()
    }
}

/// One check's own policy, under watch, with an inner service that it controls.
pub struct Case<'a, S: Subject> {
    subject: &'a S,
    /// The time of the policy.
    pub situation: Situation,
    /// The policy as its crate gives it.
    pub bare: Shared<S::Policy>,
    /// The same policy, watched: what the layers are made of.
    pub policy: Shared<Watched<S::Policy>>,
    /// What became of the calls.
    pub ledger: Ledger,
    /// The innermost service.
    pub inner: ControlledService,
    /// What that service does and saw.
    pub control: Control,
}

impl<'a, S: Subject> Case<'a, S> {
    /// A policy that admits every call.
    pub fn admitting(subject: &'a S) -> Self {
        Self::new(subject, S::admitting)
    }

    /// A policy that admits exactly one call.
    pub fn single(subject: &'a S) -> Self {
        Self::new(subject, S::single)
    }

    /// A policy that refuses every call.
    pub fn refusing(subject: &'a S) -> Self {
        Self::new(subject, S::refusing)
    }

    fn new(subject: &'a S, make: impl FnOnce(&S, &Situation) -> Shared<S::Policy>) -> Self {
        Self::on(Situation::new(), subject, make)
    }

    /// A policy made in a situation that the check drives itself.
    pub fn on(situation: Situation, subject: &'a S, make: impl FnOnce(&S, &Situation) -> Shared<S::Policy>) -> Self {
        let bare = make(subject, &situation);
        let (policy, ledger) = watched(bare.clone());
        let (inner, control) = service::controlled();
        Self { subject, situation, bare, policy, ledger, inner, control }
    }

    /// The inner service behind the policy.
    pub fn protected<D: Door<Watched<S::Policy>>>(&self) -> D::Service<ControlledService> {
        D::protect(&self.policy, self.inner.clone())
    }

    /// How many calls the policy believes to be running.
    pub fn in_use(&self) -> usize {
        self.subject.in_use(&self.bare)
    }

    /// Checks that nothing is open: no call, no place, nothing in use, and the inner service was not misused.
    #[track_caller]
    pub fn assert_at_rest(&self) {
        self.ledger.assert_balanced();
        assert_eq!(self.in_use(), 0, "the policy believes that calls are running; {:?}", self.ledger.account());
        assert_eq!(self.control.seen().in_flight, 0, "the inner service has calls that nobody waits for");
        self.control.assert_kept();
    }

    /// Whether the policy lets calls wait.
    pub const fn waits() -> bool {
        <S::Policy as Policy>::WAITS
    }

    /// Whether a ready service holds the turn of the next call, behind this door.
    pub const fn reserves<D: Door<Watched<S::Policy>>>() -> bool {
        S::RESERVES && matches!(D::MODE, Mode::Backpressure)
    }

    /// Whether a call holds capacity for which others wait.
    pub const fn is_scarce() -> bool {
        <S::Policy as Policy>::SCARCE
    }
}

impl<S: Subject> fmt::Debug for Case<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("ledger", &self.ledger).field("control", &self.control).finish_non_exhaustive()
    }
}
