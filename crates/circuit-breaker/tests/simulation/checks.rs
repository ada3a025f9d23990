//! What must be true of every run.

use std::time::Duration;

use seawall_circuit_breaker::{State, Total};
use seawall_core::time::Timestamp;

use crate::world::{Bin, Run};

/// What clients counted and what their breakers say is the same.
pub(crate) fn books_balance(run: &Run) {
    for (client, account) in run.clients.iter().enumerate() {
        let ended = account.successes + account.failures + account.ignored + account.abandoned;
        assert_eq!(account.asked, account.admitted + account.refused, "client {client}");
        assert!(ended <= account.admitted, "client {client}: {account:?}");
        let Some(snapshot) = &account.snapshot else { continue };
        let Total { successes, failures, ignored, abandoned, stale, refused, opened, .. } = snapshot.total;
        assert_eq!(refused, account.refused, "client {client}: calls refused");
        assert_eq!(successes + failures + ignored + abandoned + stale, ended, "client {client}: calls ended");
        let late = [
            account.successes.checked_sub(successes),
            account.failures.checked_sub(failures),
            account.ignored.checked_sub(ignored),
            account.abandoned.checked_sub(abandoned),
        ];
        let late = late.into_iter().sum::<Option<u64>>();
        assert_eq!(late, Some(stale), "client {client}: each call counts as what it was, or as stale");
        let told = run.transitions.iter().filter(|(whose, event)| *whose == client && event.to == State::Open).count();
        assert_eq!(opened, told as u64, "client {client}: times opened");
    }
}

/// From `begin` on, no circuit changes and none is anything but closed, and all calls are admitted.
pub(crate) fn closed_from(begin: Duration, run: &Run) {
    let late = run.transitions.iter().find(|(_, event)| event.at >= Timestamp::ZERO + begin);
    assert!(late.is_none(), "a circuit changed after {begin:?}: {late:?}");
    for (client, account) in run.clients.iter().enumerate() {
        let state = account.snapshot.as_ref().map_or(State::Closed, |snapshot| snapshot.state);
        assert_eq!(state, State::Closed, "client {client}: {:?}", account.snapshot);
    }
    let (asked, admitted) = (total(run.from(begin), |bin| bin.asked), total(run.from(begin), |bin| bin.admitted));
    assert!(asked > 0, "nobody asks after {begin:?}");
    assert_eq!(asked, admitted, "calls were refused after {begin:?}");
}

pub(crate) fn total(bins: &[Bin], what: impl Fn(&Bin) -> u32) -> u32 {
    bins.iter().map(what).sum()
}

/// How many circuits opened.
pub(crate) fn openings(run: &Run) -> usize {
    run.transitions.iter().filter(|(_, event)| event.to == State::Open).count()
}
