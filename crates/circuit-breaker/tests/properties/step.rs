//! What a schedule is made of.

use std::time::Duration;

use proptest::prelude::*;

use crate::facts::End;
use crate::plan::{Kept, Plan, kept, plan};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Admit,
    /// One of the running calls ends.
    End(prop::sample::Index, End),
    /// All running calls end, in the same way.
    EndAll(End),
    /// A whole call.
    Call(Duration, End),
    /// So many successes, one after the other.
    Succeed(u8),
    Advance(Duration),
    /// To when something changes by itself, or to the last moment before.
    AdvanceToEdge {
        just_before: bool,
    },
    TurnBack(Duration),
    Record(End, Duration),
    Hand(Hand),
    /// Straight into half-open, where so many calls ask.
    Probe(u8),
    /// As far as this stage of a recovery, where so many calls ask, which may all end in the same way.
    Recover {
        stage: u8,
        asking: u8,
        end: Option<End>,
    },
    /// So many calls that all begin before one of them ends.
    Ask(u8),
    /// With parts of the old configuration kept.
    Reconfigure(Box<Plan>, Kept),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Hand {
    Trip,
    Isolate(Duration),
    HalfOpen,
    ForceOpen,
    ForceClosed,
    Disable,
    MetricsOnly,
    Reset,
}

fn time() -> impl Strategy<Value = Duration> {
    // Whole milliseconds meet the configurations' limits exactly; a nanosecond more or less misses them.
    let off = |(millis, by): (u64, i64)| Duration::from_nanos((millis * 1_000_000).saturating_add_signed(by));
    (0_u64..=12, -1_i64..=1).prop_map(off)
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        5 => Just(End::Success),
        5 => Just(End::Failure(None)),
        1 => time().prop_map(|hint| End::Failure(Some(hint))),
        1 => Just(End::Ignored),
        1 => Just(End::Cancel),
        2 => Just(End::Drop),
        1 => Just(End::Panic),
    ]
}

fn finished() -> impl Strategy<Value = End> {
    prop_oneof![3 => Just(End::Success), 3 => Just(End::Failure(None)), 1 => Just(End::Ignored)]
}

fn hand() -> impl Strategy<Value = Hand> {
    prop_oneof![
        2 => Just(Hand::Trip),
        1 => time().prop_map(Hand::Isolate),
        3 => Just(Hand::HalfOpen),
        1 => Just(Hand::ForceOpen),
        2 => Just(Hand::ForceClosed),
        1 => Just(Hand::Disable),
        2 => Just(Hand::MetricsOnly),
        2 => Just(Hand::Reset),
    ]
}

fn recover() -> impl Strategy<Value = Step> {
    (0_u8..=3, 0_u8..=12, prop::option::of(end())).prop_map(|(stage, asking, end)| Step::Recover { stage, asking, end })
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Admit),
        8 => (any::<prop::sample::Index>(), end()).prop_map(|(which, end)| Step::End(which, end)),
        2 => end().prop_map(Step::EndAll),
        12 => (time(), end()).prop_map(|(took, end)| Step::Call(took, end)),
        3 => (1_u8..=70).prop_map(Step::Succeed),
        5 => time().prop_map(Step::Advance),
        5 => any::<bool>().prop_map(|just_before| Step::AdvanceToEdge { just_before }),
        1 => time().prop_map(Step::TurnBack),
        2 => (finished(), time()).prop_map(|(end, took)| Step::Record(end, took)),
        2 => hand().prop_map(Step::Hand),
        2 => (0_u8..=4).prop_map(Step::Probe),
        3 => recover(),
        2 => (2_u8..=24).prop_map(Step::Ask),
        3 => (plan(), kept()).prop_map(|(plan, kept)| Step::Reconfigure(Box::new(plan), kept)),
    ]
}
