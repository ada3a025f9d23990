//! Priority shedding: the lowest first.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use seawall_bulkhead::Priority;
use seawall_bulkhead::load::{Hysteresis, Level, Shed, Shedder, Shedding};
use seawall_bulkhead::{Bulkhead, Claim, Claiming, Config as Limit};
use seawall_core::{Rejection, Shared, all};

use crate::support::{MS, Pushed, SECOND, metrics, raw};

type Directly = Shared<Shedder<fn(&Priority) -> Priority>>;

fn admitted(shedder: &Directly) -> Vec<Priority> {
    Priority::ALL.into_iter().filter(|priority| shedder.with(priority).try_admit().is_ok()).collect()
}

/// A load at each level, in their order.
const LOADS: [f64; 3] = [0.1, 0.9, 1.0];

#[test]
fn the_lowest_priority_is_refused_first() {
    let it = Pushed::new(raw().levels(Hysteresis::default().dwell(Duration::ZERO)));
    let shedder = Shedder::directly(&it.gauge);
    for (load, passes) in LOADS.into_iter().zip([0, 1, 2]) {
        it.load(load);
        assert_eq!(admitted(&shedder), Priority::ALL[passes..], "at {load}");
    }
    let snapshot = shedder.snapshot();
    assert_eq!((snapshot.admitted, snapshot.shed), ([1, 2, 3, 3], [2, 1, 0, 0]));
    assert_eq!((snapshot.level, snapshot.lowest), (Level::Critical, Priority::High));
    let lines = metrics(&shedder);
    assert_eq!(lines.len(), 8);
    assert!(
        lines.contains(&"seawall_bulkhead_shed_calls name=load,priority=low,outcome=shed 2".to_owned()),
        "{lines:?}"
    );
    let normal = "seawall_bulkhead_shed_calls name=load,priority=normal,outcome=admitted 2".to_owned();
    assert!(lines.contains(&normal), "{lines:?}");
}

fn priority() -> impl Strategy<Value = Priority> {
    proptest::sample::select(&Priority::ALL[..])
}

proptest! {
    #[test]
    fn what_passes_is_what_is_configured(elevated in priority(), critical in priority()) {
        let it = Pushed::new(raw().levels(Hysteresis::default().dwell(Duration::ZERO)));
        let shedding = Shedding::default().elevated(elevated).critical(critical);
        let made = Shedder::named(&it.gauge, "api", shedding, |priority: &Priority| *priority);
        prop_assert_eq!(made.is_ok(), elevated <= critical);
        let Ok(shedder) = made else { return Ok(()) };
        prop_assert_eq!(shedder.shedding(), shedding);
        for (load, lowest) in LOADS.into_iter().zip([Priority::Low, elevated, critical]) {
            it.load(load);
            for priority in Priority::ALL {
                let passes = shedder.with(&priority).try_admit().is_ok();
                prop_assert_eq!(passes, priority >= lowest, "{:?} at {}", priority, load);
            }
        }
    }
}

#[test]
fn a_higher_load_sheds_no_less() {
    let it = Pushed::new(raw());
    let shedder = Shedder::directly(&it.gauge);
    let upside_down = Shedding::default().elevated(Priority::Critical).critical(Priority::Normal);
    let error = shedder.set_shedding(upside_down).expect_err("upside down");
    assert_eq!(error.to_string(), "`elevated` is critical, must be at most `critical`, which is normal");
    assert_eq!(shedder.shedding(), Shedding::default());
    shedder.set_shedding(Shedding::default().elevated(Priority::High)).expect("in order");
    it.load(0.9);
    assert_eq!(admitted(&shedder.clone()), [Priority::High, Priority::Critical]);
    assert!(Shedder::named(&it.gauge, "", Shedding::default(), |(): &()| Priority::Low).is_err());
}

#[test]
fn a_call_is_told_its_priority_the_level_and_when_it_may_pass() {
    let it = Pushed::new(raw());
    let shedder = Shedder::named(&it.gauge, "api", Shedding::default(), |call: &(Priority, u8)| call.0).expect("valid");
    it.load(1.0);
    it.time.advance(SECOND);
    let shed = |priority| -> Shed { shedder.with(&(priority, 7)).try_admit().expect_err("shed") };
    let low = shed(Priority::Low);
    assert_eq!((low.name().as_str(), low.level(), low.priority()), ("api", Level::Critical, Priority::Low));
    assert_eq!(low.to_string(), "`api` sheds calls of low priority: the load is critical, retry after 9s");
    assert_eq!(shed(Priority::Normal).retry_after(), Some(4 * SECOND), "one step down");
    let rejection = *Rejection::find(&low).expect("its source");
    assert_eq!((rejection.pattern(), rejection.reason(), rejection.is_over_quota()), ("bulkhead", "shed", false));
    assert_eq!(rejection, low.into());
    it.hold(1.0, 60);
    assert_eq!(shed(Priority::Normal).retry_after(), Some(250 * MS), "not before the next look");
}

#[test]
fn it_is_a_member_of_several_policies() {
    struct Order(Priority);
    let it = Pushed::new(raw());
    let bulkhead = Bulkhead::with_clock(Limit::new(1).queue(4), it.gauge.clock().clone()).expect("valid");
    let shedder = Shedder::by(&it.gauge, |order: &Order| order.0);
    let claims = Claiming::by(&bulkhead, |order: &Order| Claim::new().priority(order.0));
    let orders = all((shedder.clone(), claims));
    let running = orders.with(&Order(Priority::Low)).try_admit().expect("nothing is loaded");
    let (low, high) = (Order(Priority::Low), Order(Priority::High));
    let mut cx = Context::from_waker(Waker::noop());
    let mut waiting = [&low, &high].map(|order| Box::pin(orders.with(order).admit()));
    assert!(waiting.iter_mut().all(|waiting| Future::poll(waiting.as_mut(), &mut cx).is_pending()));

    it.gauge.push("cpu", 0.9).expect("a load");
    it.gauge.sample();
    running.success();
    let [mut of_low, mut of_high] = waiting;
    let Poll::Ready(Ok(passed)) = Future::poll(of_high.as_mut(), &mut cx) else { panic!("its turn") };
    passed.success();
    let Poll::Ready(Err(refused)) = Future::poll(of_low.as_mut(), &mut cx) else { panic!("shed after its wait") };
    assert_eq!(refused.reason(), "shed");
    assert_eq!((bulkhead.in_flight(), bulkhead.queued(), shedder.snapshot().shed), (0, 0, [1, 0, 0, 0]));
}

#[test]
fn a_waiting_call_that_goes_away_leaves_nothing() {
    let it = Pushed::new(raw());
    let bulkhead = Bulkhead::with_clock(Limit::new(1).queue(4), it.gauge.clock().clone()).expect("valid");
    let orders = all((Shedder::directly(&it.gauge), bulkhead.clone()));
    let held = std::cell::RefCell::new(None);
    let take = || *held.borrow_mut() = Some(bulkhead.try_admit().expect("one at once"));
    take();
    let polls = seawall_testkit::cancel::CancelAtEveryPoll::new()
        .between(|polls| {
            if polls == 2 {
                held.borrow_mut().take().expect("held").success();
            }
        })
        .run(
            || async { orders.with(&Priority::Normal).admit().await.expect("its turn").success() },
            |_| {
                held.borrow_mut().take();
                assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (0, 0));
                take();
            },
        );
    assert_eq!(polls, 3);
}
