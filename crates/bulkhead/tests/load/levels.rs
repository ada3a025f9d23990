//! The pure state machine, against a model that is obviously right.

use std::time::Duration;

use proptest::prelude::*;
use seawall_bulkhead::load::{Hysteresis, Level, Levels};
use seawall_core::time::Timestamp;

use crate::support::{MS, SECOND};

/// All loads and thresholds are whole 64ths, which binary fractions hold exactly.
const WHOLE: u32 = 64;

fn part(parts: u32) -> f64 {
    f64::from(parts) / f64::from(WHOLE)
}

/// The rules as they are written, on integers, with the whole history.
struct Model {
    elevated: u32,
    critical: u32,
    margin: u32,
    dwell: u64,
    rise_dwell: u64,
    /// When each level was entered, in milliseconds; the first entry is the beginning.
    history: Vec<(u64, u8)>,
}

impl Model {
    fn level(&self) -> u8 {
        self.history.last().expect("it begins with one").1
    }

    fn observe(&mut self, load: u32, now: u64) {
        let level = self.level();
        let belongs = u8::from(load >= self.elevated) + u8::from(load > self.critical);
        let leaves = match level {
            0 => false,
            1 => load + self.margin < self.elevated,
            _ => load + self.margin < self.critical,
        };
        let (to, dwell) = if belongs > level {
            (belongs, self.rise_dwell)
        } else if leaves {
            (level - 1, self.dwell)
        } else {
            return;
        };
        let settled = self.history.len() == 1 || now - self.history[self.history.len() - 1].0 >= dwell;
        if settled {
            self.history.push((now, to));
        }
    }
}

fn at(ms: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_millis(ms)
}

fn thresholds() -> impl Strategy<Value = (u32, u32, u32)> {
    (1..WHOLE - 1).prop_flat_map(|elevated| (Just(elevated), elevated + 1..WHOLE, 0..elevated))
}

/// Loads and the milliseconds before each: much that is near a threshold, and times near the dwell time.
fn loads() -> impl Strategy<Value = Vec<(u32, u64)>> {
    proptest::collection::vec((0..=WHOLE, prop_oneof![0..50_u64, 900..1_100_u64]), 1..200)
}

fn machine((elevated, critical, margin): (u32, u32, u32), dwell: u64, rise: Option<u64>) -> (Levels, Model) {
    let hysteresis = Hysteresis::default()
        .elevated(part(elevated))
        .critical(part(critical))
        .margin(part(margin))
        .dwell(Duration::from_millis(dwell));
    let hysteresis = match rise {
        Some(rise) => hysteresis.rise_dwell(Duration::from_millis(rise)),
        None => hysteresis,
    };
    let levels = Levels::new(hysteresis, at(0)).expect("in order");
    let rise_dwell = rise.unwrap_or(dwell);
    (levels, Model { elevated, critical, margin, dwell, rise_dwell, history: vec![(0, 0)] })
}

