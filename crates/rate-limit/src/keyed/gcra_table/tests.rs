use std::time::Duration;

use proptest::prelude::*;
use seawall_core::time::{Clock, Timestamp};

use super::super::model::{Act, Model, START, Step, schedules};
use super::super::print::Print;
use super::GcraTable;
use crate::limit::{Carry, Gcra, Limit, Refused, Taken, Want};
use crate::quota::Quota;

/// Four cells at once, one in 100 ns.
fn quota() -> Quota {
    Quota::new(10, Duration::from_micros(1)).burst(4)
}

/// The print of a key; all keys belong to one set.
fn print(key: u8, class: u8) -> Print {
    Print::new((u64::from(key) + 1) << 40, class)
}

fn class_of(place: usize) -> u8 {
    u8::try_from(place).expect("a few classes")
}

/// Lets the schedule run through a table of `keys` slots and through the exact model, with the quota of each key's class.
///
/// Once somebody has waited nothing is given back: which turns can be is decided by what a state knows of them, and the table's
/// and the exact one may each take back what the other does not. [`keep`] holds what is promised then.
fn run(keys: usize, steps: &[Step], gcras: &[Gcra]) -> Result<Model<Gcra>, TestCaseError> {
    let table = GcraTable::new(keys, 4);
    for (class, gcra) in gcras.iter().enumerate() {
        table.expect(class, gcra);
    }
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let mut model = Model::<Gcra>::new();
    let mut receipts: Vec<(u8, Taken, Taken)> = Vec::new();
    let mut waited = false;
    for step in steps {
        time.advance(Duration::from_nanos(step.after));
        let now = clock.now();
        let class = usize::from(step.key) % gcras.len();
        let gcra = &gcras[class];
        let print = print(step.key, class_of(class));
        match step.act {
            Act::Take { cells, max_wait } => {
                let want = Want { now, cells, max_wait };
                let (result, tat) = table.take(print, gcra, want, &clock);
                let exact = model.decided(gcra, step.key, want, result)?;
                if let (Ok(taken), Some(exact)) = (result, exact)
                    && cells > 0
                {
                    prop_assert_eq!(tat, taken.mark);
                    waited |= taken.act_at > taken.at;
                    receipts.push((step.key, taken, exact));
                }
            }
            Act::GiveBack { .. } if waited => {}
            Act::GiveBack { ago } => {
                if let Some(index) = receipts.len().checked_sub(ago + 1) {
                    let (key, taken, exact) = receipts.remove(index);
                    let class = usize::from(key) % gcras.len();
                    table.give_back(self::print(key, class_of(class)), &gcras[class], &taken, 0, &|| now);
                    let state = model.state(key);
                    *state -= gcras[class].refundable(*state, &exact, gcras[class].ticks(now), false);
                }
            }
        }
        let (looked, exact) = (table.look(print, gcra, now), *model.state(step.key));
        prop_assert!(looked >= exact || exact <= gcra.ticks(now), "key {} owes {exact}, known is {looked}", step.key);
    }
    Ok(model)
}

