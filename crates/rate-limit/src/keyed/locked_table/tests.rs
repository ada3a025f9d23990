use std::time::Duration;

use proptest::prelude::*;
use seawall_core::time::Clock;

use super::super::model::{Act, Model, START, Step, schedules};
use super::super::print::Print;
use super::{LockedTable, Newcomers, Set};
use crate::cell::Epoch;
use crate::figures::Limits;
use crate::limit::{Carry, Gcra, Limit, Pacer, SlidingLog, SlidingWindow, Taken, Want};
use crate::quota::Quota;

/// What is told of the quota is not looked at here.
const LIMITS: Limits = Limits { limit: 1, burst: 0, period: 1 };

fn print(key: u8) -> Print {
    Print::new((u64::from(key) + 1) << 40, 0)
}

/// Whether a limit knows which of its turns are still to come. Where it does not, nothing is given back here once somebody has
/// waited: what a state may have back depends on what it knows, and the table's and the exact one may each take what the other does
/// not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turns {
    Known,
    Unknown,
}

/// Lets the schedule run through a table of four slots and through the exact model.
fn run<L: Limit + Clone>(limit: &L, turns: Turns, steps: &[Step]) -> Result<Model<L>, TestCaseError> {
    let table = LockedTable::new(4, limit.clone(), LIMITS, Newcomers::Inherit);
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let mut model = Model::<L>::new();
    let mut receipts: Vec<(u8, Taken, Taken)> = Vec::new();
    let mut waited = false;
    for step in steps {
        time.advance(Duration::from_nanos(step.after));
        let now = clock.now();
        match step.act {
            Act::Take { cells, max_wait } => {
                let want = Want { now, cells, max_wait };
                let decided = table.take(print(step.key), want, &clock, &Epoch::new());
                let exact = model.decided(limit, step.key, want, decided.result)?;
                if let (Ok(taken), Some(exact)) = (decided.result, exact)
                    && cells > 0
                {
                    waited |= taken.act_at > taken.at;
                    receipts.push((step.key, taken, exact));
                }
            }
            Act::GiveBack { .. } if waited && turns == Turns::Unknown => {}
            Act::GiveBack { ago } => {
                if let Some(index) = receipts.len().checked_sub(ago + 1) {
                    let (key, taken, exact) = receipts.remove(index);
                    table.give_back(print(key), taken, || true, &|| now);
                    limit.give_back(model.state(key), exact, now);
                }
            }
        }
        let (looked, exact) =
            (table.look(print(step.key), Want::now(now, 0)).remaining, limit.remaining(model.state(step.key), now));
        prop_assert!(looked <= exact, "key {} has {exact} left, known is {looked}", step.key);
    }
    Ok(model)
}

fn window() -> SlidingWindow {
    SlidingWindow::new(Quota::new(6, Duration::from_micros(1)), 4).expect("valid")
}

fn log() -> SlidingLog {
    SlidingLog::new(Quota::new(6, Duration::from_micros(1))).expect("valid")
}

fn bucket() -> Gcra {
    Gcra::new(Quota::new(10, Duration::from_micros(1)).burst(4)).expect("valid")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_key_ever_passes_more_than_its_window(steps in schedules(9)) {
        run(&window(), Turns::Known, &steps)?;
    }

    #[test]
    fn no_key_ever_passes_more_than_its_log(steps in schedules(9)) {
        run(&log(), Turns::Known, &steps)?;
    }

    #[test]
    fn no_key_ever_passes_more_than_its_bucket(steps in schedules(9)) {
        run(&bucket(), Turns::Unknown, &steps)?;
    }

    #[test]
    fn where_every_key_has_a_slot_every_decision_is_exact(steps in schedules(4)) {
        prop_assert_eq!(run(&window(), Turns::Known, &steps)?.falsely_refused, 0);
        prop_assert_eq!(run(&log(), Turns::Known, &steps)?.falsely_refused, 0);
        prop_assert_eq!(run(&bucket(), Turns::Unknown, &steps)?.falsely_refused, 0);
    }
}

#[test]
fn a_flood_of_new_keys_frees_no_limited_one() {
    let (clock, _time) = Clock::manual();
    let table = LockedTable::new(4, window(), LIMITS, Newcomers::Inherit);
    let takes = |key| table.take(print(key), Want::one(START), &clock, &Epoch::new()).result.is_ok();
    assert_eq!((0..9).filter(|_| takes(0)).count(), 6);
    let others = (1..=255).filter(|key| takes(*key)).count();
    assert!(!takes(0));
    assert!((3 * 6..=4 * 6).contains(&others), "{others} others");
    let arrivals = table.arrivals();
    assert!(arrivals.evicted_live > 0 && arrivals.inherited > 0);
    assert_eq!(usize::try_from(arrivals.arrived), Ok(1 + others));
    assert_eq!(table.live(START), 4);
}

