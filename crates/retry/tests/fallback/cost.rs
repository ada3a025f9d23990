use std::future::ready;
use std::pin::pin;
use std::task::Poll;

use seawall_testkit::alloc::assert_none;
use seawall_testkit::drive::poll;

use crate::fallback;

#[test]
fn a_call_does_not_allocate_good_or_not() {
    let fallback = fallback();
    for (what, result) in [("good", Ok(7)), ("failed", Err("down"))] {
        assert_none(what, || {
            assert_eq!(poll(pin!(fallback.run_or(ready(result), 7))), Poll::Ready(Ok(7)));
            assert_eq!(poll(pin!(fallback.run(ready(result), |_| ready(Ok(7))))), Poll::Ready(Ok(7)));
        });
    }
}

#[cfg(feature = "tower")]
#[test]
fn a_good_call_of_a_service_clones_no_value_and_does_not_allocate() {
    use seawall_testkit::drive::make_ready;
    use tower::{Layer, Service, service_fn};

    let fallback = fallback();
    let inner = service_fn(|_: u32| ready(Ok::<_, &str>(String::new())));
    let service = fallback.layer().value("a value that is on the heap".to_owned()).layer(inner);
    assert_none("good", || {
        let mut service = service.clone();
        make_ready(&mut service);
        assert_eq!(poll(pin!(service.call(7))), Poll::Ready(Ok(String::new())));
    });

    let fails = service_fn(|_: u32| ready(Err::<u32, _>("down")));
    let service = fallback.layer().by(|error: &&str| u32::from(*error == "down")).layer(fails);
    assert_none("failed", || {
        let mut service = service.clone();
        make_ready(&mut service);
        assert_eq!(poll(pin!(service.call(7))), Poll::Ready(Ok(1)));
    });
}

#[test]
fn the_future_grows_with_the_call_but_not_with_what_it_is_made_of() {
    let fallback = fallback();
    let call = || async {
        let large = [7_u8; 4_096];
        ready(()).await;
        Ok::<_, ()>(large.len())
    };
    let alone = size_of_val(&call());
    for run in [size_of_val(&fallback.run_or(call(), 0)), size_of_val(&fallback.run(call(), |()| ready(Ok(0))))] {
        assert!(run <= 2 * alone + 256, "{alone} bytes become {run}");
    }
}
