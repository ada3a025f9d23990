//! Every interleaving, with at most two preemptions, of two or three threads on one adaptive throttle: no count is lost, no lane
//! counts on without a look for longer than it was granted, and nothing of before a reset is counted after it.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-circuit-breaker --test throttle_loom -- --nocapture`
#![cfg(seawall_loom)]

use std::sync::Arc;

use loom::thread;
use seawall_circuit_breaker::throttle::{Config, Snapshot, Token};
use seawall_circuit_breaker::{Throttle, Throttled};
use seawall_core::stripe::model::sit;
use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, Configure, Ending, Policy, Report};
use seawall_testkit::model::{Order, explore_orders};

/// The policy itself, without the handle, whose reference counts loom need not see.
struct Throttling(Throttle);

impl Throttling {
    fn new(config: Config) -> Arc<Self> {
        let (clock, _time) = Clock::manual();
        Arc::new(Self(Throttle::build(config, clock).expect("a valid configuration")))
    }

    fn ask(&self) -> Result<Token, Throttled> {
        let now = Now::new(self.0.clock());
        self.0.try_admit(&Ask::new(&(), &now))
    }

    fn succeed(&self, token: Token) {
        let now = Now::new(self.0.clock());
        self.0.settle(token, Ending::Finished(Report::success()), &now);
    }

    fn snapshot(&self) -> Snapshot {
        self.0.snapshot()
    }
}

type Role = (Option<usize>, Box<dyn FnOnce(&Throttling) + Send>);

/// What the thread on this seat does.
fn on(seat: Option<usize>, work: impl FnOnce(&Throttling) + Send + 'static) -> Role {
    (seat, Box::new(work))
}

/// Lets a thread for each role work on `throttling`, and waits for all.
fn together<const N: usize>(throttling: &Arc<Throttling>, order: Order, mut roles: [Role; N]) {
    if matches!(order, Order::Reversed) {
        roles.reverse();
    }
    let threads = roles.map(|(seat, work)| {
        let throttling = throttling.clone();
        thread::spawn(move || {
            sit(seat);
            work(&throttling);
        })
    });
    for thread in threads {
        thread.join().expect("no thread panics");
    }
}

#[test]
fn whatever_lanes_count_at_once_all_of_it_is_in_the_window() {
    explore_orders("own lanes and the shared one", 500, |order| {
        let throttling = Throttling::new(Config::default().minimum_calls(3));
        let call = |throttling: &Throttling| {
            if let Ok(token) = throttling.ask() {
                throttling.succeed(token);
            }
        };
        together(&throttling, order, [on(Some(0), call), on(Some(1), call), on(None, call)]);
        let snapshot = throttling.snapshot();
        assert_eq!((snapshot.requests, snapshot.total.requests), (3, 3));
        assert_eq!(snapshot.accepts + snapshot.refused, 3);
        assert_eq!((snapshot.accepts, snapshot.refused), (snapshot.total.successes, snapshot.total.refused));
    });
}

/// Four requests may be made before any can be refused. Two lanes and the shared one are granted one each, so whoever asks
/// again has to look, and then knows of its own requests, and of those that others had made when they looked. Of the two last
/// looks the later one finds four.
#[test]
fn a_lane_that_has_used_its_grant_looks_and_is_refused_in_time() {
    explore_orders("grants run out", 500, |order| {
        let throttling = Throttling::new(Config::default().minimum_calls(4).aggression(100.0));
        let ask_thrice = |throttling: &Throttling| {
            // A refusal tells by how many requests it was decided: with none accepted, p^100 = r / (r + 1).
            for own in 0..3 {
                if let Err(refusal) = throttling.ask() {
                    let counted = refusal.probability().powi(100);
                    let requests = counted / (1.0 - counted);
                    assert!(requests > f64::from(own) - 0.01, "{requests} requests, of which {own} are its own");
                    assert!(requests > 3.99, "refused below the minimum: {requests}");
                }
            }
        };
        together(&throttling, order, [on(Some(0), ask_thrice), on(Some(1), ask_thrice)]);
        let snapshot = throttling.snapshot();
        assert_eq!(snapshot.requests, 6);
        assert!((1..=2).contains(&snapshot.refused), "{} refused", snapshot.refused);
    });
}

#[test]
fn what_was_admitted_before_a_reset_is_not_accepted_after_it() {
    explore_orders("a success and a reset", 50, |order| {
        let throttling = Throttling::new(Config::default());
        let running = throttling.ask().expect("nothing is known against it");
        together(
            &throttling,
            order,
            [
                on(Some(0), move |throttling| throttling.succeed(running)),
                on(Some(1), |throttling| {
                    throttling.0.reset();
                    throttling.ask().expect("nothing is known against it any more");
                }),
            ],
        );
        let snapshot = throttling.snapshot();
        // The success came before the reset, after it, or at its very moment.
        assert_eq!(snapshot.requests, 1);
        assert!(snapshot.accepts <= 1);
        assert_eq!(snapshot.total.successes + snapshot.total.stale, 1, "it is told in one of the two");
    });
}
