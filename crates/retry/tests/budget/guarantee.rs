//! The bound that is promised, held against nothing but when calls began and extra attempts were paid for.

use std::time::Duration;

use proptest::prelude::*;
use seawall_core::time::Timestamp;
use seawall_retry::Extra;

use super::step::{Plan, Step, forward, plan};
use super::{budget, cases};

/// When things happened, in nanoseconds.
#[derive(Default)]
struct Record {
    calls: Vec<u64>,
    /// Without those that were given back.
    extra: Vec<u64>,
}

/// How many of `times` are in `(from, to]`; all before `to` if there is no `from`.
fn within(times: &[u64], from: Option<u64>, to: u64) -> u128 {
    times.iter().filter(|at| from.is_none_or(|from| **at > from) && **at <= to).count() as u128
}

impl Record {
    /// What may be added in the `ttl` up to `now`, in ten thousandths: `ratio * calls + per_second * ttl`.
    fn allowed(&self, plan: &Plan, paying: Duration, now: u64) -> u128 {
        let calls = within(&self.calls, before(now, paying), now);
        calls * u128::from(plan.ratio) * 10 + u128::from(plan.per_second) * plan.ttl.as_millis()
    }

    fn spent(&self, counting: Duration, now: u64) -> u128 {
        within(&self.extra, before(now, counting), now) * 10_000
    }
}

fn before(now: u64, span: Duration) -> Option<u64> {
    now.checked_sub(span.as_nanos().try_into().expect("a minute"))
}

/// Runs a schedule. At each extra attempt the bound must hold; without cancellations, none may be refused for which even the
/// calls of nine tenths of the `ttl` have paid.
fn run(plan: Plan, steps: &[Step], cancels: bool) -> Result<Record, TestCaseError> {
    let (budget, time) = budget(plan.config());
    let mut record = Record::default();
    let mut out: Vec<(Extra<'_>, u64)> = Vec::new();
    for step in steps {
        let now = time.now().saturating_duration_since(Timestamp::ZERO).as_nanos().try_into().expect("some years");
        match step {
            Step::Calls(number) => (0..*number).for_each(|_| {
                drop(budget.begin());
                record.calls.push(now);
            }),
            Step::Spend(times) => (0..*times).try_for_each(|_| match budget.spend() {
                Some(extra) => {
                    out.push((extra, now));
                    record.extra.push(now);
                    let (spent, allowed) = (record.spent(plan.ttl, now), record.allowed(&plan, plan.ttl, now));
                    prop_assert!(spent <= allowed, "{} of {} ten thousandths", spent, allowed);
                    Ok(())
                }
                None if cancels => Ok(()),
                None => {
                    let ttl = plan.ttl;
                    let (spent, allowed) = (record.spent(ttl * 11 / 10, now), record.allowed(&plan, ttl * 9 / 10, now));
                    prop_assert!(spent + 10_000 > allowed, "refused at {} of {} ten thousandths", spent, allowed);
                    Ok(())
                }
            })?,
            Step::End(which) => {
                if !out.is_empty() {
                    drop(out.swap_remove(which.index(out.len())));
                }
            }
            Step::Cancel(which) => {
                if !out.is_empty() {
                    let (extra, at) = out.swap_remove(which.index(out.len()));
                    extra.cancel();
                    let place = record.extra.iter().position(|spent| *spent == at).expect("it was paid for");
                    record.extra.remove(place);
                }
            }
            _ => step.pass(&plan, &time),
        }
    }
    Ok(record)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_the_ttl_up_to_an_extra_attempt_there_are_no_more_than_the_calls_of_that_time_have_paid_for(
        plan in plan(),
        steps in prop::collection::vec(forward(true), 1..150),
    ) {
        run(plan, &steps, true)?;
    }

    #[test]
    fn none_is_refused_for_which_the_calls_of_nine_tenths_of_the_ttl_have_paid(
        plan in plan(),
        steps in prop::collection::vec(forward(false), 1..150),
    ) {
        run(plan, &steps, false)?;
    }

    /// Any span, of any length, wherever it begins.
    #[test]
    fn over_any_span_there_are_no_more_than_its_calls_and_those_of_the_ttl_before_have_paid_for(
        plan in plan(),
        steps in prop::collection::vec(forward(true), 1..150),
        spans in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 20),
    ) {
        let record = run(plan, &steps, true)?;
        let ttl: u64 = plan.ttl.as_nanos().try_into().expect("a minute");
        let moments: Vec<u64> = record.calls.iter().chain(&record.extra).copied().collect();
        if moments.is_empty() {
            return Ok(());
        }
        for (one, other) in spans {
            let (one, other) = (moments[one.index(moments.len())], moments[other.index(moments.len())]);
            let (from, to) = (one.min(other), one.max(other));
            let extra = within(&record.extra, Some(from), to) * 10_000;
            let free = u128::from(plan.per_second) * plan.ttl.as_millis() * u128::from((to - from) / ttl + 1);
            let paid = within(&record.calls, from.checked_sub(ttl), to) * u128::from(plan.ratio) * 10;
            prop_assert!(extra <= paid + free, "{} of {} + {} in {} ns", extra, paid, free, to - from);
        }
    }
}
