//! Keys that change their classes: what a key takes in any span of time is at most what the largest of the classes that it then
//! had lets pass, whatever the clock does, and whoever had to go, was told to a successor or got another quota meanwhile.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::{
    Algorithm, Carry, Config, Grant, Keyed, KeyedRateLimiter, KeyedReservation, Quota, QuotaClass, Seed,
};
use seawall_testkit::random::Random;

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

const MS: u64 = 1_000_000;

/// The milliseconds that one cell of each class takes.
const INTERVALS: [u32; 4] = [100, 250, 1_000, 40];

/// How many cells of each class pass at once, and what takes their place for a while.
const BURSTS: [[u32; 4]; 3] = [[3, 8, 20, 2], [9, 4, 6, 50], [1, 20, 12, 10]];

/// Room for four keys, which all belong to one set.
fn config(turn: usize) -> Keyed<Key> {
    let quotas = [0, 1, 2, 3].map(|class| {
        let interval = Duration::from_millis(INTERVALS[class].into());
        Quota::new(1, interval).burst(BURSTS[turn][class])
    });
    let [first, classes @ ..] = quotas;
    Keyed::new(Config::new(first).algorithm(Algorithm::Gcra).name("keys"))
        .capacity(4)
        .classes(classes)
        .class_of(|key: &Key| QuotaClass::new(key.class))
        .seed(Seed::new(1, 2))
}

/// What a key took: when, for how long its cells count, and for how long its class lets cells count that pass at once.
#[derive(Clone, Copy, Debug)]
struct Pass {
    at: u64,
    cost: u64,
    capacity: u64,
}

/// What happens beside calls of keys that change their classes.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each happens or not")]
struct Disturbances {
    steps: bool,
    refunds: bool,
    quotas: bool,
    turns: bool,
    restarts: bool,
}

impl Disturbances {
    /// Each set of them in turn. Who waits for a turn does so by the limiter that promised it.
    fn of(seed: u64) -> Self {
        let has = |bit: u64| seed >> bit & 1 == 1;
        Self { steps: !has(0) || !has(1), refunds: has(2), quotas: has(3), turns: has(4), restarts: has(5) && !has(4) }
    }
}

