//! The share that is refused is the probability, within what chance allows.

use std::sync::Barrier;

use seawall_circuit_breaker::AdaptiveThrottle;
use seawall_circuit_breaker::throttle::Config;
use seawall_core::Outcome;

use crate::{eager, record, throttle};

/// Of so many draws with these probabilities, the share that hits must lie within five standard deviations of its mean: by
/// chance it does not once in a million times, and seeds repeat.
#[derive(Default)]
struct Expected {
    mean: f64,
    variance: f64,
    hits: f64,
}

impl Expected {
    fn draw(&mut self, probability: f64, hit: bool) {
        self.mean += probability;
        self.variance += probability * (1.0 - probability);
        self.hits += f64::from(u8::from(hit));
    }

    fn check(&self, told: &str) {
        let off = (self.hits - self.mean).abs();
        assert!(off <= 5.0 * self.variance.sqrt() + 1e-9, "{told}: {} of {} expected", self.hits, self.mean);
    }
}

#[test]
fn the_share_that_is_refused_is_the_formulas_probability() {
    for seed in 0..10 {
        for (requests, accepts) in [(100, 49), (100, 25), (1_000, 300), (1_000, 5), (400, 0), (10_000, 4_999)] {
            let (throttle, _time) = throttle(eager().seed(seed));
            let formula = throttle.formula();
            record(&throttle, Outcome::Success, accepts);
            record(&throttle, Outcome::Failure, requests - accepts);
            throttle.snapshot();
            let mut expected = Expected::default();
            let mut refused = 0;
            for _ in 0..3_000 {
                // Calls that pass are taken back, so that only refusals add to the requests.
                let probability = formula.probability(requests + refused, accepts);
                let decided = throttle.try_admit();
                expected.draw(probability, decided.is_err());
                match decided {
                    Ok(permit) => permit.cancel(),
                    Err(_) => refused += 1,
                }
            }
            expected.check(&format!("seed {seed}, {accepts} of {requests}"));
        }
    }
}

fn draws(throttle: &AdaptiveThrottle, calls: usize) -> Vec<bool> {
    (0..calls).map(|_| throttle.try_admit().is_err()).collect()
}

#[test]
fn draws_of_one_seed_are_alike_and_follow_no_pattern() {
    for (seed, probability) in (0..10).flat_map(|seed| [0.02, 0.3, 0.5, 0.97].map(|p| (seed, p))) {
        let made = || {
            let (throttle, _time) = throttle(eager().seed(seed));
            throttle.hold(probability).expect("a probability");
            draws(&throttle, 50_000)
        };
        let drawn = made();
        assert_eq!(drawn, made(), "a seed repeats itself");
        let mut single = Expected::default();
        for hit in &drawn {
            single.draw(probability, *hit);
        }
        single.check(&format!("seed {seed}, {probability}"));
        for distance in [1, 2, 7] {
            // Pairs that do not overlap are independent of each other.
            let mut pairs = Expected::default();
            let starts = (0..drawn.len() - distance).filter(|at| at / distance % 2 == 0);
            for at in starts {
                pairs.draw(probability * probability, drawn[at] && drawn[at + distance]);
            }
            pairs.check(&format!("seed {seed}, {probability}, pairs at a distance of {distance}"));
        }
    }
}

#[test]
fn threads_draw_each_for_itself() {
    let (throttle, _time) = throttle(Config::default());
    throttle.hold(0.5).expect("a probability");
    // All live at the same time, so that none takes over the lane of another.
    let together = Barrier::new(4);
    let draw = || {
        together.wait();
        let drawn = draws(&throttle, 1_000);
        together.wait();
        drawn
    };
    let drawn: Vec<Vec<bool>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(draw)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for (at, one) in drawn.iter().enumerate() {
        for other in &drawn[at + 1..] {
            let same = one.iter().zip(other).filter(|(a, b)| a == b).count();
            assert!((380..620).contains(&same), "{same} of 1 000 draws of two threads are the same");
        }
    }
    assert_eq!(throttle.snapshot().total.requests, 4_000);
}
