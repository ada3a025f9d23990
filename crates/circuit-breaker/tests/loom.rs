//! Every interleaving, with at most two preemptions, of two or three threads on one breaker: no count is lost, none reaches a
//! later generation, no probe is given twice or lost, and nobody is refused for ever.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-circuit-breaker --test loom -- --nocapture`
#![cfg(seawall_loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom::future::block_on;
use loom::thread;
use seawall_circuit_breaker::{Abandoned, Breaker, Config, HalfOpen, Open, Patient, State, Token, Window};
use seawall_core::stripe::model::sit;
use seawall_core::time::{Clock, ManualTime, Now};
use seawall_core::{Admits, Ask, Configure, Ending, Permit, Policy, Report, Shared};
use seawall_testkit::model::{Order, explore_orders};

const INTERVAL: Duration = Duration::from_secs(30);

/// The policy itself, without the handle, whose reference counts loom need not see.
struct Circuit {
    breaker: Breaker,
    time: ManualTime,
}

impl Circuit {
    fn new(config: Config) -> Arc<Self> {
        let (clock, time) = Clock::manual();
        let breaker = Breaker::build(config.open_for(INTERVAL), clock).expect("a valid configuration");
        Arc::new(Self { breaker, time })
    }

    /// One whose open interval is over: whoever asks first makes it half-open.
    fn due(config: Config) -> Arc<Self> {
        let circuit = Self::new(config);
        circuit.breaker.trip();
        circuit.time.advance(INTERVAL);
        circuit
    }

    fn admit(&self) -> Result<Token, Open> {
        let now = Now::new(self.breaker.clock());
        self.breaker.try_admit(&Ask::new(&(), &now))
    }

    fn end(&self, token: Token, ending: Ending<'_>) {
        let now = Now::new(self.breaker.clock());
        self.breaker.settle(token, ending, &now);
    }

    fn succeed(&self, token: Token) {
        self.end(token, Ending::Finished(Report::success()));
    }

    fn fail(&self, token: Token) {
        self.end(token, Ending::Finished(Report::failure()));
    }

    fn call(&self) {
        self.succeed(self.admit().expect("closed"));
    }

    /// calls and failures of the window, or of the probes
    fn figures(&self) -> (u64, u64) {
        let figures = self.breaker.snapshot().figures;
        (figures.calls, figures.failed)
    }
}

type Role = (Option<usize>, Box<dyn FnOnce(&Circuit) + Send>);

/// What the thread on this seat does.
fn on(seat: Option<usize>, work: impl FnOnce(&Circuit) + Send + 'static) -> Role {
    (seat, Box::new(work))
}

/// Lets a thread for each role work on `circuit`, and waits for all.
fn together<const N: usize>(circuit: &Arc<Circuit>, order: Order, mut roles: [Role; N]) {
    if matches!(order, Order::Reversed) {
        roles.reverse();
    }
    let threads = roles.map(|(seat, work)| {
        let circuit = circuit.clone();
        thread::spawn(move || {
            sit(seat);
            work(&circuit);
        })
    });
    for thread in threads {
        thread.join().expect("no thread panics");
    }
}

/// A circuit whose only probe is out, for calls that wait for it.
struct Line {
    patient: Shared<Patient>,
    probe: Token,
}

impl Line {
    fn new() -> Self {
        let circuit = Breaker::build(single_probe().open_for(INTERVAL), Clock::manual().0).expect("valid");
        let patient = Patient::over(Shared::from_policy(circuit), 2).expect("two may wait");
        patient.breaker().trip();
        patient.breaker().half_open().expect("it is open");
        let now = Now::new(Policy::clock(&*patient));
        let probe = Admits::try_admit(&*patient, &Ask::new(&(), &now)).expect("the probe");
        Self { patient, probe }
    }

