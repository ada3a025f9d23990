//! Random schedules of everything that can happen to a pool, against a model of vectors and linear scans.

mod world;

use std::time::Duration;

use proptest::prelude::*;
use seawall_core::{Backoff, Priority};

use crate::config::{Config, FullPolicy, Order};
use crate::growth::GrowthPolicy;
use crate::retry::Retry;
use crate::weights::Weights;
use world::World;

/// What happens. Numbers choose among those to whom it can happen.
#[derive(Clone, Debug)]
enum Step {
    Submit { priority: usize, lasts: Option<u64> },
    UseRoom(usize),
    LeaveLine(usize),
    Come(usize),
    Complete(usize),
    Fail { who: usize, repeatable: bool },
    Cancel(usize),
    Lose(usize),
    Pass(u64),
    TurnBack(u64),
    Keep,
    Scale(Option<usize>),
    Reconfigure { workers: (usize, usize), queue: usize },
    Refuse(bool),
    Close,
    ReturnAll,
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..64_usize;
    prop_oneof![
        12 => (0..4_usize, prop::option::weighted(0.3, 0..40_u64)).prop_map(|(priority, lasts)| Step::Submit { priority, lasts }),
        4 => who.clone().prop_map(Step::UseRoom),
        1 => who.clone().prop_map(Step::LeaveLine),
        12 => who.clone().prop_map(Step::Come),
        6 => who.clone().prop_map(Step::Complete),
        4 => (who.clone(), any::<bool>()).prop_map(|(who, repeatable)| Step::Fail { who, repeatable }),
        3 => who.clone().prop_map(Step::Cancel),
        1 => who.clone().prop_map(Step::Lose),
        5 => (1..30_u64).prop_map(Step::Pass),
        1 => (1..30_u64).prop_map(Step::TurnBack),
        4 => Just(Step::Keep),
        1 => prop::option::of(0..5_usize).prop_map(Step::Scale),
        1 => ((0..3_usize, 0..4_usize), 0..5_usize).prop_map(|(workers, queue)| Step::Reconfigure { workers, queue }),
        1 => any::<bool>().prop_map(Step::Refuse),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let full = prop::sample::select(vec![
        FullPolicy::Wait,
        FullPolicy::Wait,
        FullPolicy::Reject,
        FullPolicy::DropOldest,
        FullPolicy::DropLowest,
    ]);
    let order = prop::sample::select(vec![
        Order::Strict,
        Order::Aging(Duration::from_millis(10)),
        Order::Weighted(Weights::new(1, 2, 3, 5).expect("none is zero")),
    ]);
    let growth = (0..5_usize).prop_map(|which| match which {
        0 => GrowthPolicy::QueueDepth,
        1 => GrowthPolicy::Age { target_latency: Duration::from_millis(5) },
        2 => GrowthPolicy::DepthOrAge { target_latency: Duration::from_millis(5) },
        3 => GrowthPolicy::WhenFull,
        _ => GrowthPolicy::ByHand,
    });
    let limits = prop::array::uniform4(prop::option::weighted(0.25, 0..3_usize));
    let workers = (0..3_usize, 0..3_usize);
    (workers, 0..5_usize, full, order, growth, limits).prop_map(
        |((least, more), queue, full, order, growth, limits)| {
            let most = (least + more).max(1);
            let mut config = Config::new(least..=most)
                .queue(queue)
                .full(full)
                .order(order)
                .growth(growth)
                .keep_alive(Duration::from_millis(20))
                .submitters(3)
                .retrying(2)
                .retry(Retry::new(3).backoff(Backoff::fixed(Duration::from_millis(8))));
            for priority in Priority::ALL {
                if let Some(most) = limits[priority as usize] {
                    config = config.depth_limit(priority, most);
                }
            }
            config
        },
    )
}

/// Schedules that close the pool at the end, in its two stages or in one.
fn schedule() -> impl Strategy<Value = Vec<Step>> {
    let end = prop::sample::select(vec![vec![], vec![Step::Close], vec![Step::Close, Step::ReturnAll]]);
    (prop::collection::vec(step(), 1..150), end, prop::collection::vec(step(), 0..30)).prop_map(
        |(mut all, end, rest)| {
            all.extend(end);
            all.extend(rest);
            all
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pool_does_what_a_model_of_lists_does(config in config(), schedule in schedule()) {
        let mut world = World::new(config);
        for step in schedule {
            world.take(&step);
            world.check(&step);
        }
        world.come_to_rest();
    }
}

/// A worker that was told to stop comes back before what waits has been given back.
#[test]
fn nothing_begins_in_the_second_stage_of_a_drain() {
    use crate::state::{Calls, Next, State, Terms};
    use seawall_core::random::Random;
    use seawall_core::time::Timestamp;

    let mut state = State::new(Config::new(1..=1), Random::new(1));
    let seat = state.hire_to_floor().expect("one worker").at;
    let (now, mut calls) = (Timestamp::ZERO, Calls::default());
    for unit in 0..2 {
        let terms = Terms { priority: Priority::Normal, deadline: Timestamp::NEVER, extra: None };
        state.offer(unit, terms, now, false, &mut calls, &mut None).expect("there is room");
    }
    let Next::Job { ticket, .. } = state.next(seat, now, &mut calls) else { panic!("the first job") };
    state.end();
    state.complete(seat, ticket, now, &mut calls);
    assert!(matches!(state.next(seat, now, &mut calls), Next::Leave));
    assert_eq!(state.return_one().map(|job| job.unit), Some(1));
    assert!(state.is_quiet());
}
