//! Of any number of calls that ask a half-open circuit at once, exactly as many get through as there are probes, whatever
//! becomes of them: seeded runs on a runtime's threads, on bare threads, and on a deterministic executor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use seawall_circuit_breaker::{Abandoned, Breaker, CircuitBreaker, Config, State};
use seawall_core::Permit;
use seawall_core::time::{Clock, ManualTime};
use seawall_testkit::exec::{Executor, yield_now};
use seawall_testkit::random::Random;

const CALLERS: usize = 64;
const PROBES: usize = 3;

/// How many seeds are tried.
fn runs() -> u64 {
    std::env::var("SEAWALL_HALF_OPEN_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(10_000)
}

/// Three of three successes close it; who is dropped gives the probe back.
fn config() -> Config {
    Config::classic().abandoned(Abandoned::Ignore)
}

/// An open circuit whose interval is over: the first who asks makes it half-open.
fn due(time: &ManualTime, clock: Clock) -> CircuitBreaker {
    let breaker = CircuitBreaker::with_clock(config(), clock).expect("a valid configuration");
    breaker.trip();
    time.advance(Duration::from_secs(60));
    breaker
}

fn manual() -> CircuitBreaker {
    let (clock, time) = Clock::manual();
    due(&time, clock)
}

/// What became of the probes.
#[derive(Debug, Default)]
struct Ends {
    succeeded: AtomicUsize,
    failed: AtomicUsize,
    given_back: AtomicUsize,
}

impl Ends {
    /// Ends the call in one of the ways that there are.
    fn end<'a>(&self, permit: Permit<&'a Breaker>, random: &mut Random) {
        let (count, end): (_, fn(Permit<&'a Breaker>)) = match random.below(12) {
            0..6 => (&self.succeeded, Permit::success),
            6 => (&self.failed, Permit::failure),
            7 | 8 => (&self.given_back, Permit::ignore),
            9 => (&self.given_back, Permit::cancel),
            _ => (&self.given_back, drop),
        };
        count.fetch_add(1, Ordering::SeqCst);
        end(permit);
    }

    /// Checks that each of [`PROBES`] probes, used once, is accounted for.
    fn assert_account(&self, breaker: &CircuitBreaker, seed: u64) {
        let [succeeded, failed, given_back] =
            [&self.succeeded, &self.failed, &self.given_back].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(succeeded + failed + given_back, PROBES, "seed {seed}");
        let snapshot = breaker.snapshot();
        if failed > 0 {
            assert_eq!(snapshot.state, State::Open, "seed {seed}");
        } else if succeeded == PROBES {
            assert_eq!(snapshot.state, State::Closed, "seed {seed}");
        } else {
            assert_eq!(snapshot.state, State::HalfOpen, "seed {seed}");
            assert_eq!(snapshot.probes_left, Some(given_back as u64), "seed {seed}");
            assert_eq!(snapshot.figures.calls, succeeded as u64, "seed {seed}");
        }
        assert_eq!(snapshot.total.refused, (CALLERS - PROBES) as u64, "seed {seed}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

#[test]
fn of_sixty_four_tasks_exactly_three_are_admitted() {
    runtime().block_on(async {
        for seed in 0..runs() {
            let breaker = manual();
            let asked = Arc::new(AtomicUsize::new(0));
            let ends = Arc::new(Ends::default());
            let tasks = (0..CALLERS).map(|caller| {
                let (breaker, asked, ends) = (breaker.clone(), asked.clone(), ends.clone());
                let mut random = Random::new(seed * CALLERS as u64 + caller as u64);
                tokio::spawn(async move {
                    for _ in 0..random.below(3) {
                        tokio::task::yield_now().await;
                    }
                    let admitted = breaker.try_admit();
                    asked.fetch_add(1, Ordering::SeqCst);
                    let Ok(permit) = admitted else { return };
                    while asked.load(Ordering::SeqCst) < CALLERS {
                        tokio::task::yield_now().await;
                    }
                    ends.end(permit, &mut random);
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.expect("no task panics");
            }
            ends.assert_account(&breaker, seed);
        }
    });
}

#[test]
fn probes_that_are_given_back_are_taken_again_and_never_more_than_three_are_out() {
    runtime().block_on(async {
        for seed in 0..runs() / 4 {
            let breaker = manual();
            let out = Arc::new(AtomicUsize::new(0));
            let tasks = (0..CALLERS).map(|caller| {
                let (breaker, out) = (breaker.clone(), out.clone());
                let mut random = Random::new(seed * CALLERS as u64 + caller as u64);
                tokio::spawn(async move {
                    for _ in 0..4 {
                        let Ok(permit) = breaker.try_admit() else { continue };
                        // Counted after it was taken and before it is given back: never more than there are.
                        assert!(out.fetch_add(1, Ordering::SeqCst) < PROBES, "seed {seed}");
                        tokio::task::yield_now().await;
                        out.fetch_sub(1, Ordering::SeqCst);
                        match random.below(3) {
                            0 => permit.ignore(),
                            1 => permit.cancel(),
                            _ => drop(permit),
                        }
                    }
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.expect("no task panics");
            }
            assert_eq!(breaker.snapshot().probes_left, Some(PROBES as u64), "seed {seed}: a probe was lost");
        }
    });
}

/// Two threads that start each run at the same instant, as nearly as threads can.
#[test]
fn of_two_threads_calls_exactly_three_are_admitted() {
    let rounds: Vec<(CircuitBreaker, Ends)> = (0..runs()).map(|_| (manual(), Ends::default())).collect();
    let (arrived, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    // Counts up for ever: a round begins when all have come as often as there were rounds.
    let meet = |round: usize| {
        arrived.fetch_add(1, Ordering::SeqCst);
        while arrived.load(Ordering::SeqCst) < 2 * round && !stopped.load(Ordering::SeqCst) {
            std::hint::spin_loop();
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (rounds, meet, stopped) = (&rounds, &meet, &stopped);
            scope.spawn(move || {
                // The other one must not wait for a thread that panicked.
                let _stop = OnDrop(|| stopped.store(std::thread::panicking(), Ordering::SeqCst));
                for (seed, (breaker, ends)) in rounds.iter().enumerate() {
                    let mut random = Random::new(2 * seed as u64 + thread);
                    meet(2 * seed + 1);
                    let permits: Vec<_> = (0..CALLERS / 2).filter_map(|_| breaker.try_admit().ok()).collect();
                    meet(2 * seed + 2);
                    for permit in permits {
                        ends.end(permit, &mut random);
                    }
                }
            });
        }
    });
    for (seed, (breaker, ends)) in rounds.iter().enumerate() {
        ends.assert_account(breaker, seed as u64);
    }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Calls that take time, fail, hang and are cancelled, on manual time: the same run for the same seed.
#[test]
fn no_order_of_events_lets_a_fourth_probe_out_or_loses_one() {
    let (mut closed, mut reopened) = (0, 0);
    for seed in 0..runs() / 10 {
        let executor = Executor::new(seed);
        let mut random = Random::new(seed);
        let breaker = due(executor.time(), executor.clock());
        let running = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (breaker, clock, running) = (breaker.clone(), executor.clock(), running.clone());
                let (wait, takes) = (random.below(400) as u64, random.below(200) as u64);
                let (succeeds, hangs) = (random.chance(9, 10), random.chance(1, 5));
                executor.spawn(async move {
                    clock.sleep(Duration::from_millis(wait)).await;
                    let call = async {
                        let out = running.fetch_add(1, Ordering::SeqCst);
                        let _ended = OnDrop(|| {
                            running.fetch_sub(1, Ordering::SeqCst);
                        });
                        assert!(out < PROBES || breaker.state() != State::HalfOpen, "a fourth call");
                        yield_now().await;
                        clock.sleep(Duration::from_millis(takes)).await;
                        if hangs {
                            std::future::pending::<()>().await;
                        }
                        if succeeds { Ok(()) } else { Err(()) }
                    };
                    let _ = breaker.run(call).await;
                })
            })
            .collect();
        for task in &tasks {
            if random.chance(1, 3) {
                executor.run_for(Duration::from_millis(random.below(30) as u64));
                task.cancel();
            }
        }
        executor.run_for(Duration::from_secs(1));
        tasks.iter().for_each(seawall_testkit::exec::Task::cancel);
        assert_eq!(running.load(Ordering::SeqCst), 0, "seed {seed}");
        let snapshot = breaker.snapshot();
        match snapshot.state {
            State::HalfOpen => {
                let free = snapshot.probes_left.expect("half-open") + snapshot.figures.calls;
                assert_eq!(free, PROBES as u64, "seed {seed}: a probe was lost: {snapshot:?}");
            }
            State::Closed => closed += 1,
            _ => reopened += 1,
        }
    }
    assert!(closed > 0 && reopened > 0, "{closed} closed, {reopened} reopened: the runs prove little");
}