    /// Two calls wait on threads of their own, and give the probe back when they have it, while `meanwhile` is done.
    fn wait(self, order: Order, meanwhile: impl FnOnce(&Patient, Token)) -> [Result<(), State>; 2] {
        let waiter = |seat| {
            let patient = self.patient.clone();
            thread::spawn(move || {
                sit(Some(seat));
                block_on(patient.admit()).map(Permit::cancel).map_err(|open| open.state())
            })
        };
        let mut first = None;
        if matches!(order, Order::AsWritten) {
            first = Some([waiter(0), waiter(1)]);
        }
        meanwhile(&self.patient, self.probe);
        let waiters = first.unwrap_or_else(|| [waiter(0), waiter(1)]);
        waiters.map(|waiter| waiter.join().expect("no thread panics"))
    }
}

fn a_third_of_three() -> Config {
    Config::empty().failure_rate(1.0 / 3.0).window(Window::count(3).minimum_calls(3))
}

fn single_probe() -> Config {
    let half_open = HalfOpen::probes(1).without_max();
    Config::empty().consecutive_failures(1).abandoned(Abandoned::Ignore).half_open(half_open)
}

#[test]
fn successes_on_their_own_lanes_and_a_failure_are_all_counted() {
    explore_orders("own lanes and a failure", 1_000, |order| {
        let circuit = Circuit::new(a_third_of_three());
        let failing = circuit.admit().expect("closed");
        together(
            &circuit,
            order,
            [on(Some(0), Circuit::call), on(Some(1), Circuit::call), on(None, move |circuit| circuit.fail(failing))],
        );
        assert_eq!(circuit.figures(), (3, 1));
        let snapshot = circuit.breaker.snapshot();
        let total = (snapshot.total.successes, snapshot.total.failures, snapshot.total.stale);
        assert_eq!(total, (2, 1, 0));
        if snapshot.state == State::Closed {
            // Both successes came at the moment of the failure: they are taken into account with the next outcome.
            circuit.fail(circuit.admit().expect("closed"));
        }
        assert_eq!((circuit.breaker.state(), circuit.breaker.snapshot().generation), (State::Open, 1));
    });
}

#[test]
fn a_success_that_the_circuit_overtakes_is_never_counted_in_a_later_generation() {
    explore_orders("overtaken success", 30, |order| {
        let circuit = Circuit::new(a_third_of_three());
        let token = circuit.admit().expect("closed");
        together(
            &circuit,
            order,
            [on(Some(0), move |circuit| circuit.succeed(token)), on(Some(1), |circuit| circuit.breaker.reset())],
        );
        assert_eq!(circuit.figures(), (0, 0));
        assert_eq!(circuit.breaker.snapshot().generation, 1);
        circuit.call();
        assert_eq!(circuit.figures(), (1, 0));
    });
}

#[test]
fn a_success_counts_in_one_generation_at_most_however_often_they_change() {
    explore_orders("success and two resets", 300, |order| {
        let circuit = Circuit::new(a_third_of_three());
        let token = circuit.admit().expect("closed");
        let late = on(Some(0), move |circuit| {
            circuit.succeed(token);
            circuit.call();
        });
        let resetting = on(Some(1), |circuit| {
            circuit.breaker.reset();
            circuit.call();
            circuit.breaker.reset();
        });
        together(&circuit, order, [late, resetting]);
        assert!(circuit.figures().0 <= 1, "only one of the calls may have begun in this generation");
        circuit.call();
        assert!(circuit.figures().0 <= 2);
        let total = circuit.breaker.snapshot().total;
        assert!(total.successes + total.stale <= 4, "a call was counted twice");
    });
}

#[test]
fn a_success_that_comes_after_the_lane_went_on_counts_nowhere() {
    explore_orders("overtaken on the shared lane", 60, |order| {
        let circuit = Circuit::new(a_third_of_three());
        let token = circuit.admit().expect("closed");
        let going_on = on(None, |circuit| {
            circuit.breaker.reset();
            circuit.call();
        });
        together(&circuit, order, [on(None, move |circuit| circuit.succeed(token)), going_on]);
        assert_eq!(circuit.figures(), (1, 0));
    });
}

