//! Pools under everything that can befall them, one step at a time on manual time, in an order that a seed draws: bursts, slow jobs,
//! failures, panics, cancellations, deadlines, full queues of every policy, submitters that leave, resizes, changed
//! configurations, drains, jobs handed on to another pool, runtimes that refuse or drop tasks. The books balance after every step,
//! nobody waits for what is there, and at the end every job has run as often as was told, once at most with success.
//!
//! `SEAWALL_SIMULATION_SEEDS` says which seeds are played: so many, or from one to below another, such as `17..18`.

mod check;
mod draw;
mod executor;
mod job;
mod play;
mod seeds;
mod world;

use play::{Seen, play};
use seeds::for_seeds;

#[test]
fn nothing_is_lost_or_run_twice_whatever_happens() {
    let mut seen = Seen::default();
    for_seeds(400, |seed| seen.add(&play(seed)));
    seen.is_everything();
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [1, 2, 3] {
        assert_eq!(play(seed), play(seed));
    }
    assert_ne!(play(1), play(2));
}
