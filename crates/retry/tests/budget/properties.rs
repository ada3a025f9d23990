//! Random schedules, beside reference models.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use seawall_core::Outcome;
use seawall_core::time::{ManualTime, Timestamp};
use seawall_retry::{Deposits, Extra, InFlight, Tokens};

use super::model::Model;
use super::step::{Plan, Step, any_step, plan};
use super::{budget, calls, cases, spend_all};

impl Plan {
    pub(crate) fn config(&self) -> Deposits {
        let (ratio, per_second) = (f64::from(self.ratio) / 1_000.0, f64::from(self.per_second) / 10.0);
        Deposits::default().ratio(ratio).per_second(per_second).ttl(self.ttl)
    }
}

impl Step {
    /// Moves the clock, if that is the step.
    pub(crate) fn pass(&self, plan: &Plan, time: &ManualTime) {
        match self {
            Self::Advance(by) => time.advance(*by),
            Self::TurnBack(by) => time.step_back(*by),
            Self::ToEdge(tenths, before) => {
                let length = plan.ttl.as_nanos() / 10;
                let edge = (u128::from(time.now().as_nanos()) / length + u128::from(*tenths)) * length;
                let at = edge.saturating_sub((*before).into());
                time.advance_to(Timestamp::from_nanos(at.try_into().expect("some years")));
            }
            _ => {}
        }
    }
}

fn since_origin(time: &ManualTime) -> Duration {
    time.now().saturating_duration_since(Timestamp::ZERO)
}

/// One of those that are out.
pub(crate) fn take<'a>(out: &mut Vec<Extra<'a>>, which: Index) -> Option<Extra<'a>> {
    (!out.is_empty()).then(|| out.remove(which.index(out.len())))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_budget_of_deposits_does_what_its_model_does(
        plan in plan(),
        steps in prop::collection::vec(any_step(), 1..150),
    ) {
        let (budget, time) = budget(plan.config());
        let mut model = Model::new(plan);
        let mut out = Vec::new();
        for step in steps {
            let now = since_origin(&time);
            match &step {
                Step::Calls(number) => {
                    calls(&budget, *number);
                    (0..*number).for_each(|_| model.call(now));
                }
                Step::Spend(times) => {
                    for _ in 0..*times {
                        let extra = budget.spend();
                        prop_assert_eq!(extra.is_some(), model.spend(now));
                        out.extend(extra);
                    }
                }
                Step::End(which) => if let Some(extra) = take(&mut out, *which) {
                    drop(extra);
                    model.end();
                },
                Step::Cancel(which) => if let Some(extra) = take(&mut out, *which) {
                    extra.cancel();
                    model.give_back();
                },
                _ => step.pass(&plan, &time),
            }
            let now = since_origin(&time);
            let balance = model.balance(now);
            #[expect(clippy::cast_precision_loss, reason = "both are the nearest to the same number")]
            let expected = balance.max(0) as f64 / 1e4;
            prop_assert_eq!(budget.snapshot().balance, expected);
            prop_assert_eq!(budget.can_spend(), balance >= 10_000);
        }
    }

    #[test]
    fn a_step_back_never_gives_anything(
        plan in plan(),
        steps in prop::collection::vec(any_step(), 1..60),
        back in 0_u64..200_000_000_000,
    ) {
        let (budget, time) = budget(plan.config());
        let mut out = Vec::new();
        for step in &steps {
            match step {
                Step::Calls(number) => calls(&budget, *number),
                Step::Spend(times) => out.extend((0..*times).map_while(|_| budget.spend())),
                Step::End(which) => drop(take(&mut out, *which)),
                Step::Cancel(which) => take(&mut out, *which).into_iter().for_each(Extra::cancel),
                _ => step.pass(&plan, &time),
            }
        }
        calls(&budget, 1);
        let before = budget.snapshot().balance;
        time.step_back(Duration::from_nanos(back));
        let after = u32::try_from(spend_all(&budget).len()).expect("few");
        prop_assert!(f64::from(after) <= before, "{} became {}", before, after);
    }

    /// Said as failsafe-go says it.
    #[test]
    fn a_budget_of_what_runs_refuses_what_is_too_large_a_share(
        share in 0_u64..=1_000,
        floor in 0_u32..6,
        steps in prop::collection::vec((0_u32..4, any::<Index>()), 1..200),
    ) {
        #[expect(clippy::cast_precision_loss, reason = "at most 1000")]
        let config = InFlight::default().share(share as f64 / 1_000.0).floor(floor);
        let (budget, _time) = budget(config);
        let (mut original, mut extra) = (Vec::new(), Vec::new());
        for (what, which) in steps {
            match what {
                0 => original.push(budget.begin()),
                1 if !original.is_empty() => drop(original.swap_remove(which.index(original.len()))),
                2 => drop(take(&mut extra, which)),
                _ => {
                    let (running, all) = (extra.len() as u64, (extra.len() + original.len()) as u64);
                    let refused = running >= u64::from(floor) && running * 1_000 > share * all;
                    let got = budget.spend();
                    prop_assert_eq!(got.is_none(), refused, "{} of {} run", running, all);
                    extra.extend(got);
                }
            }
            let snapshot = budget.snapshot();
            let seen = (snapshot.in_flight, snapshot.extra_in_flight);
            prop_assert_eq!(seen, (original.len() as u64, extra.len() as u64));
        }
    }

    #[test]
    fn tokens_are_all_failures_and_successes_one_after_the_other(
        max in 1_u32..20,
        ratio in 1_u32..3_000,
        good in prop::collection::vec(any::<bool>(), 1..100),
    ) {
        let (budget, _time) = budget(Tokens::default().max(max).ratio(f64::from(ratio) / 1_000.0));
        let mut tokens = max * 1_000;
        for good in good {
            budget.record(if good { Outcome::Success } else { Outcome::Failure });
            tokens = if good { (tokens + ratio).min(max * 1_000) } else { tokens.saturating_sub(1_000) };
            prop_assert_eq!(budget.snapshot().balance, f64::from(tokens) / 1_000.0);
            prop_assert_eq!(budget.spend().is_some(), 2 * tokens > max * 1_000);
        }
    }
}