proptest! {
    #[test]
    fn it_is_at_the_level_at_which_the_rules_have_it(
        thresholds in thresholds(),
        dwell in 0..2_000_u64,
        rise in proptest::option::of(0..=1_000_u64),
        loads in loads(),
    ) {
        let (mut levels, mut model) = machine(thresholds, dwell, rise.map(|rise| rise.min(dwell)));
        let mut now = 0;
        for (load, after) in loads {
            now += after;
            let before = model.history.len();
            let from = Level::ALL[usize::from(model.level())];
            let left = levels.observe(part(load), at(now));
            model.observe(load, now);
            prop_assert_eq!(left, (model.history.len() > before).then_some(from));
            prop_assert_eq!(levels.level(), Level::ALL[usize::from(model.level())]);
            prop_assert_eq!(levels.changes(), model.history.len() as u64 - 1);
            prop_assert_eq!(levels.since(), at(model.history.last().expect("it begins with one").0));
        }
    }

    #[test]
    fn it_changes_at_most_once_per_dwell_time_whatever_the_load_does(
        thresholds in thresholds(),
        dwell in 1..2_000_u64,
        loads in loads(),
    ) {
        let (mut levels, _) = machine(thresholds, dwell, None);
        let (mut now, mut changed) = (0, None);
        for (load, after) in loads {
            now += after;
            let Some(from) = levels.observe(part(load), at(now)) else { continue };
            prop_assert!(changed.is_none_or(|last| now - last >= dwell), "{changed:?}, then {now}");
            changed = Some(now);
            prop_assert!(levels.level() > from || levels.level() == from.below(), "it fell by more than a step");
        }
    }

    #[test]
    fn it_is_normal_after_two_dwell_times_of_a_low_load(
        thresholds in thresholds(),
        dwell in 1..2_000_u64,
        loads in loads(),
    ) {
        let (mut levels, _) = machine(thresholds, dwell, None);
        let mut now = 0;
        for (load, after) in loads {
            now += after;
            levels.observe(part(load), at(now));
        }
        // Below what leaves the elevated level, which is below what leaves the critical one.
        let low = part(thresholds.0 - thresholds.2 - 1);
        for later in [dwell, 2 * dwell] {
            levels.observe(low, at(now + later));
        }
        prop_assert_eq!(levels.level(), Level::Normal);
    }

    #[test]
    fn a_clock_that_steps_back_holds_a_level_for_a_dwell_time_at_most(
        back in 0..2_000_u64,
        low in 0..3_000_u64,
    ) {
        let mut levels = Levels::new(Hysteresis::default().dwell(SECOND), at(2_000)).expect("valid");
        levels.observe(0.9, at(2_000));
        levels.observe(0.9, at(2_000 - back));
        levels.observe(0.1, at(2_000 - back + low));
        prop_assert_eq!(levels.level() == Level::Normal, low >= 1_000);
    }
}

#[test]
fn a_level_begins_where_it_is_written() {
    let after = |load: f64| {
        let mut levels = Levels::new(Hysteresis::default(), at(0)).expect("valid");
        levels.observe(load, at(0));
        levels.level()
    };
    assert_eq!(after(0.80_f64.next_down()), Level::Normal);
    assert_eq!(after(0.80), Level::Elevated);
    assert_eq!(after(0.95), Level::Elevated);
    assert_eq!(after(0.95_f64.next_up()), Level::Critical);
    assert_eq!(after(f64::NAN), Level::Normal);
}

#[test]
fn a_level_is_left_below_the_margin_and_not_at_it() {
    let left = |rise: f64, load: f64| {
        let mut levels = Levels::new(Hysteresis::default(), at(0)).expect("valid");
        levels.observe(rise, at(0));
        levels.observe(load, at(60_000)).is_some()
    };
    assert!(!left(0.85, 0.75) && left(0.85, 0.749));
    assert!(!left(1.0, 0.90) && left(1.0, 0.899));
    assert!(!left(1.0, f64::NAN));
}

#[test]
fn a_shorter_dwell_for_rises_holds_for_rises_alone() {
    let mut levels = Levels::new(Hysteresis::default().rise_dwell(100 * MS), at(0)).expect("valid");
    levels.observe(0.85, at(0));
    assert_eq!(levels.observe(1.0, at(99)), None);
    assert_eq!(levels.observe(1.0, at(100)), Some(Level::Elevated));
    assert_eq!(levels.observe(0.0, at(5_099)), None);
    assert_eq!(levels.observe(0.0, at(5_100)), Some(Level::Critical));
    assert_eq!(levels.observe(1.0, at(5_200)), Some(Level::Elevated));
}

#[test]
fn another_hysteresis_keeps_the_level_and_its_age() {
    let mut levels = Levels::new(Hysteresis::default(), at(0)).expect("valid");
    levels.observe(0.85, at(1_000));
    levels.reconfigure(Hysteresis::default().margin(0.9)).expect_err("above the threshold");
    levels.reconfigure(Hysteresis::default().dwell(2 * SECOND)).expect("valid");
    assert_eq!((levels.level(), levels.since(), levels.falls_at()), (Level::Elevated, at(1_000), at(3_000)));
    assert_eq!(levels.observe(0.1, at(3_000)), Some(Level::Elevated));
}