#[test]
fn a_success_that_a_trip_overtakes_does_not_reach_the_next_closed_circuit() {
    explore_orders("trip and close", 70, |order| {
        let circuit = Circuit::new(a_third_of_three());
        let token = circuit.admit().expect("closed");
        let closing = on(Some(1), |circuit| {
            circuit.breaker.trip();
            circuit.breaker.force_closed();
        });
        together(&circuit, order, [on(Some(0), move |circuit| circuit.succeed(token)), closing]);
        assert_eq!(circuit.figures(), (0, 0));
        assert_eq!(circuit.breaker.snapshot().generation, 2);
    });
}

#[test]
fn of_three_who_ask_for_one_probe_one_gets_it() {
    explore_orders("one probe", 1_500, |order| {
        let circuit = Circuit::due(single_probe());
        let admitted = Arc::new(AtomicUsize::new(0));
        let ask = |seat| {
            let admitted = admitted.clone();
            on(seat, move |circuit| match circuit.admit() {
                Ok(_token) => {
                    admitted.fetch_add(1, Ordering::SeqCst);
                }
                Err(open) => assert!(matches!(open.state(), State::Open | State::HalfOpen)),
            })
        };
        together(&circuit, order, [ask(Some(0)), ask(Some(1)), ask(None)]);
        assert_eq!(admitted.load(Ordering::SeqCst), 1);
        let snapshot = circuit.breaker.snapshot();
        assert_eq!((snapshot.probes_left, snapshot.total.refused), (Some(0), 2));
    });
}

#[test]
fn a_probe_that_is_dropped_is_there_for_the_other() {
    explore_orders("dropped probe", 20, |order| {
        let circuit = Circuit::due(single_probe());
        let token = circuit.admit().expect("the probe");
        let asked = Arc::new(AtomicUsize::new(0));
        let asking = {
            let asked = asked.clone();
            on(Some(1), move |circuit| asked.store(circuit.admit().is_ok().into(), Ordering::SeqCst))
        };
        together(&circuit, order, [on(Some(0), move |circuit| circuit.end(token, Ending::Abandoned)), asking]);
        let left = 1 - asked.load(Ordering::SeqCst);
        assert_eq!(circuit.breaker.snapshot().probes_left, Some(left as u64));
        assert_eq!(circuit.admit().is_ok(), left == 1, "lost, or given twice");
        assert!(circuit.admit().is_err(), "given twice");
    });
}

#[test]
fn a_probe_that_threads_take_and_give_back_is_out_once() {
    explore_orders("probe to and fro", 150, |order| {
        let circuit = Circuit::due(single_probe());
        let out = Arc::new(AtomicUsize::new(0));
        let take = |seat| {
            let out = out.clone();
            on(seat, move |circuit| {
                let Ok(token) = circuit.admit() else { return };
                assert_eq!(out.fetch_add(1, Ordering::SeqCst), 0, "it is out twice");
                out.fetch_sub(1, Ordering::SeqCst);
                circuit.end(token, Ending::Cancelled);
            })
        };
        together(&circuit, order, [take(Some(0)), take(Some(1))]);
        assert_eq!(circuit.breaker.snapshot().probes_left, Some(1));
    });
}

#[test]
fn threads_that_share_the_last_lane_lose_nothing() {
    explore_orders("shared lane", 50, |order| {
        let circuit = Circuit::new(a_third_of_three());
        let twice = on(None, |circuit| {
            circuit.call();
            circuit.call();
        });
        together(&circuit, order, [twice, on(None, Circuit::call)]);
        assert_eq!(circuit.figures(), (3, 0));
        assert_eq!(circuit.breaker.snapshot().total.successes, 3);
    });
}