/// Lets the schedule run through a table, and looks at what was kept of each key's grants: used from their turns on, they must
/// pass the key's limit by themselves.
fn keep(keys: usize, steps: &[Step], gcras: &[Gcra]) -> Result<(), TestCaseError> {
    let table = GcraTable::new(keys, 4);
    for (class, gcra) in gcras.iter().enumerate() {
        table.expect(class, gcra);
    }
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let mut kept: Vec<(u8, Taken)> = Vec::new();
    for step in steps {
        time.advance(Duration::from_nanos(step.after));
        let class = usize::from(step.key) % gcras.len();
        match step.act {
            Act::Take { cells, max_wait } => {
                let want = Want { now: clock.now(), cells, max_wait };
                if let Ok(taken) = table.take(print(step.key, class_of(class)), &gcras[class], want, &clock).0 {
                    kept.push((step.key, taken));
                }
            }
            Act::GiveBack { ago } => {
                if let Some(index) = kept.len().checked_sub(ago + 1) {
                    let (key, taken) = kept.remove(index);
                    let class = usize::from(key) % gcras.len();
                    table.give_back(print(key, class_of(class)), &gcras[class], &taken, 0, &|| clock.now());
                }
            }
        }
    }
    kept.sort_by_key(|(_, taken)| taken.act_at);
    for key in 0..=u8::MAX {
        let gcra = &gcras[usize::from(key) % gcras.len()];
        let mut state = 0;
        for (_, taken) in kept.iter().filter(|(of, _)| *of == key) {
            // Turns are told in whole nanoseconds, rounded up: the next call may come less than one too early for the rounded ones.
            let at = |nanos| Want::now(taken.act_at + Duration::from_nanos(nanos), taken.cells);
            let alone = gcra.take(&mut state, at(0)).or_else(|_| gcra.take(&mut state, at(1)));
            prop_assert!(alone.is_ok(), "key {key} acts at {} although {alone:?}: {kept:?}", taken.act_at);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_kept_passes_each_keys_limit_by_itself_whatever_was_given_back(steps in schedules(9)) {
        let first = Gcra::new(quota()).expect("valid");
        let second = first.alike(Quota::new(3, Duration::from_micros(4))).expect("valid");
        keep(4, &steps, &[first])?;
        keep(4, &steps, &[first, second])?;
    }

    #[test]
    fn no_key_ever_passes_more_than_its_limit(steps in schedules(9)) {
        run(4, &steps, &[Gcra::new(quota()).expect("valid")])?;
    }

    #[test]
    fn no_key_ever_passes_more_than_its_own_of_several_quotas(steps in schedules(9)) {
        let first = Gcra::new(quota()).expect("valid");
        let others = [Quota::new(3, Duration::from_micros(4)), Quota::new(50, Duration::from_micros(1)).burst(7)];
        let [second, third] = others.map(|quota| first.alike(quota).expect("valid"));
        run(4, &steps, &[first, second, third])?;
    }

    #[test]
    fn where_every_key_has_a_slot_every_decision_is_exact(steps in schedules(4)) {
        let model = run(4, &steps, &[Gcra::new(quota()).expect("valid")])?;
        prop_assert_eq!(model.falsely_refused, 0);
    }
}

fn taken(table: &GcraTable, key: u8, gcra: &Gcra, now: Timestamp, clock: &Clock) -> bool {
    table.take(print(key, 0), gcra, Want::one(now), clock).0.is_ok()
}

#[test]
fn a_flood_of_new_keys_frees_no_limited_one() {
    let (clock, _time) = Clock::manual();
    let gcra = Gcra::new(quota()).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &gcra);
    let takes = |key| taken(&table, key, &gcra, START, &clock);
    assert_eq!((0..9).filter(|_| takes(0)).count(), 4);
    let others = (1..=255).filter(|key| takes(*key)).count();
    assert!(!takes(0));
    // Three slots of four cells each, and the least is inherited each time: nobody is let through for nothing.
    assert_eq!(others, 3 * 4);
    let arrivals = table.arrivals();
    assert_eq!((arrivals.arrived, arrivals.evicted_live), (1 + 12, 9));
    assert_eq!(arrivals.inherited, 3 * (1 + 2 + 3));
    assert_eq!(table.live(gcra.ticks(START)), 4);
}

#[test]
fn a_newcomer_owes_nothing_where_a_slot_is_free() {
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let gcra = Gcra::new(quota()).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &gcra);
    (0..4).for_each(|key| assert!(taken(&table, key, &gcra, START, &clock)));
    let later = START + Duration::from_nanos(100);
    for key in 4..200 {
        let now = later + Duration::from_nanos(100) * u32::from(key);
        let (result, tat) = table.take(print(key, 0), &gcra, Want::now(now, 4), &clock);
        assert!(result.is_ok(), "key {key}");
        assert_eq!(tat, gcra.ticks(now) + gcra.capacity());
    }
}

