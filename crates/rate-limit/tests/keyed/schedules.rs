//! Random schedules of all that is done to a few keys in room for fewer: what each keeps is what its limit lets pass.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use seawall_core::time::ManualTime;
use seawall_rate_limit::{Algorithm, Carry, Config, Grant, Keyed, KeyedRateLimiter, Quota, QuotaClass, Seed};
use seawall_testkit::random::Random;

use crate::support::with;

const KEYS: usize = 7;

/// A key that is told its class, by which it is not known.
#[derive(Clone, Copy)]
struct Key {
    id: usize,
    class: u8,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// Of one rate, so that whatever a key's class is, it keeps to the largest of them.
fn quotas(algorithm: Algorithm, turn: usize) -> [Quota; 3] {
    if algorithm == Algorithm::Gcra {
        let bursts = [[8, 3, 5], [5, 8, 3], [3, 3, 8]][turn % 3];
        return bursts.map(|burst| Quota::per_second(4).burst(burst));
    }
    [[8, 5, 3], [5, 8, 8], [8, 8, 8]][turn % 3].map(Quota::per_second)
}

fn config(algorithm: Algorithm, turn: usize) -> Keyed<Key> {
    let [first, classes @ ..] = quotas(algorithm, turn);
    let each = Config::new(first).algorithm(algorithm).carry(Carry::AsIs).name("keys");
    let keyed = Keyed::new(each).capacity(4).classes(classes);
    keyed.class_of(|key: &Key| QuotaClass::new(key.class)).seed(Seed::new(1, 2))
}

/// What happens beside calls, refunds and other quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    None,
    Turns,
    /// Keys change their classes.
    Classes,
    StepsBack,
}

struct Schedule {
    algorithm: Algorithm,
    disturbance: Disturbance,
    keys: KeyedRateLimiter<Key>,
    time: ManualTime,
    random: Random,
    /// How far the clock has gone forwards, in nanoseconds.
    elapsed: u64,
    kept: Vec<(usize, Grant, u64)>,
    /// By key: when cells passed, and how many.
    passed: [Vec<(u64, u32)>; KEYS],
}

impl Schedule {
    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.random.below(bound as usize)).expect("small")
    }

    /// Under other algorithms than a token bucket a key counts anew in another class.
    fn key(&mut self) -> Key {
        let id = self.random.below(KEYS);
        let changes = self.algorithm == Algorithm::Gcra && self.disturbance == Disturbance::Classes;
        let class = if changes { self.random.below(3) } else { id % 3 };
        Key { id, class: u8::try_from(class).expect("small") }
    }

    fn step(&mut self) {
        match self.below(24) {
            0..=2 => {
                let most = if self.below(6) == 0 { 2_500 } else { 300 };
                let by = Duration::from_millis(self.below(most).into());
                self.time.advance(by);
                self.elapsed += u64::try_from(by.as_nanos()).expect("short");
            }
            3 if self.disturbance == Disturbance::StepsBack => {
                let most = if self.below(3) == 0 { 60_000 } else { 2_000 };
                let by = self.below(most);
                self.time.step_back(Duration::from_millis(by.into()));
            }
            4 => {
                let turn = self.random.below(3);
                self.keys.reconfigure(config(self.algorithm, turn)).expect("valid");
            }
            5..=7 if !self.kept.is_empty() => {
                let (id, grant, at) = self.kept.swap_remove(self.random.below(self.kept.len()));
                let (passes, cells) = (Self::passes(&grant, at), grant.cells());
                let given_back = self.keys.snapshot().given_back;
                self.keys.refund(grant);
                // What is not taken back may well be used.
                if self.keys.snapshot().given_back == given_back {
                    self.passed[id].push((passes, cells));
                }
            }
            8..=10 if self.disturbance == Disturbance::Turns => {
                let (key, cells, wait) = (self.key(), 1 + self.below(3), self.below(2_000));
                let keeps = self.below(2) == 0;
                if let Ok(turn) = self.keys.reserve(&key, cells, Duration::from_millis(wait.into()))
                    && (keeps || turn.wait().is_zero())
                {
                    self.kept.push((key.id, turn.keep(), self.elapsed));
                }
            }
            _ => {
                let (key, cells) = (self.key(), 1 + self.below(3));
                self.kept.extend(self.keys.check_n(&key, cells).ok().map(|grant| (key.id, grant, self.elapsed)));
            }
        }
    }

    fn passes(grant: &Grant, at: u64) -> u64 {
        at + u64::try_from(grant.wait().as_nanos()).expect("short")
    }

    /// How many cells were kept.
    fn check(mut self, seed: u64) -> u32 {
        for (id, grant, at) in &self.kept {
            self.passed[*id].push((Self::passes(grant, *at), grant.cells()));
        }
        for (id, passed) in self.passed.iter_mut().enumerate() {
            passed.sort_unstable();
            for (first, &(from, _)) in passed.iter().enumerate() {
                let mut cells = 0;
                for &(to, some) in &passed[first..] {
                    cells += u64::from(some);
                    let most = match self.algorithm {
                        Algorithm::Gcra => 8 + (to - from) * 4 / 1_000_000_000,
                        _ if to - from < 1_000_000_000 => 8,
                        _ => break,
                    };
                    assert!(
                        cells <= most,
                        "{:?}, {:?}, seed {seed}, key {id}: {cells} passed from {from} to {to}, {most} may",
                        self.algorithm,
                        self.disturbance
                    );
                }
            }
        }
        self.passed.iter().flatten().map(|(_, cells)| cells).sum()
    }
}

fn seeds() -> u64 {
    std::env::var("SEAWALL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(20)
}

#[test]
fn whatever_is_done_to_keys_that_come_and_go_each_keeps_no_more_than_its_limit() {
    for algorithm in [Algorithm::Gcra, Algorithm::sliding_window(), Algorithm::SlidingLog] {
        use Disturbance::{Classes, None, StepsBack, Turns};
        for disturbance in [None, Turns, Classes, StepsBack] {
            let mut passed = 0;
            for seed in 0..seeds() {
                let (keys, time) = with(config(algorithm, 0));
                let (random, kept, all) = (Random::new(seed), Vec::new(), Default::default());
                let mut schedule =
                    Schedule { algorithm, disturbance, keys, time, random, elapsed: 0, kept, passed: all };
                (0..600).for_each(|_| schedule.step());
                passed += schedule.check(seed);
            }
            assert!(u64::from(passed) > 20 * seeds(), "{algorithm:?}, {disturbance:?}: only {passed} passed");
        }
    }
}
