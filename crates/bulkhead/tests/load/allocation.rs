//! No call allocates, admitted or refused, by whatever door it comes, and no look that changes nothing.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use seawall_bulkhead::load::{Config, Feature, Level, Shedder, Signal};
use seawall_bulkhead::{Bulkhead, Config as Limit, Priority};
use seawall_core::all;
use seawall_testkit::alloc::{self, assert_none};

use crate::support::{Pushed, SECOND};

const CALLS: u32 = 100;

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// At this load, whatever time passes.
fn at(load: f64) -> Pushed {
    let it = Pushed::new(Config::default());
    it.gauge.signal(Signal::read("fixed", move || load)).expect("another");
    it.gauge.sample();
    it
}

#[test]
fn nothing_is_proved_by_an_allocator_that_does_not_count() {
    assert_eq!(alloc::count(|| Box::new(1)).count, 1);
}

#[test]
fn a_call_does_not_allocate_whether_it_is_admitted_or_refused() {
    for (load, admits) in [(0.5, true), (0.9, false)] {
        let it = at(load);
        let switch = it.gauge.feature(Feature::new("suggestions")).expect("the first");
        let shedder = Shedder::directly(&it.gauge);
        let bulkhead = Bulkhead::with_clock(Limit::new(4), it.gauge.clock().clone()).expect("valid");
        let together = all((shedder.clone(), switch.clone(), bulkhead));
        let each = |door: &str, call: &dyn Fn() -> bool| {
            // Each call finds the interval over and looks.
            assert_none(&format!("{door} at {load}"), || {
                for _ in 0..CALLS {
                    it.time.advance(SECOND);
                    assert_eq!(call(), admits, "{door} at {load}");
                }
            });
        };
        each("is_on", &|| switch.is_on());
        each("level", &|| it.gauge.level() == Level::Normal);
        each("update", &|| it.gauge.update() == Level::Normal);
        each("sample", &|| it.gauge.sample() == Level::Normal);
        each("push", &|| it.gauge.push("cpu", 0.1).is_ok() == (it.gauge.level() == Level::Normal) && admits);
        each("switch", &|| switch.try_admit().is_ok());
        each("run", &|| matches!(poll_once(switch.run(async { Ok::<_, ()>(7) })), Poll::Ready(Ok(_))));
        each("run_or_else", &|| {
            poll_once(switch.run_or_else(async { Ok::<_, ()>(true) }, |_| Ok(false))) == Poll::Ready(Ok(true))
        });
        each("shedder", &|| shedder.with(&Priority::Low).try_admit().is_ok());
        each("all", &|| together.with(&Priority::Low).try_admit().is_ok());
    }
}
