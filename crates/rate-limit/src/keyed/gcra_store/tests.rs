use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seawall_core::time::Clock;

use super::super::print::Print;
use super::super::store::Keep;
use super::GcraStore;
use crate::algorithm::Algorithm;
use crate::limit::{Carry, Want};
use crate::quota::Quota;

#[test]
fn what_is_paid_by_the_old_quota_while_it_is_replaced_has_no_receipt_of_the_new_one() {
    let (clock, time) = Clock::manual();
    time.advance(Duration::from_secs(1));
    let [slow, fast] = [10, 1_000].map(|limit| vec![Quota::per_second(limit); 256]);
    let store = GcraStore::new(&slow, 64).expect("valid");
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