#[test]
fn who_is_refused_evicts_nobody() {
    let (clock, _time) = Clock::manual();
    let gcra = Gcra::new(quota()).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &gcra);
    (0..4).for_each(|key| assert!(table.take(print(key, 0), &gcra, Want::now(START, 4), &clock).0.is_ok()));
    let before = table.arrivals();
    (4..100).for_each(|key| assert!(!taken(&table, key, &gcra, START, &clock)));
    assert_eq!(table.arrivals(), before);
    // The time that a newcomer is told is exact too.
    let (result, _) = table.take(print(50, 0), &gcra, Want::one(START), &clock);
    assert_eq!(result, Err(Refused::Later { retry_after: 100 }));
    assert!(!taken(&table, 50, &gcra, START + Duration::from_nanos(99), &clock));
    assert!(taken(&table, 50, &gcra, START + Duration::from_nanos(100), &clock));
}

#[test]
fn a_debt_of_hours_does_not_lock_out_a_key_whose_own_quota_is_of_seconds() {
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let slow = Gcra::new(Quota::per_hour(4)).expect("valid");
    let fast = slow.alike(Quota::per_second(10)).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &slow);
    table.expect(1, &fast);
    (0..4).for_each(|key| assert!(table.take(print(key, 0), &slow, Want::now(START, 4), &clock).0.is_ok()));
    let newcomer = |now| table.take(print(9, 1), &fast, Want::one(now), &clock).0;
    assert_eq!(newcomer(START), Err(Refused::Later { retry_after: 100_000_000 }));
    let later = START + Duration::from_millis(100);
    time.advance_to(later);
    assert!(newcomer(later).is_ok());
    // Whoever had to go for it is as limited as before.
    (0..4).for_each(|key| assert!(table.take(print(key, 0), &slow, Want::one(later), &clock).0.is_err(), "{key}"));
}

#[test]
fn a_clock_that_steps_back_locks_nobody_out_for_longer_than_a_whole_burst_takes() {
    let (clock, time) = Clock::manual();
    let hour = Duration::from_secs(3_600);
    time.advance_to(START + hour);
    let gcra = Gcra::new(quota()).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &gcra);
    let take = |key| table.take(print(key, 0), &gcra, Want::one(clock.now()), &clock).0;
    // Six keys for four slots, so that some are known by the floor alone.
    (0..6).for_each(|key| while take(key).is_ok() {});
    time.step_back(hour);
    (0..9).for_each(|key| assert!(take(key).is_err(), "{key} was let through"));
    time.advance(Duration::from_nanos(400));
    (0..9).for_each(|key| assert!(take(key).is_ok(), "{key} is locked out"));
}

#[test]
fn a_thread_that_was_held_up_does_not_take_the_others_for_a_step_of_the_clock() {
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let gcra = Gcra::new(quota()).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &gcra);
    let late = START + Duration::from_secs(1);
    time.advance_to(late);
    (0..4).for_each(|key| assert!(table.take(print(key, 0), &gcra, Want::now(late, 4), &clock).0.is_ok()));
    // Known and new keys, asked for at a time that is long past.
    (0..9).for_each(|key| assert!(!taken(&table, key, &gcra, START, &clock)));
    (0..9).for_each(|key| assert!(!taken(&table, key, &gcra, late, &clock), "{key} was healed"));
}

#[test]
fn what_is_given_back_never_helps_another() {
    let (clock, _time) = Clock::manual();
    let gcra = Gcra::new(quota()).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &gcra);
    let take = |key, cells| table.take(print(key, 0), &gcra, Want::now(START, cells), &clock).0;
    // Key 0 owes one cell and is evicted by key 4, which gives back.
    assert!(take(0, 1).is_ok());
    (1..4).for_each(|key| assert!(take(key, 2).is_ok()));
    let newcomers = take(4, 3).expect("one is inherited");
    assert!(table.look(print(4, 0), &gcra, START) == gcra.ticks(START) + gcra.capacity());
    table.give_back(print(4, 0), &gcra, &newcomers, 0, &|| START);
    assert!(take(0, 4).is_err(), "what key 0 had taken was forgotten");
    assert!(take(0, 2).is_ok());
}

