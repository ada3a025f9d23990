use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seawall_core::time::Clock;

use super::super::debts::{Debt, Evicted};
use super::super::print::Print;
use super::super::store::Keep;
use super::{GcraStore, GcraTable};
use crate::algorithm::Algorithm;
use crate::limit::{Carry, Gcra, Want};
use crate::quota::Quota;

#[test]
fn what_is_paid_by_the_old_quota_while_it_is_replaced_has_no_receipt_of_the_new_one() {
    let (clock, time) = Clock::manual();
    time.advance(Duration::from_secs(1));
    let [slow, fast] = [10, 1_000].map(|limit| vec![Quota::per_second(limit); 256]);
    let store = GcraStore::new(&slow, 64, clock.now()).expect("valid");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let replaces = scope.spawn(|| {
            for turn in 0..2_000 {
                let quotas = if turn % 2 == 0 { &fast } else { &slow };
                store.carry(quotas, Algorithm::Gcra, Carry::AsIs, clock.now()).expect("valid");
            }
            is_over.store(true, Ordering::Relaxed);
        });
        // The last class is replaced last.
        let key = Print::new(1 << 40, u8::MAX);
        while !is_over.load(Ordering::Relaxed) {
            let epoch = store.epoch().read();
            let paid = store.decide(key, Want::now(clock.now(), 0), &clock).expect("a look passes").figures.unit;
            let unit = store.class(key.class()).read().0.interval();
            assert!(!store.epoch().takes(epoch) || paid == unit, "paid {paid}, given back {unit}");
        }
        replaces.join().expect("no panic");
    });
}

/// The print of a key; all keys belong to one set.
fn print(key: u64) -> Print {
    Print::new((key + 1) << 40, 0)
}

#[test]
fn a_debt_that_lasts_for_ever_is_refused_and_holds_nobody_up() {
    let (clock, time) = Clock::manual();
    time.advance(Duration::from_secs(1));
    let store = GcraStore::new(&[Quota::per_second(10)], 4, clock.now()).expect("valid");
    let (now, ever) = (clock.now(), u64::MAX);
    for key in 0..6 {
        store.owe(Debt { print: print(key).word(), owed: ever, cells: 0, beyond: ever, asked: 0 }, Duration::ZERO, now);
    }
    store.owe_anew(Evicted { class: 0, set: 0, owed: ever, cells: 0 }, Duration::ZERO, now);
    (0..9).for_each(|key| store.reset(print(key)));
    (0..9).for_each(|key| assert!(store.decide(print(key), Want::one(now), &clock).is_err(), "{key} was let through"));
}

#[test]
fn no_carried_debt_stands_for_a_slot_that_is_handed_over() {
    let (clock, _time) = Clock::manual();
    let table = GcraTable::new(4, 1);
    let gcra = Gcra::new(Quota::per_second(10)).expect("valid");
    table.expect(0, &gcra);
    (0..5).for_each(|key| assert!(table.take(print(key), &gcra, Want::one(clock.now()), &clock).0.is_ok()));
    table.carry(0, |_, _| u64::MAX, |_| u64::MAX);
    (0..9).for_each(|key| table.reset(print(key)));
    (0..9).for_each(|key| assert!(table.take(print(key), &gcra, Want::one(clock.now()), &clock).0.is_err(), "{key}"));
}