struct Schedule {
    disturbances: Disturbances,
    random: Random,
    clock: Clock,
    time: ManualTime,
    keys: KeyedRateLimiter<Key>,
    /// Which of the quotas hold.
    turn: usize,
    /// How far the clock has gone forwards, in nanoseconds.
    elapsed: u64,
    /// How many keys there are.
    ids: usize,
    kept: Vec<(usize, Grant, Pass)>,
    passed: Vec<Vec<Pass>>,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (clock, time) = Clock::manual();
        time.advance(Duration::from_secs(3_600));
        let keys = KeyedRateLimiter::with_clock(config(0), clock.clone()).expect("valid");
        let ids = [1, 3, 6][random.below(3)];
        let passed = vec![Vec::new(); ids];
        let disturbances = Disturbances::of(seed);
        Self { disturbances, random, clock, time, keys, turn: 0, elapsed: 0, ids, kept: Vec::new(), passed }
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.random.below(bound as usize)).expect("small")
    }

    fn millis(&mut self) -> Duration {
        let most = [3, 60, 600, 6_000, 30_000][self.random.below(5)];
        Duration::from_millis(self.below(most).into())
    }

    fn key(&mut self) -> Key {
        let id = self.random.below(self.ids);
        Key { id, class: u8::try_from(self.random.below(4)).expect("small") }
    }

    fn keep(&mut self, key: Key, grant: Grant) {
        let class = usize::from(key.class);
        let interval = u64::from(INTERVALS[class]) * MS;
        let pass = Pass {
            at: self.elapsed + u64::try_from(grant.wait().as_nanos()).expect("short"),
            cost: interval * u64::from(grant.cells()),
            capacity: interval * u64::from(BURSTS[self.turn][class]),
        };
        self.passed[key.id].push(pass);
        self.kept.push((key.id, grant, pass));
    }

    fn step(&mut self) {
        let Disturbances { steps, refunds, quotas, turns, restarts } = self.disturbances;
        match self.below(40) {
            0..=6 => {
                let by = self.millis();
                self.time.advance(by);
                self.elapsed += u64::try_from(by.as_nanos()).expect("short");
            }
            7..=8 if steps => {
                let by = self.millis() * (1 + 40 * self.below(2));
                self.time.step_back(by);
            }
            9..=11 if refunds && !self.kept.is_empty() => {
                let (id, grant, pass) = self.kept.swap_remove(self.random.below(self.kept.len()));
                let given_back = self.keys.snapshot().given_back;
                self.keys.refund(grant);
                // What is not taken back may well be used.
                if self.keys.snapshot().given_back > given_back {
                    let place = self.passed[id].iter().position(|other| other.at == pass.at && other.cost == pass.cost);
                    self.passed[id].swap_remove(place.expect("it passed"));
                }
            }
            12 if quotas => {
                self.turn = self.random.below(3);
                self.keys.reconfigure(config(self.turn)).expect("valid");
            }
            13 if restarts => {
                let debts = self.keys.debts();
                let by = self.millis();
                self.time.advance(by);
                self.elapsed += u64::try_from(by.as_nanos()).expect("short");
                self.keys = KeyedRateLimiter::with_clock(config(self.turn), self.clock.clone()).expect("valid");
                self.keys.restore(&debts, by).expect("the same seed");
                self.kept.clear();
            }
            14..=17 if turns => {
                let (key, cells, wait) = (self.key(), 1 + self.below(3), self.millis());
                let promised = self.keys.reserve(&key, cells, wait).map(KeyedReservation::keep);
                if let Ok(grant) = promised {
                    self.keep(key, grant);
                }
            }
            _ => {
                let (key, most) = (self.key(), 1 + self.below(20));
                // As much as there is, so that every cell too many is found.
                let grant = self.keys.take_up_to(&key, most);
                if grant.cells() > 0 {
                    self.keep(key, grant);
                }
            }
        }
    }

    /// How many times cells passed.
    fn check(mut self, seed: u64) -> usize {
        let mut calls = 0;
        for (id, passed) in self.passed.iter_mut().enumerate() {
            passed.sort_by_key(|pass| pass.at);
            calls += passed.len();
            for (first, from) in passed.iter().enumerate() {
                let (mut cost, mut capacity) = (0, 0);
                for to in &passed[first..] {
                    cost += to.cost;
                    capacity = to.capacity.max(capacity);
                    let most = capacity + to.at - from.at;
                    assert!(
                        cost <= most,
                        "seed {seed}, {:?}, key {id}: {cost} ns of cells passed from {} to {}, {most} may",
                        self.disturbances,
                        from.at,
                        to.at
                    );
                }
            }
        }
        calls
    }
}