#[test]
fn a_reset_key_is_one_that_was_never_seen() {
    let (clock, _time) = Clock::manual();
    let gcra = Gcra::new(quota()).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &gcra);
    let take = |key, cells| table.take(print(key, 0), &gcra, Want::now(START, cells), &clock).0;
    (0..3).for_each(|key| assert!(take(key, 4).is_ok()));
    table.reset(print(0, 0));
    assert!(take(0, 4).is_ok());
    // Once a live key had to go, everybody who is new owes what it did.
    assert!(take(3, 1).is_ok() && take(4, 1).is_ok());
    table.reset(print(0, 0));
    assert!(take(0, 4).is_err());
    assert!(take(0, 3).is_err() && take(0, 2).is_ok());
}

#[test]
fn debts_are_moved_to_another_table_whole() {
    let (clock, _time) = Clock::manual();
    let gcra = Gcra::new(quota()).expect("valid");
    let (table, smaller) = (GcraTable::new(64, 4), GcraTable::new(4, 4));
    table.expect(0, &gcra);
    smaller.expect(0, &gcra);
    for key in 0..9_u8 {
        let print = Print::new((u64::from(key) + 1) << 8, 0);
        assert!(table.take(print, &gcra, Want::now(START, u32::from(key) % 4 + 1), &clock).0.is_ok());
    }
    let mut told = 0;
    table.for_each(gcra.ticks(START), |print, account| {
        smaller.raise(print, account, gcra.ticks(START));
        told += 1;
    });
    assert_eq!(told, 9);
    for key in 0..9_u8 {
        let print = Print::new((u64::from(key) + 1) << 8, 0);
        assert!(smaller.look(print, &gcra, START) >= table.look(print, &gcra, START), "{key}");
    }
    assert_eq!(table.floors(gcra.ticks(START)).count(), 0);
}

/// A quota of eight cells at once, and one of three that takes its place for a while.
fn larger_and_smaller() -> (GcraTable, Gcra, Gcra) {
    let [larger, smaller] = [8, 3].map(|burst| Gcra::new(quota().burst(burst)).expect("valid"));
    let table = GcraTable::new(4, 1);
    table.expect(0, &larger);
    table.expect(0, &smaller);
    (table, larger, smaller)
}

#[test]
fn a_key_that_had_to_go_under_a_smaller_quota_pays_what_a_larger_one_let_it_owe() {
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let (table, larger, smaller) = larger_and_smaller();
    let take = |key, gcra, cells| table.take(print(key, 0), gcra, Want::now(START, cells), &clock).0;
    (0..4).for_each(|key| assert!(take(key, &larger, 8).is_ok()));
    assert!(take(9, &smaller, 1).is_err());
    assert!((0..4).all(|key| take(key, &smaller, 1).is_err()));
    (0..4).for_each(|key| assert!(take(key, &larger, 1).is_err(), "{key} was let through"));
}

#[test]
fn a_clock_that_steps_back_under_a_smaller_quota_forgives_nothing_that_a_larger_one_let_be_owed() {
    let (clock, time) = Clock::manual();
    time.advance_to(START + Duration::from_secs(3_600));
    let (table, larger, smaller) = larger_and_smaller();
    let take = |gcra, cells| table.take(print(0, 0), gcra, Want::now(clock.now(), cells), &clock).0;
    assert!(take(&larger, 8).is_ok());
    time.step_back(Duration::from_secs(3_600));
    assert!(take(&smaller, 1).is_err());
    assert!(take(&larger, 1).is_err());
    time.advance(Duration::from_nanos(800));
    assert!(take(&larger, 8).is_ok());
}

