//! A wait or a call that is dropped at any poll leaves neither a place nor a permit behind.

use std::cell::RefCell;
use std::pin::Pin;

use seawall_bulkhead::{Bulkhead, Claiming, Compartment, Config};
use seawall_core::{Claim, Permit};
use seawall_testkit::cancel::CancelAtEveryPoll;
use seawall_testkit::exec::yield_now;

use crate::{Driven, SECOND, bulkhead};

type Call<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A way to make a call.
type Door = (&'static str, fn(&Bulkhead) -> Call<'_>);

const DOORS: [Door; 4] = [
    ("admit", |bulkhead| Box::pin(async { bulkhead.admit().await.expect("its turn").success() })),
    ("admit_within", |bulkhead| {
        Box::pin(async { bulkhead.admit_within(9 * SECOND).await.expect("its turn").failure() })
    }),
    ("run", |bulkhead| {
        Box::pin(async {
            let call = async {
                yield_now().await;
                Ok::<_, ()>(())
            };
            bulkhead.run(call).await.expect("its turn").expect("it does nothing");
        })
    }),
    ("a claim for two", |bulkhead| {
        Box::pin(async {
            let two = Claim::new().permits(2);
            Claiming::directly(bulkhead).with(&two).admit().await.expect("its turn").ignore();
        })
    }),
];

#[test]
fn a_call_that_is_dropped_at_any_poll_leaves_nothing_behind() {
    for (door, call) in DOORS {
        let (bulkhead, _time) = bulkhead(Config::new(2).queue(4));
        let running: RefCell<Vec<Permit<&Compartment>>> = RefCell::default();
        let take_all = || {
            running.borrow_mut().clear();
            while let Ok(permit) = bulkhead.try_admit() {
                running.borrow_mut().push(permit);
            }
        };
        take_all();
        let polls = CancelAtEveryPoll::new().between(|_| drop(running.borrow_mut().pop())).only_when_woken().run(
            || call(&bulkhead),
            |polls| {
                assert_eq!(bulkhead.queued(), 0, "{door}, after {polls} polls");
                let out = u32::try_from(running.borrow().len()).expect("two at most");
                assert_eq!(bulkhead.in_flight(), out, "{door}, after {polls} polls");
                take_all();
                assert_eq!(running.borrow().len(), 2, "{door}, after {polls} polls");
            },
        );
        assert!(polls >= 2, "{door}: it never waited");
    }
}

#[test]
fn the_next_is_served_when_the_one_who_was_granted_goes() {
    let (bulkhead, _time) = bulkhead(Config::new(1).queue(2));
    let running = bulkhead.try_admit().expect("free");
    let (first, second) = (Driven::waiting(bulkhead.admit()), Driven::waiting(bulkhead.admit()));
    drop(running);
    assert!(first.is_woken() && !second.is_woken());
    drop(first);
    drop(second.output().expect("the turn was given on"));
    assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (0, 0));
}