#[test]
fn a_key_that_changes_its_class_takes_no_more_than_the_largest_class_that_it_had_lets_pass() {
    let seeds = std::env::var("SEAWALL_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let seeds: u64 = seeds.unwrap_or(if cfg!(debug_assertions) { 400 } else { 20_000 });
    let mut passed = 0;
    for seed in 0..seeds {
        let mut schedule = Schedule::new(seed);
        (0..400).for_each(|_| schedule.step());
        passed += schedule.check(seed);
    }
    assert!(u64::try_from(passed).expect("many") > 20 * seeds, "only {passed} calls passed");
}

/// Milliseconds for which cells of a class count that pass at once, by the first quotas: 300, 2 000, 20 000 and 80.
const SMALL: u8 = 0;
const MIDDLE: u8 = 1;
const LARGE: u8 = 2;

fn key(class: u8) -> Key {
    Key { id: 0, class }
}

fn takes(keys: &KeyedRateLimiter<Key>, class: u8) -> u32 {
    keys.take_up_to(&key(class), 20).cells()
}

/// A key of the small class whose arrival time was brought back, as it took all that the large one lets pass.
fn mended() -> (KeyedRateLimiter<Key>, Clock, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(Duration::from_secs(7_200));
    let keys = KeyedRateLimiter::with_clock(config(0), clock.clone()).expect("valid");
    assert_eq!(takes(&keys, LARGE), 20);
    time.step_back(Duration::from_secs(3_600));
    let throttled = keys.check(&key(SMALL)).expect_err("it owes all that its class lets it");
    assert_eq!(throttled.retry_after(), Some(Duration::from_millis(100)), "it is not locked out");
    (keys, clock, time)
}

#[test]
fn what_was_not_asked_of_a_key_in_a_small_class_is_asked_of_it_in_a_large_one() {
    let (keys, _, time) = mended();
    time.advance(Duration::from_millis(300));
    assert_eq!(takes(&keys, SMALL), 3);
    assert_eq!(keys.peek(&key(LARGE)).remaining(), 0);
    assert_eq!(takes(&keys, LARGE), 0);
    time.advance(Duration::from_secs(1));
    assert_eq!((takes(&keys, LARGE), takes(&keys, LARGE)), (1, 0));
}

#[test]
fn a_key_is_asked_once_for_what_each_larger_class_lets_it_owe() {
    let (keys, _, time) = mended();
    assert_eq!(takes(&keys, MIDDLE), 0);
    time.advance(Duration::from_millis(250));
    assert_eq!(takes(&keys, MIDDLE), 1);
    // To and fro: it owes what the middle class lets it, and pays that.
    let (mut small, mut middle) = (0, 0);
    for _ in 0..60 {
        time.advance(Duration::from_millis(100));
        small += takes(&keys, SMALL);
        middle += takes(&keys, MIDDLE);
    }
    assert_eq!((small, middle), (0, 24), "6 s of cells of 250 ms");
    time.advance(Duration::from_secs(2));
    assert_eq!((takes(&keys, SMALL), takes(&keys, LARGE)), (3, 1), "18 s were never asked");
}

#[test]
fn time_in_which_a_key_is_idle_pays_what_was_not_asked_of_it() {
    let (keys, _, time) = mended();
    time.advance(Duration::from_secs(20));
    assert_eq!(takes(&keys, LARGE), 20);
}

#[test]
fn a_class_that_lets_its_keys_owe_more_than_before_asks_for_it() {
    let (keys, _, time) = mended();
    keys.reconfigure(config(1)).expect("valid");
    assert_eq!(takes(&keys, SMALL), 0, "nine cells instead of three");
    time.advance(Duration::from_millis(200));
    assert_eq!(takes(&keys, SMALL), 2);
    // The large one has six cells now, and had twenty.
    assert_eq!(takes(&keys, LARGE), 0);
    time.advance(Duration::from_secs(14));
    assert_eq!(takes(&keys, LARGE), 0);
    time.advance(Duration::from_secs(1));
    assert_eq!(takes(&keys, LARGE), 1);
}

#[test]
fn what_was_not_asked_of_a_key_is_carried_in_proportion() {
    let (keys, _, time) = mended();
    let halved =
        |class: usize| Quota::new(1, Duration::from_millis(INTERVALS[class].into()) / 2).burst(BURSTS[0][class]);
    let each = Config::new(halved(0)).algorithm(Algorithm::Gcra).name("keys").carry(Carry::Proportional);
    let faster = config(0).with_each(each).classes([1, 2, 3].map(halved));
    keys.reconfigure(faster).expect("valid");
    time.advance(Duration::from_secs(9));
    assert_eq!(takes(&keys, LARGE), 18, "ten seconds were owed");
    let reset = Config::new(halved(0)).algorithm(Algorithm::Gcra).name("keys").carry(Carry::Reset);
    keys.reconfigure(config(0).with_each(reset)).expect("valid");
    assert_eq!(takes(&keys, LARGE), 20, "nothing is owed any more");
}

#[test]
fn what_was_not_asked_of_a_key_is_told_to_a_successor() {
    let (keys, clock, time) = mended();
    let successor = |keys: &KeyedRateLimiter<Key>, after| {
        let successor = KeyedRateLimiter::with_clock(config(0), clock.clone()).expect("valid");
        successor.restore(&keys.debts(), after).expect("the same seed");
        successor
    };
    let next = successor(&keys, Duration::ZERO);
    assert_eq!((takes(&next, SMALL), takes(&next, LARGE)), (0, 0));
    // Ten seconds of idle time before, and five between, have paid.
    time.advance(Duration::from_secs(10));
    let next = successor(&keys, Duration::from_secs(5));
    assert_eq!((takes(&next, SMALL), takes(&next, LARGE)), (3, 14));
}

#[test]
fn what_was_not_asked_of_a_key_is_forgotten_with_all_that_it_took() {
    let (keys, _, _) = mended();
    keys.reset(&key(SMALL));
    assert_eq!((takes(&keys, SMALL), takes(&keys, LARGE)), (3, 19));
}

#[test]
fn a_key_that_had_to_go_is_asked_for_all_of_its_debt_whatever_it_took_in_a_smaller_class() {
    let (clock, time) = Clock::manual();
    time.advance(Duration::from_secs(3_600));
    let keys = KeyedRateLimiter::with_clock(config(0), clock).expect("valid");
    assert_eq!(takes(&keys, LARGE), 20);
    // Others owe more, so that it has to go.
    time.advance(Duration::from_secs(1));
    for (id, cells) in [(1, 20), (2, 20), (3, 20), (4, 1)] {
        assert_eq!(keys.take_up_to(&Key { id, class: LARGE }, 20).cells(), cells);
    }
    // In the small class it takes all that this lets pass, for longer than the debt would have lasted.
    let mut small = 0;
    for _ in 0..300 {
        time.advance(Duration::from_millis(100));
        small += takes(&keys, SMALL);
    }
    assert_eq!(small, 299, "it is not locked out");
    assert_eq!(takes(&keys, LARGE), 0);
}

#[test]
fn who_waits_in_a_small_class_is_not_overtaken_by_what_is_given_back_in_a_large_one() {
    let (clock, time) = Clock::manual();
    time.advance(Duration::from_secs(3_600));
    let keys = KeyedRateLimiter::with_clock(config(0), clock).expect("valid");
    assert_eq!(takes(&keys, SMALL), 3);
    let turn = keys.reserve(&key(SMALL), 1, Duration::from_secs(1)).expect("in time").keep();
    assert_eq!(turn.wait(), Duration::from_millis(100));
    let [early, late] = [8, 8].map(|cells| keys.check_n(&key(LARGE), cells).expect("there is room"));
    keys.refund(early);
    assert_eq!(takes(&keys, LARGE), 3, "a turn is to come");
    time.advance(Duration::from_millis(100));
    keys.refund(late);
    assert_eq!(takes(&keys, LARGE), 8, "no turn is");
}

#[test]
fn what_is_given_back_before_and_after_a_clock_passes_its_old_time_again_mints_nothing() {
    // Cells of each of two grants, the milliseconds between them, and from the step back to the second refund; a class, what of it
    // is taken before that, and how much of it passes at once.
    for (cells, between, later, class, most, burst) in [(1, 100, 800, SMALL, 1, 3), (10, 5_000, 9_000, LARGE, 20, 20)] {
        let (clock, time) = Clock::manual();
        time.advance(Duration::from_secs(3_600));
        let keys = KeyedRateLimiter::with_clock(config(0), clock).expect("valid");
        let first = keys.check_n(&key(LARGE), cells).expect("there is room");
        time.advance(Duration::from_millis(between));
        let second = keys.check_n(&key(LARGE), cells).expect("there is room");
        time.step_back(Duration::from_millis(between));
        keys.refund(first);
        time.advance(Duration::from_millis(later));
        let before = keys.take_up_to(&key(class), most).cells();
        keys.refund(second);
        let after = takes(&keys, class);
        assert!(before + after <= burst, "{before} and {after} of {burst} cells at one time");
    }
}

#[test]
fn only_where_there_are_several_classes_a_key_takes_more_memory() {
    let each = || Config::new(Quota::per_second(1)).algorithm(Algorithm::Gcra);
    let memory =
        |config: Keyed<Key>| KeyedRateLimiter::<Key>::new(config.capacity(65_536)).expect("valid").snapshot().memory;
    let (one, two) = (memory(Keyed::new(each())), memory(Keyed::new(each()).classes([Quota::per_second(2)])));
    assert!(one < 65_536 * 19, "{one}");
    assert!(two > one && two < 65_536 * 27, "{two}");
}
