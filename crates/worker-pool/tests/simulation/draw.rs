//! What a seed draws: configurations, jobs, faults.

use std::time::Duration;

use seawall_core::time::Timestamp;
use seawall_core::{Backoff, Priority};
use seawall_testkit::random::Random;
use seawall_worker_pool::{Config, FullPolicy, GrowthPolicy, JobOptions, Load, Order, Retry, Weights};

use crate::executor::Faults;
use crate::job::{After, Door, End, Form, Plan, Step, Try};

pub(crate) fn span(random: &mut Random, from: usize, below: usize) -> Duration {
    Duration::from_millis(u64::try_from(from + random.below(below - from)).expect("a few"))
}

fn pick<T: Clone>(random: &mut Random, of: &[T]) -> T {
    of[random.below(of.len())].clone()
}

/// What the checks have to know of a configuration.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) config: Config,
    pub(crate) workers: (usize, usize),
    pub(crate) limits: [Option<usize>; Priority::COUNT],
    pub(crate) full: FullPolicy,
    pub(crate) times_out: bool,
    pub(crate) expires: bool,
    pub(crate) attempts: u32,
}

pub(crate) fn setting(random: &mut Random) -> Setting {
    let least = pick(random, &[0, 1, 1, 1, 2, 3]);
    let most = (least + random.below(4)).max(1);
    let queue = pick(random, &[0, 1, 2, 4, 8, 100]);
    let full = pick(
        random,
        &[
            FullPolicy::Wait,
            FullPolicy::Wait,
            FullPolicy::Wait,
            FullPolicy::Reject,
            FullPolicy::DropOldest,
            FullPolicy::DropLowest,
            FullPolicy::CallerRuns,
        ],
    );
    let order = match random.below(4) {
        0 => Order::Strict,
        1 => Order::Weighted(Weights::new(1, 2, 3, 5).expect("none is 0")),
        _ => Order::Aging(span(random, 1, 50)),
    };
    let mut config = Config::new(least..=most)
        .queue(queue)
        .full(full)
        .order(order)
        .growth(growth(random))
        .max_wait(span(random, 0, 60))
        .submitters(pick(random, &[0, 1, 3, 100, 100, 100]))
        .keep_alive(span(random, 1, 200))
        .retrying(pick(random, &[0, 1, 3, 100]))
        .dead_letters(pick(random, &[0, 1, 3]))
        .grace(span(random, 0, 50));
    let mut limits = [None; Priority::COUNT];
    for priority in Priority::ALL {
        if random.chance(1, 6) {
            let most = random.below(4);
            limits[priority as usize] = Some(most);
            config = config.depth_limit(priority, most);
        }
    }
    let attempts = if random.chance(1, 3) { 1 } else { pick(random, &[2, 3, 5]) };
    config = config.retry(retry(random, attempts));
    let times_out = random.chance(1, 4);
    if times_out {
        config = config.timeout(span(random, 5, 40));
    }
    let expires = random.chance(1, 6);
    if expires {
        config = config.expires_in(span(random, 5, 100));
    }
    Setting { config, workers: (least, most), limits, full, times_out, expires, attempts }
}

fn growth(random: &mut Random) -> GrowthPolicy {
    match random.below(8) {
        0 | 1 => GrowthPolicy::QueueDepth,
        2 => GrowthPolicy::Age { target_latency: span(random, 1, 40) },
        3 => GrowthPolicy::WhenFull,
        4 => GrowthPolicy::ByHand,
        5 => GrowthPolicy::from(|load: &Load| load.queued > 2 * load.workers),
        6 => GrowthPolicy::from(|_: &Load| true),
        _ => GrowthPolicy::DepthOrAge { target_latency: span(random, 1, 40) },
    }
}

/// Without jitter, which no seed repeats.
fn retry(random: &mut Random, attempts: u32) -> Retry {
    let (initial, max) = (span(random, 1, 20), Duration::from_millis(60));
    let backoff = match random.below(2) {
        0 => Backoff::fixed(initial),
        _ => Backoff::exponential(initial, 2.0, max).expect("it grows, and its end is after its beginning"),
    };
    Retry::new(attempts).backoff(backoff).panics(random.chance(1, 2))
}

pub(crate) fn plan(random: &mut Random, now: Timestamp) -> Plan {
    let form =
        pick(random, &[Form::Future, Form::Future, Form::Repeat, Form::Repeat, Form::Blocking, Form::RepeatBlocking]);
    let priority = if random.chance(1, 2) { Priority::Normal } else { Priority::ALL[random.below(Priority::COUNT)] };
    let mut options = JobOptions::new().priority(priority);
    if random.chance(1, 8) {
        options = options.timeout(span(random, 1, 30));
    }
    if random.chance(1, 8) {
        options = options.expires_in(span(random, 1, 60));
    }
    if random.chance(1, 16) {
        // Some have passed.
        options = options.deadline(now + span(random, 0, 60));
    }
    let attempts = random.chance(1, 4).then(|| 1 + u32::try_from(random.below(4)).expect("a few"));
    if let Some(attempts) = attempts {
        options = options.retry(retry(random, attempts));
    }
    let door = match random.below(10) {
        0 | 1 => Door::TrySubmit,
        2 => Door::TryExecute,
        3 => Door::Execute,
        4 => Door::ExecuteWithin(span(random, 0, 60)),
        5 => Door::Run,
        6 | 7 => Door::SubmitWithin(span(random, 0, 60)),
        _ => Door::Submit,
    };
    let after = pick(
        random,
        &[After::Keep, After::Keep, After::Await, After::Await, After::KeepAndCancelOnDrop, After::Detach, After::Drop],
    );
    let (priority, options, attempts) =
        if door == Door::Run { (Priority::Normal, JobOptions::new(), None) } else { (priority, options, attempts) };
    let tries = (0..=random.below(3)).map(|_| attempt(random)).collect();
    Plan { form, priority, options, attempts, door, after, tries, drop_panics: random.chance(1, 24) }
}

fn attempt(random: &mut Random) -> Try {
    let length = if random.chance(1, 3) { 0 } else { random.below(4) };
    let steps = (0..length).map(|_| match random.below(3) {
        0 => Step::Yield,
        1 => Step::Sleep(span(random, 0, 10)),
        _ => Step::Sleep(span(random, 1, 50)),
    });
    let steps = steps.collect();
    let end = pick(random, &[End::Succeed, End::Succeed, End::Succeed, End::Fail, End::Fail, End::Panic, End::Ask]);
    Try { steps, end }
}

pub(crate) fn faults(random: &mut Random) -> Faults {
    let spurious = pick(random, &[0, 50, 300]);
    if random.chance(2, 3) {
        return Faults { spurious, ..Faults::default() };
    }
    Faults { refuse: pick(random, &[0, 30, 200]), lose: pick(random, &[0, 5, 30]), spurious }
}
