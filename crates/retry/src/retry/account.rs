//! From what calls pay: known without a lock for as long as it is what the instance was made with.

use seawall_core::sync::atomic::{AtomicU64, Ordering};

use crate::budget::Budget;
use crate::paying::Paying;

/// What an instance's calls pay from.
pub(crate) struct Account {
    first: Option<Budget>,
    pays: AtomicU64,
}

const FROM_NOTHING: u64 = 0;
const FROM_THE_FIRST: u64 = 1;
const FROM_ANOTHER: u64 = 2;

impl Account {
    /// The account of an instance that is made with `first`.
    pub(crate) fn new(first: Option<Budget>) -> Self {
        let pays = AtomicU64::new(if first.is_some() { FROM_THE_FIRST } else { FROM_NOTHING });
        Self { first, pays }
    }

    /// Calls that begin from now on pay from `budget`, which is the first one if `is_first`.
    pub(crate) fn publish(&self, budget: Option<&Budget>, is_first: bool) {
        let pays = match budget {
            None => FROM_NOTHING,
            Some(_) if is_first => FROM_THE_FIRST,
            Some(_) => FROM_ANOTHER,
        };
        self.pays.store(pays, Ordering::Release);
    }

    /// From what a call pays that begins now; `another` looks up a budget that is not the first.
    #[inline]
    pub(crate) fn payer(&self, another: impl FnOnce() -> Option<Budget>) -> Payer {
        match self.pays.load(Ordering::Acquire) {
            FROM_NOTHING => Payer::Nothing,
            FROM_THE_FIRST => Payer::TheFirst,
            _ => another().map_or(Payer::Nothing, Payer::Another),
        }
    }
}

/// From what one call pays; kept, because it must be given back to the same budget.
pub(crate) enum Payer {
    Nothing,
    TheFirst,
    Another(Budget),
}

impl Payer {
    #[inline]
    pub(crate) fn budget<'a>(&'a self, account: &'a Account) -> Option<&'a Budget> {
        match self {
            Self::Nothing => None,
            Self::TheFirst => account.first.as_ref(),
            Self::Another(budget) => Some(budget),
        }
    }
}

/// Whether a reconfigured instance certainly pays from the same budget as before.
pub(crate) fn is_kept(before: &Paying, now: &Paying) -> bool {
    match (before, now) {
        (Paying::Own(before), Paying::Own(now)) => before == now,
        (Paying::Unlimited, Paying::Unlimited) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Deposits, InFlight};
    use crate::{Config, Retry};

    /// Makes one call; how many each budget has counted by then.
    fn call(retry: &Retry, budgets: [&Budget; 2]) -> [u64; 2] {
        let mut call = std::pin::pin!(retry.run(|_| std::future::ready(Ok::<_, ()>(()))));
        let polled = call.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        assert!(polled.is_ready());
        budgets.map(|budget| budget.snapshot().calls)
    }

    #[test]
    fn a_call_pays_from_what_is_configured_when_it_begins() {
        let first = Budget::new(Deposits::default()).expect("valid");
        let other = Budget::new(InFlight::default()).expect("valid");
        let config = |paying: Paying| Config::default().budget(paying);
        let retry = Retry::new(config(first.clone().into())).expect("valid");
        assert_eq!(call(&retry, [&first, &other]), [1, 0]);
        for (paying, calls) in [
            (other.clone().into(), [1, 1]),
            (first.clone().into(), [2, 1]),
            (Paying::Unlimited, [2, 1]),
            (other.clone().into(), [2, 2]),
            (Deposits::default().into(), [2, 2]),
        ] {
            retry.reconfigure(config(paying)).expect("valid");
            assert_eq!(call(&retry, [&first, &other]), calls);
        }
        assert_eq!((first.snapshot().in_flight, other.snapshot().in_flight), (0, 0));
    }

    #[test]
    fn only_what_is_certainly_the_same_is_kept() {
        let own = |ratio| Paying::from(Deposits::default().ratio(ratio));
        assert!(is_kept(&own(0.1), &own(0.1)));
        assert!(!is_kept(&own(0.1), &own(0.2)));
        assert!(is_kept(&Paying::Unlimited, &Paying::Unlimited));
        assert!(!is_kept(&Paying::Unlimited, &own(0.1)));
        assert!(!is_kept(&Budget::default().into(), &Budget::default().into()));
    }
}
