//! The ledger knows every way in which a call comes and goes, over a policy that waits.

#[path = "support/slots.rs"]
mod slots;

use std::time::Duration;

use seawall_core::Shared;
use seawall_core::time::Clock;
use seawall_testkit::cancel::CancelAtEveryPoll;
use seawall_testkit::exec::Executor;
use seawall_testkit::watch::{Account, watched};
use slots::{Full, Slots};

#[test]
fn every_ending_has_its_count() {
    let (policy, ledger) = watched(Shared::from_policy(Slots::new(&Clock::system(), 1, 0)));
    policy.try_admit().expect("a free slot").success();
    policy.try_admit().expect("a free slot").failure();
    policy.try_admit().expect("a free slot").ignore();
    policy.try_admit().expect("a free slot").cancel();
    drop(policy.try_admit().expect("a free slot"));
    let held = policy.try_admit().expect("a free slot");
    assert_eq!(policy.try_admit().expect_err("the slot is held"), Full);
    let expected = Account {
        admitted: 6,
        refused: 1,
        succeeded: 1,
        failed: 1,
        ignored: 1,
        cancelled: 1,
        abandoned: 1,
        ..Account::default()
    };
    assert_eq!(ledger.account(), expected);
    assert_eq!(ledger.account().open(), 1);
    drop(held);
    ledger.assert_balanced();
}

#[test]
#[should_panic(expected = "calls that were admitted and never ended")]
fn a_call_that_never_ends_is_found() {
    let (policy, ledger) = watched(Shared::from_policy(Slots::new(&Clock::system(), 1, 0)));
    std::mem::forget(policy.try_admit().expect("a free slot"));
    ledger.assert_balanced();
}

#[test]
fn waiting_for_a_slot_may_be_dropped_at_every_point() {
    let (clock, time) = Clock::manual();
    let slots = Shared::from_policy(Slots::new(&clock, 1, 1));
    let (policy, ledger) = watched(slots.clone());
    let held = std::cell::RefCell::new(None);
    let polls = CancelAtEveryPoll::new()
        .between(|_| {
            time.advance(Duration::from_millis(1));
            held.take();
        })
        .only_when_woken()
        .run(
            || {
                *held.borrow_mut() = Some(policy.try_admit().expect("all slots are free"));
                policy.admit_within(Duration::from_secs(1))
            },
            |polls| {
                held.take();
                ledger.assert_balanced();
                assert_eq!(slots.taken(), 0, "after {polls} polls");
            },
        );
    assert_eq!(polls, 2);
    let account = ledger.account();
    assert_eq!((account.queued, account.served, account.left), (3, 1, 2));
}

#[test]
fn a_wait_ends_with_the_callers_patience() {
    let executor = Executor::new(0);
    let (policy, ledger) = watched(Shared::from_policy(Slots::new(&executor.clock(), 1, 1)));
    let held = policy.try_admit().expect("a free slot");
    let refused = executor.block_on(policy.admit_within(Duration::from_secs(3)));
    assert_eq!(refused.expect_err("nobody released"), Full);
    assert_eq!(executor.now().as_nanos(), 3_000_000_000);
    drop(held);
    ledger.assert_balanced();
    let account = ledger.account();
    assert_eq!((account.queued, account.served, account.left, account.refused), (1, 1, 0, 1));
}