#[test]
fn what_is_carried_in_proportion_is_owed_by_a_key_that_had_to_go() {
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let (table, larger, smaller) = larger_and_smaller();
    let slower = larger.alike(Quota::new(5, Duration::from_micros(1)).burst(3)).expect("valid");
    let take = |key, gcra, cells| table.take(print(key, 0), gcra, Want::now(START, cells), &clock).0;
    (0..4).for_each(|key| assert!(take(key, &larger, 8).is_ok()));
    table.expect(0, &slower);
    let carried = |tat| slower.carry(&larger, tat, Carry::Proportional, START);
    table.carry(larger.ticks(START), |_, tat| carried(tat), carried);
    // Eight cells of 200 ns each.
    assert_eq!(take(9, &smaller, 1), Err(Refused::Later { retry_after: 1_600 - 200 }));
}

#[test]
fn a_key_that_changes_its_class_keeps_its_debt() {
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let gcra = Gcra::new(quota()).expect("valid");
    let larger = gcra.alike(Quota::new(10, Duration::from_micros(1)).burst(6)).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &gcra);
    table.expect(1, &larger);
    assert!(table.take(print(0, 0), &gcra, Want::now(START, 4), &clock).0.is_ok());
    let upgraded = |cells| table.take(print(0, 1), &larger, Want::now(START, cells), &clock).0;
    assert!(upgraded(3).is_err() && upgraded(2).is_ok());
    assert!(!taken(&table, 0, &gcra, START, &clock));
    assert_eq!(table.live(gcra.ticks(START)), 1, "the key has two slots");
}

#[test]
fn a_key_that_had_to_go_and_comes_back_in_another_class_pays_its_longest_debt() {
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let slow = Gcra::new(Quota::per_hour(4)).expect("valid");
    let fast = slow.alike(Quota::per_second(10)).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &slow);
    table.expect(1, &fast);
    let take = |key: u8, class: u8, cells| {
        let gcra = if class == 0 { &slow } else { &fast };
        table.take(print(key, class), gcra, Want::now(clock.now(), cells), &clock).0
    };
    assert!(take(0, 0, 4).is_ok());
    time.advance(Duration::from_secs(1));
    // Others owe more than it does, and it has to go for the first that is let in although that owes too much.
    (1..4).for_each(|key| assert!(take(key, 0, 4).is_ok()));
    assert!(take(9, 1, 1).is_err());
    time.advance(Duration::from_secs(1));
    assert!(take(9, 1, 10).is_ok());
    assert!(take(0, 1, 1).is_err(), "it inherits as any newcomer does");
    time.advance(Duration::from_secs(1));
    assert!(take(0, 1, 1).is_ok());
    assert!(table.look(print(0, 0), &slow, clock.now()) > slow.ticks(clock.now()) + slow.capacity() / 2);
    assert!(take(0, 0, 1).is_err(), "a debt of an hour was forgotten within seconds");
    // In the other class too, now that it has been asked of the key.
    assert!(take(0, 1, 1).is_err());
    time.advance(Duration::from_secs(3_600));
    assert!(take(0, 0, 4).is_ok());
}

#[test]
fn a_key_that_changes_its_class_to_and_fro_pays_its_longest_debt() {
    let (clock, time) = Clock::manual();
    time.advance_to(START);
    let slow = Gcra::new(Quota::per_hour(4)).expect("valid");
    let fast = slow.alike(Quota::per_second(10)).expect("valid");
    let table = GcraTable::new(4, 4);
    table.expect(0, &slow);
    table.expect(1, &fast);
    let take = |class: u8, cells| {
        let gcra = if class == 0 { &slow } else { &fast };
        table.take(print(0, class), gcra, Want::now(clock.now(), cells), &clock).0
    };
    assert!(take(0, 4).is_ok());
    let epoch = table.epoch().read();
    assert_eq!(take(1, 10), Err(Refused::Later { retry_after: 3_600_000_000_000 }));
    assert!(table.epoch().takes(epoch), "receipts of all keys are void");
    time.advance(Duration::from_secs(60));
    assert!(take(0, 1).is_err(), "a debt of an hour was forgotten within a minute");
    assert!(!table.is_ahead_of(table.look(print(0, 1), &fast, clock.now()), &fast, clock.now()));
    time.advance(Duration::from_secs(3_540));
    assert!(take(1, 10).is_ok());
}
