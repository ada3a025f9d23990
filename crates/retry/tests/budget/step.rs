//! Random schedules.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

/// What is done to a budget, or to its clock.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// So many calls begin and end.
    Calls(usize),
    /// So many extra attempts are asked for.
    Spend(usize),
    /// One that is out ends.
    End(Index),
    /// One that is out was never begun.
    Cancel(Index),
    Advance(Duration),
    /// To where this many tenths of the ttl are over, or to just before.
    ToEdge(u32, bool),
    TurnBack(Duration),
}

/// A ratio in thousandths, one number a second in tenths, and the ttl.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) ratio: u32,
    pub(crate) per_second: u32,
    pub(crate) ttl: Duration,
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let ratio = prop_oneof![Just(0), Just(200), Just(1_000), 1_u32..1_500, Just(20_000)];
    let per_second = prop_oneof![3 => Just(0), 1 => Just(1), 2 => 1_u32..50];
    let ttl = prop_oneof![Just(1_000), Just(10_000), 1_000_u64..3_000, Just(60_000)];
    (ratio, per_second, ttl).prop_map(|(ratio, per_second, ttl)| Plan {
        ratio,
        per_second,
        ttl: Duration::from_millis(ttl),
    })
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        2 => Just(Duration::ZERO),
        4 => (0_u64..400_000_000).prop_map(Duration::from_nanos),
        3 => (0_u64..5_000).prop_map(Duration::from_millis),
        1 => (0_u64..200).prop_map(Duration::from_secs),
    ]
}

/// Steps of a clock that only goes forward; of extra attempts that all run to their end unless `cancels`.
pub(crate) fn forward(cancels: bool) -> impl Strategy<Value = Step> {
    let back = if cancels { 2 } else { 0 };
    prop_oneof![
        4 => (1_usize..30).prop_map(Step::Calls),
        4 => (1_usize..10).prop_map(Step::Spend),
        2 => any::<Index>().prop_map(Step::End),
        back => any::<Index>().prop_map(Step::Cancel),
        4 => span().prop_map(Step::Advance),
        2 => (0_u32..13, any::<bool>()).prop_map(|(tenths, before)| Step::ToEdge(tenths, before)),
    ]
}

pub(crate) fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![9 => forward(true), 1 => span().prop_map(Step::TurnBack)]
}
