//! Several policies as one: [`all`].

mod both;
mod optional;

pub use both::{Both, BothPlace};

use crate::{Policy, Shared};

/// One decision by all `members`: all admit the call, or none has taken anything.
///
/// A tuple of two to five handles, or of [`Option`]s of handles where `None` is not asked. Its refusal is the
/// [`Rejection`](crate::Rejection) of the member that refused. It reads the clock once.
///
/// # Order
/// First every member is asked whether it refuses everything now, which takes nothing. Then the members that may let calls
/// wait are asked in the order of the tuple, each while what the ones before gave is held; then those that never wait. If
/// anything was waited for, each admission is renewed before the call may start, so that a circuit which opened meanwhile
/// refuses. What was taken for a call that is refused in the end is given back; concurrent callers may see that it was taken
/// for a moment.
///
/// Write meters first and scarce capacity last: a call that waits for its tenant's turn must not hold what others need. That
/// at most one member is scarce, and that no member after it waits, is checked when the program is compiled.
///
/// # Panics
/// If the members decide by different clocks.
///
/// ```compile_fail
/// use seawall_core::{all, Shared};
/// # use seawall_core::{Admits, Ask, Ending, Policy, Rejection, time::{Clock, Now}};
/// # struct Scarce;
/// # impl Policy for Scarce {
/// #     type Token = (); type Place = (); type Refusal = Rejection;
/// #     const WAITS: bool = true; const SCARCE: bool = true;
/// #     fn clock(&self) -> Option<&Clock> { None }
/// #     fn settle(&self, (): (), _: Ending<'_>, _: &Now<'_>) {}
/// # }
/// // Two scarce members: whoever held the first while it waits for the second would keep it from others.
/// let both = all((Shared::from_policy(Scarce), Shared::from_policy(Scarce)));
/// ```
pub fn all<M: Members>(members: M) -> Shared<M::Chain> {
    Shared::from_policy(members.chain())
}

/// A tuple of policies.
pub trait Members {
    /// The policies as one.
    type Chain: Policy;

    /// Makes them one.
    fn chain(self) -> Self::Chain;
}

impl<A: Policy, B: Policy> Members for (A, B) {
    type Chain = Both<A, B>;

    fn chain(self) -> Self::Chain {
        Both::new(self.0, self.1)
    }
}

impl<A: Policy, B: Policy, C: Policy> Members for (A, B, C) {
    type Chain = Both<A, Both<B, C>>;

    fn chain(self) -> Self::Chain {
        Both::new(self.0, (self.1, self.2).chain())
    }
}

impl<A: Policy, B: Policy, C: Policy, D: Policy> Members for (A, B, C, D) {
    type Chain = Both<A, Both<B, Both<C, D>>>;

    fn chain(self) -> Self::Chain {
        Both::new(self.0, (self.1, self.2, self.3).chain())
    }
}

impl<A: Policy, B: Policy, C: Policy, D: Policy, E: Policy> Members for (A, B, C, D, E) {
    type Chain = Both<A, Both<B, Both<C, Both<D, E>>>>;

    fn chain(self) -> Self::Chain {
        Both::new(self.0, (self.1, self.2, self.3, self.4).chain())
    }
}