#[test]
fn refusals_are_counted_on_every_lane() {
    explore_orders("refusals", 100, |order| {
        let circuit = Circuit::new(single_probe());
        circuit.breaker.force_open();
        let refused = |seat| on(seat, |circuit| assert!(circuit.admit().is_err()));
        together(&circuit, order, [refused(None), refused(Some(0)), refused(None)]);
        assert_eq!(circuit.breaker.snapshot().refused_in_state, 3);
    });
}

#[test]
fn whoever_looks_meanwhile_disturbs_no_count() {
    explore_orders("a look", 60, |order| {
        let circuit = Circuit::new(a_third_of_three());
        let counting = on(Some(0), |circuit| {
            circuit.call();
            circuit.call();
        });
        let looking = on(Some(1), |circuit| {
            let first = circuit.figures().0;
            let second = circuit.figures().0;
            assert!(first <= second && second <= 2, "{first}, then {second}");
        });
        together(&circuit, order, [counting, looking]);
        assert_eq!(circuit.figures(), (2, 0));
    });
}

#[test]
fn when_the_interval_is_over_somebody_gets_the_probe() {
    explore_orders("refusal and transition", 600, |order| {
        let circuit = Circuit::new(single_probe());
        circuit.breaker.trip();
        let probes = Arc::new(AtomicUsize::new(0));
        let ask = |seat| {
            let probes = probes.clone();
            on(seat, move |circuit| {
                for _ in 0..2 {
                    if let Ok(token) = circuit.admit() {
                        probes.fetch_add(1, Ordering::SeqCst);
                        circuit.succeed(token);
                    }
                    circuit.time.advance(INTERVAL);
                }
            })
        };
        together(&circuit, order, [ask(Some(0)), ask(Some(1))]);
        assert!(probes.load(Ordering::SeqCst) >= 1, "both were refused although the interval was over");
        assert_eq!(circuit.breaker.state(), State::Closed);
        circuit.call();
    });
}

#[test]
fn after_a_probe_that_fails_the_next_interval_ends_too() {
    explore_orders("probe fails", 70, |order| {
        let circuit = Circuit::due(single_probe());
        let token = circuit.admit().expect("the probe");
        let asking = on(Some(1), |circuit| {
            let refused = circuit.admit().expect_err("half-open without a probe, or open");
            assert!(matches!(refused.state(), State::HalfOpen | State::Open));
        });
        together(&circuit, order, [on(Some(0), move |circuit| circuit.fail(token)), asking]);
        assert_eq!(circuit.breaker.state(), State::Open);
        circuit.time.advance(INTERVAL);
        circuit.succeed(circuit.admit().expect("the next probe"));
        assert_eq!((circuit.breaker.state(), circuit.breaker.snapshot().generation), (State::Closed, 5));
    });
}

#[test]
fn whoever_waits_for_a_probe_gets_it_when_it_comes_back() {
    explore_orders("waiting for a probe", 1_600, |order| {
        let got = Line::new().wait(order, |patient, probe| {
            patient.settle(probe, Ending::Cancelled, &Now::new(Policy::clock(patient)));
        });
        assert_eq!(got, [Ok(()); 2]);
    });
}

#[test]
fn whoever_waits_starts_when_the_circuit_closes() {
    explore_orders("waiting for a success", 900, |order| {
        let got = Line::new().wait(order, |patient, probe| {
            patient.settle(probe, Ending::Finished(Report::success()), &Now::new(Policy::clock(patient)));
        });
        assert_eq!(got, [Ok(()); 2]);
    });
}

#[test]
fn whoever_waits_is_refused_when_the_circuit_opens() {
    explore_orders("waiting for a failure", 1_500, |order| {
        let got = Line::new().wait(order, |patient, probe| {
            patient.settle(probe, Ending::Finished(Report::failure()), &Now::new(Policy::clock(patient)));
        });
        assert_eq!(got, [Err(State::Open); 2]);
    });
}
