use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use seawall_core::time::Clock;
use seawall_testkit::random::Random;
use seawall_worker_pool::{Config, Event, Pool};

use crate::check;
use crate::draw::{self, Setting, span};
use crate::executor::{Executor, Faults, Owner};
use crate::job::Admission;
use crate::world::{Ground, World, poll_now};

/// More steps than any run needs: who makes more runs in circles.
const MOST_STEPS: usize = 200_000;

/// What became of a run, for comparison.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) steps: u64,
    pub(crate) jobs: Vec<String>,
    /// How often what happened.
    pub(crate) happened: BTreeMap<String, u64>,
}

/// What has happened in all runs so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    runs: u64,
    happened: BTreeMap<String, u64>,
}

impl Seen {
    pub(crate) fn add(&mut self, trace: &Trace) {
        self.runs += 1;
        for (what, times) in &trace.happened {
            *self.happened.entry(what.clone()).or_default() += times;
        }
    }

    /// Runs in which something never happens prove nothing about it.
    pub(crate) fn is_everything(&self) {
        println!("{} runs: {:?}", self.runs, self.happened);
        if self.runs < 400 {
            return;
        }
        let told = ["Completed", "Failed", "Panicked", "TimedOut", "Cancelled", "Expired", "Dropped", "Lost"];
        let refused =
            ["Full", "DepthLimit", "TimedOut", "Expired", "Stopped", "NoWorker"].map(|why| format!("refused {why}"));
        let rest = ["returned", "resubmitted", "retried", "dead letters", "left while they waited", "faults", "waited"];
        for what in told.into_iter().chain(rest).map(str::to_owned).chain(refused) {
            assert!(self.happened.get(&what).is_some_and(|times| *times > 0), "{what}: never in {} runs", self.runs);
        }
    }
}

/// Plays what `seed` says.
pub(crate) fn play(seed: u64) -> Trace {
    let mut random = Random::new(seed);
    let faults = draw::faults(&mut random);
    let executor = Executor::new(random.next_u64(), faults);
    let (clock, time) = Clock::manual();
    let settings = [draw::setting(&mut random), draw::setting(&mut random)];
    let grounds = settings.map(|setting| ground(setting, &executor, &clock)).into();
    let world = World::new(executor, clock, time, grounds);
    let mut run = Run { random, world, steps: 0, happened: BTreeMap::new(), refuses: faults.refuse > 0 };
    let actions = 20 + run.random.below(100);
    for _ in 0..actions {
        run.act();
        check::books(&run.world);
        if run.world.executor.is_stalled() {
            check::stalled(&run.world);
        }
    }
    run.world.executor.set_faults(Faults { spurious: faults.spurious.min(50), ..Faults::default() });
    run.end()
}

fn ground(mut setting: Setting, executor: &Executor, clock: &Clock) -> Ground {
    let alive = Arc::new(());
    setting.config = watched(setting.config, &alive);
    let pool = Pool::with_clock(setting.config.clone(), executor.spawner(), clock.clone()).expect("it can be");
    Ground::new(pool, &setting, alive)
}

/// The configuration, with an observer that holds `alive` as long as the pool lives.
fn watched(config: Config, alive: &Arc<()>) -> Config {
    let held = alive.clone();
    config.observer(move |_: &Event| assert!(Arc::strong_count(&held) > 1, "a pool outlives its run"))
}

struct Run {
    random: Random,
    world: Arc<World>,
    steps: u64,
    happened: BTreeMap<String, u64>,
    /// Whether tasks are refused now and then.
    refuses: bool,
}

impl Run {
    fn act(&mut self) {
        match self.random.below(100) {
            0..30 => self.burst(),
            30..62 => {
                for _ in 0..=self.random.below(12) {
                    self.step();
                    self.drop_who_was_granted();
                    check::books(&self.world);
                }
            }
            62..70 => self.run_until_stalled(),
            70..80 => self.advance(),
            80..90 => self.touch_a_handle(),
            90..94 => self.drop_a_submitter(),
            94..99 => self.change(),
            _ => self.stop(),
        }
    }

    fn step(&mut self) -> bool {
        let did = self.world.executor.step();
        self.steps += u64::from(did);
        did
    }

    fn run_until_stalled(&mut self) {
        let mut steps = 0;
        while !self.world.executor.is_stalled() {
            self.step();
            check::books(&self.world);
            steps += 1;
            assert!(steps < MOST_STEPS, "tasks wake each other in circles");
        }
        check::stalled(&self.world);
        let waiting =
            self.world.pools.iter().filter_map(Ground::pool).map(|pool| pool.snapshot().submitters as u64).sum();
        self.count(Some("waited".to_owned()), waiting);
    }