#[test]
fn a_clock_that_steps_back_locks_nobody_out_for_longer_than_a_window() {
    let (clock, time) = Clock::manual();
    let hour = Duration::from_secs(3_600);
    time.advance_to(START + hour);
    let table = LockedTable::new(4, window(), LIMITS, Newcomers::Inherit);
    let take = |key| table.take(print(key), Want::one(clock.now()), &clock, &Epoch::new()).result;
    (0..6).for_each(|key| while take(key).is_ok() {});
    time.step_back(hour);
    (0..9).for_each(|key| assert!(take(key).is_err(), "{key} was let through"));
    time.advance(Duration::from_micros(4));
    (0..9).for_each(|key| assert!(take(key).is_ok(), "{key} is locked out"));
}

#[test]
fn a_limit_is_replaced_for_every_key_and_for_those_that_went() {
    let (clock, _time) = Clock::manual();
    let table = LockedTable::new(4, window(), LIMITS, Newcomers::Inherit);
    let take = |key| table.take(print(key), Want::one(START), &clock, &Epoch::new()).result;
    (0..9).for_each(|key| while take(key).is_ok() {});
    let twice = SlidingWindow::new(Quota::new(12, Duration::from_micros(1)), 4).expect("valid");
    table.carry(twice, LIMITS, Carry::AsIs, START);
    for key in 0..9 {
        let more = (0..20).filter(|_| take(key).is_ok()).count();
        assert!(more <= 6, "{key} has taken {more} more");
    }
    table.carry(twice, LIMITS, Carry::Reset, START);
    assert_eq!((0..20).filter(|_| take(0).is_ok()).count(), 12);
}

#[test]
fn states_are_moved_to_another_table_whole() {
    let (clock, _time) = Clock::manual();
    let (table, smaller) = (
        LockedTable::new(64, window(), LIMITS, Newcomers::Inherit),
        LockedTable::new(4, window(), LIMITS, Newcomers::Inherit),
    );
    let spread = |key: u8| Print::new((u64::from(key) + 1) << 8, 0);
    for key in 0..9 {
        assert!(
            table.take(spread(key), Want::now(START, u32::from(key) % 4 + 1), &clock, &Epoch::new()).result.is_ok()
        );
    }
    table.for_each(START, |print, owed| {
        smaller.raise(print, owed.cells, START + Duration::from_nanos(owed.nanos), START);
    });
    for key in 0..9 {
        let remaining = |table: &LockedTable<_>| table.look(spread(key), Want::now(START, 0)).remaining;
        assert!(remaining(&smaller) <= remaining(&table), "{key}");
    }
}

#[test]
fn a_flood_copies_no_log_of_many_calls() {
    const CALLS: u32 = 20_000;
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let log = SlidingLog::new(Quota::new(2 * CALLS, Duration::from_secs(1))).expect("valid");
    let table = LockedTable::new(4, log, LIMITS, Newcomers::Inherit);
    let take = |key, cells| table.take(print(key), Want::now(clock.now(), cells), &clock, &Epoch::new()).result;
    // Four keys of many calls, of which one has to go for a fifth.
    for _ in 0..CALLS {
        time.advance(Duration::from_nanos(100));
        (0..4).for_each(|key| assert!(take(key, 1).is_ok()));
    }
    assert!(take(4, CALLS).is_ok());
    assert!(take(5, CALLS + 1).is_err(), "the one that had to go was forgotten");
    assert!(take(5, CALLS).is_ok());
    let bytes = |state: &<SlidingLog as Limit>::State| format!("{state:?}").len();
    let set = table.sets[0].lock();
    assert!(bytes(&set.states[1]) > 100_000, "a log has forgotten its calls");
    assert!(bytes(&set.ghost) < 1_000, "{} bytes", bytes(&set.ghost));
    assert_eq!(set.find(print(5)).map(|way| bytes(&set.states[way]) < 1_000), Some(true));
}

#[test]
fn what_is_carried_is_no_step_of_the_clock() {
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let paced = |limit, period| Pacer::new(Quota::new(limit, period), 0).expect("valid");
    let table = LockedTable::new(4, paced(10, Duration::from_secs(1)), LIMITS, Newcomers::Inherit);
    let reserve = |max_wait: Duration| {
        let max_wait = u64::try_from(max_wait.as_nanos()).expect("short");
        table.take(print(0), Want { now: clock.now(), cells: 1, max_wait }, &clock, &Epoch::new()).result
    };
    (0..50).for_each(|_| assert!(reserve(Duration::from_secs(10)).is_ok()));
    // Fifty turns, of which each takes ten times as long now.
    table.carry(paced(1, Duration::from_secs(1)), LIMITS, Carry::Proportional, clock.now());
    let later = reserve(Duration::from_secs(100)).expect("in turn");
    assert!(later.act_at >= clock.now() + Duration::from_secs(49), "{later:?}");
}

#[test]
fn a_key_takes_as_much_memory_as_is_said() {
    assert!(size_of::<Set<SlidingWindow>>() + 8 <= 4 * 96, "{}", size_of::<Set<SlidingWindow>>());
}
