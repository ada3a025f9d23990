//! Models of what calls that end and whoever sets the limit do to each other: every interleaving of two or three threads.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-bulkhead --test loom -- --nocapture`
#![cfg(seawall_loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;
use seawall_bulkhead::limit::{LimitAlgorithm, Sample};
use seawall_bulkhead::{Compartment, Config, Token};
use seawall_core::stripe::model::sit;
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Configure, Ending, Entry, Policy, Report};
use seawall_testkit::model::explore;

/// Says the next of these numbers at each sample.
#[derive(Debug)]
struct Says(Vec<u32>);

impl LimitAlgorithm for Says {
    fn limit(&self) -> u32 {
        2
    }

    fn on_sample(&mut self, _: &Sample) -> u32 {
        self.0.pop().expect("one number for each call")
    }
}

fn compartment(config: Config) -> Arc<Compartment> {
    Arc::new(Compartment::build(config.queue(2), Clock::manual().0).expect("a valid configuration"))
}

fn adaptive(says: &'static [u32]) -> Arc<Compartment> {
    compartment(Config::custom(move || Says(says.iter().rev().copied().collect())))
}

fn now() -> Now<'static> {
    Now::at(Timestamp::ZERO)
}

fn admit(compartment: &Compartment) -> Token {
    compartment.try_admit(&Ask::new(&(), &now())).expect("it is free")
}

fn end(compartment: &Compartment, token: Token) {
    compartment.settle(token, Ending::Finished(Report::success()), &now());
}

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Enters at seat `seat` while others go on, and whatever it meets it is served once they are done.
fn enters(compartment: &Compartment, others: impl FnOnce()) -> Token {
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let now = now();
    let ask = Ask::new(&(), &now);
    match compartment.enter(&ask).expect("there is room") {
        Entry::Admitted(token) => {
            others();
            token
        }
        Entry::Queued(mut place) => {
            let at_once = compartment.poll_place(&ask, &mut place, &mut cx);
            others();
            if let Poll::Ready(token) = at_once {
                return token.expect("its turn");
            }
            assert_eq!(woken.0.load(Ordering::SeqCst), 1, "nobody woke the one who waits");
            let Poll::Ready(Ok(token)) = compartment.poll_place(&ask, &mut place, &mut cx) else {
                panic!("it was woken without a permit")
            };
            token
        }
    }
}

#[test]
fn one_who_waits_is_served_though_the_limit_falls_as_calls_end() {
    explore("fall and wait", 15, || {
        sit(Some(0));
        let compartment = adaptive(&[1, 1, 1]);
        let (first, second) = (admit(&compartment), admit(&compartment));
        let ending = {
            let compartment = compartment.clone();
            thread::spawn(move || {
                sit(Some(1));
                end(&compartment, first);
                end(&compartment, second);
            })
        };
        let token = enters(&compartment, || ending.join().expect("no panic"));
        assert_eq!((compartment.limit(), compartment.in_flight(), compartment.queued()), (1, 1, 0));
        end(&compartment, token);
        assert_eq!((compartment.available(), compartment.in_flight()), (1, 0));
    });
}

#[test]
fn one_who_waits_is_served_when_the_limit_rises() {
    explore("rise and wait", 15, || {
        sit(Some(0));
        let compartment = adaptive(&[3, 3, 3]);
        let (first, second) = (admit(&compartment), admit(&compartment));
        let ending = {
            let compartment = compartment.clone();
            thread::spawn(move || {
                sit(Some(1));
                end(&compartment, first);
            })
        };
        let token = enters(&compartment, || ending.join().expect("no panic"));
        assert_eq!((compartment.limit(), compartment.in_flight(), compartment.queued()), (3, 2, 0));
        end(&compartment, token);
        end(&compartment, second);
        assert_eq!((compartment.available(), compartment.in_flight()), (3, 0));
    });
}

#[test]
fn the_limit_is_what_the_algorithm_said_last() {
    explore("two calls end", 100, || {
        sit(Some(0));
        let compartment = adaptive(&[5, 4]);
        let (first, second) = (admit(&compartment), admit(&compartment));
        let ending = {
            let compartment = compartment.clone();
            thread::spawn(move || {
                sit(Some(1));
                end(&compartment, first);
            })
        };
        end(&compartment, second);
        ending.join().expect("no panic");
        assert_eq!((compartment.limit(), compartment.available(), compartment.in_flight()), (4, 4, 0));
    });
}

#[test]
fn what_is_configured_holds_against_an_algorithm_that_speaks_meanwhile() {
    explore("reconfigure and learn", 100, || {
        sit(Some(0));
        let compartment = adaptive(&[5]);
        let first = admit(&compartment);
        let ending = {
            let compartment = compartment.clone();
            thread::spawn(move || {
                sit(Some(1));
                end(&compartment, first);
            })
        };
        compartment.reconfigure(Config::new(1)).expect("valid");
        ending.join().expect("no panic");
        assert_eq!((compartment.limit(), compartment.available(), compartment.in_flight()), (1, 1, 0));
    });
}