    fn advance(&mut self) {
        match self.random.below(3) {
            0 => {
                let by = span(&mut self.random, 1, 80);
                self.world.time.advance(by);
            }
            1 => self.world.time.advance(Duration::from_micros(self.random.next_u64() % 2_000)),
            _ => {
                if let Some(at) = self.world.time.next_wake() {
                    self.world.time.advance_to(at);
                }
            }
        }
    }

    fn pool(&mut self) -> Option<(usize, Pool)> {
        let at = usize::from(self.random.chance(1, 4));
        let clones = self.world.pools[at].clones.lock();
        if clones.is_empty() {
            return None;
        }
        let pool = clones[self.random.below(clones.len())].clone();
        Some((at, pool))
    }

    fn burst(&mut self) {
        let jobs = if self.random.chance(1, 4) { 1 + self.random.below(12) } else { 1 };
        for _ in 0..jobs {
            let Some((at, pool)) = self.pool() else { return };
            let now = self.world.now();
            let plan = draw::plan(&mut self.random, now);
            let nested = self.random.chance(1, 10).then(|| draw::plan(&mut self.random, now));
            let record = self.world.record(at, plan);
            self.world.submit(pool, &record, nested);
        }
    }

    fn touch_a_handle(&mut self) {
        let hand = {
            let mut hands = self.world.hands.lock();
            if hands.is_empty() {
                return;
            }
            let at = self.random.below(hands.len());
            hands.swap_remove(at)
        };
        let mut hand = hand;
        match self.random.below(4) {
            0 | 1 => {
                let ended = hand.handle.is_finished();
                let started = hand.record.seen().started;
                if hand.handle.cancel() {
                    assert!(!ended, "it had ended");
                    hand.record.note(|seen| seen.cancelled = Some(started));
                }
                self.world.hands.lock().push(hand);
            }
            2 => match poll_now(&mut hand) {
                Some(outcome) => hand.record.resolve(outcome),
                None => self.world.hands.lock().push(hand),
            },
            _ => {
                let started = hand.record.seen().started;
                let (record, cancels, moved) = (hand.record.clone(), hand.cancels, hand.record.seen().moved);
                let ended = hand.handle.is_finished();
                drop(hand);
                if cancels && !ended && !moved {
                    record.note(|seen| seen.cancelled = Some(started));
                }
            }
        }
    }

    fn drop_a_submitter(&mut self) {
        let task = {
            let mut submitters = self.world.submitters.lock();
            submitters.retain(|(_, record)| record.seen().admission == Admission::Unknown);
            if submitters.is_empty() {
                return;
            }
            let at = self.random.below(submitters.len());
            submitters.swap_remove(at).0
        };
        self.world.executor.drop_task(task);
    }

    /// Somebody was granted room and has not come for it: now is the time to leave.
    fn drop_who_was_granted(&mut self) {
        let granted = |at: usize| {
            let pool = self.world.pools[at].pool();
            pool.is_some_and(|pool| check::waiting(&self.world, at).len() > pool.snapshot().submitters)
        };
        if (0..self.world.pools.len()).any(granted) && self.random.chance(1, 8) {
            self.drop_a_submitter();
        }
    }

    fn change(&mut self) {
        let Some((at, pool)) = self.pool() else { return };
        let world = self.world.clone();
        let ground = &world.pools[at];
        match self.random.below(6) {
            0 => {
                let least = self.random.below(4);
                let most = (least + self.random.below(4)).max(1);
                pool.resize(least..=most).expect("it can be");
                let mut setting = ground.setting.lock();
                setting.workers = (least, most);
                setting.config = setting.config.clone().workers(least..=most);
            }
            1 => {
                let (least, most) = ground.setting.lock().workers;
                let workers = least + self.random.below(most - least + 1);
                pool.scale_to(workers).expect("within");
            }
            2 => pool.scale_by_policy(),
            3 => {
                let mut setting = draw::setting(&mut self.random);
                setting.config = watched(setting.config, &ground.alive);
                ground.remember(&setting);
                pool.reconfigure(setting.config).expect("it can be");
            }
            4 => ground.clones.lock().push(pool),
            _ => {
                let last = ground.clones.lock().len() == 1;
                if last {
                    // Nobody else could: a job that waits may hold a handle of its own.
                    pool.scale_by_policy();
                }
                drop(pool);
                // Where tasks are refused somebody must be left to have the pool looked after again.
                if !last || !self.refuses && self.random.chance(1, 4) {
                    let gone = ground.clones.lock().pop();
                    if last {
                        ground.closed.store(true, Ordering::Relaxed);
                    }
                    drop(gone);
                }
            }
        }
    }

    fn stop(&mut self) {
        let Some((at, pool)) = self.pool() else { return };
        if self.random.chance(1, 3) {
            self.world.pools[at].closed.store(true, Ordering::Relaxed);
            pool.close();
        } else {
            let within = span(&mut self.random, 0, 200);
            self.world.drain(at, pool, within);
        }
    }

    /// Lets time run until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..MOST_STEPS {
            self.run_until_stalled();
            let Some(at) = self.world.time.next_wake() else { return };
            self.world.time.advance_to(at);
        }
        panic!("it never comes to rest");
    }

    fn end(mut self) -> Trace {
        let world = self.world.clone();
        self.settle();
        for ground in &world.pools {
            // A pool that was told to have no worker works at nothing.
            let pool = ground.pool().filter(|pool| pool.snapshot().scaled_to == Some(0));
            pool.inspect(Pool::scale_by_policy);
        }
        self.settle();
        if world.executor.played() > 0 {
            // Whoever was refused or lost is replaced when the pool is looked after again.
            for ground in &world.pools {
                if let Some(pool) = ground.pool() {
                    pool.reconfigure(ground.setting.lock().config.clone()).expect("it can be");
                }
            }
            self.settle();
        }
        self.nobody_waits();
        for ground in &world.pools {
            if let Some(pool) = ground.pool() {
                check::at_rest(ground, &pool);
            }
        }
        for at in 0..world.pools.len() {
            self.end_pool(at);
        }
        self.settle();
        self.nobody_waits();
        assert_eq!(world.executor.count(Owner::Pool), 0, "a worker or a keeper is left");
        assert_eq!(world.executor.panicked(), 0, "a worker panicked");
        for mut hand in std::mem::take(&mut *world.hands.lock()) {
            let outcome = poll_now(&mut hand).unwrap_or_else(|| panic!("job {} has no end", hand.record.id));
            hand.record.resolve(outcome);
        }
        for (at, ground) in world.pools.iter().enumerate() {
            if let Some(pool) = ground.pool() {
                check::at_rest(ground, &pool);
                let snapshot = pool.snapshot();
                check::sums(&world, at, &snapshot);
                self.count(Some("retried".to_owned()), snapshot.retried);
                self.count(Some("dead letters".to_owned()), snapshot.dead_letters as u64);
            }
            ground.clones.lock().clear();
            let setting = ground.setting.lock().config.clone().observer(|_: &Event| ());
            ground.setting.lock().config = setting;
            assert_eq!(Arc::strong_count(&ground.alive), 1, "something of the pool is left");
        }
        let jobs = world.jobs.lock().clone();
        for record in &jobs {
            check::job(&world, record);
        }
        for record in &jobs {
            let seen = record.seen();
            self.count(seen.told.map(|told| format!("{told:?}")), 1);
            match seen.admission {
                Admission::Refused(reason) => self.count(Some(format!("refused {reason:?}")), 1),
                Admission::Abandoned if seen.started == 0 => self.count(Some("left while they waited".to_owned()), 1),
                _ => {}
            }
        }
        for ground in &world.pools {
            let history = ground.history.lock();
            self.count(Some("returned".to_owned()), history.returned);
            self.count(Some("resubmitted".to_owned()), history.resubmitted);
        }
        self.count(Some("faults".to_owned()), u64::from(world.executor.played()));
        let jobs = jobs.iter().map(|record| format!("{:?}", record.seen())).collect();
        Trace { steps: self.steps, jobs, happened: self.happened }
    }

    fn count(&mut self, what: Option<String>, times: u64) {
        if let Some(what) = what {
            *self.happened.entry(what).or_default() += times;
        }
    }

    fn nobody_waits(&self) {
        if self.world.executor.count(Owner::Actor) > 0 {
            let jobs = self.world.jobs.lock();
            for record in jobs.iter().filter(|record| record.seen().alive > 0) {
                eprintln!("job {} of pool {}: {:?} {:?}", record.id, record.pool, record.seen(), record.plan);
            }
            for pool in self.world.pools.iter().filter_map(Ground::pool) {
                eprintln!("{:?}", pool.snapshot());
            }
            panic!("somebody waits for ever");
        }
    }

    fn end_pool(&mut self, at: usize) {
        let world = self.world.clone();
        let ground = &world.pools[at];
        let Some(pool) = ground.pool() else { return };
        ground.closed.store(true, Ordering::Relaxed);
        match self.random.below(3) {
            0 => ground.clones.lock().clear(),
            1 => pool.close(),
            _ => {
                let within = span(&mut self.random, 0, 100);
                world.drain(at, pool, within);
            }
        }
    }
}
