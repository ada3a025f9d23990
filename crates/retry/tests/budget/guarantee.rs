//! The bound that is promised, held against nothing but when calls began and extra attempts were paid for.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use seawall_core::time::ManualTime;
use seawall_retry::{Budget, Extra};

use super::step::{Plan, Step, forward, plan};
use super::{budget, calls, cases};

/// When things happened, in nanoseconds.
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

    fn spent(&self, since: Option<u64>, now: u64) -> u128 {
        within(&self.extra, since, now) * 10_000
    }
}

fn nanos(span: Duration) -> u64 {
    span.as_nanos().try_into().expect("some years")
}

fn before(now: u64, span: Duration) -> Option<u64> {
    now.checked_sub(nanos(span))
}

/// A budget, and what was done with it.
struct Run<'a> {
    budget: &'a Budget,
    time: &'a ManualTime,
    plan: Plan,
    record: Record,
    out: Vec<(Extra<'a>, u64)>,
    /// What was before may have been forgotten under another plan.
    known_since: Option<u64>,
    /// Whether nothing was given back, and no call dated by another plan.
    is_plain: bool,
}

impl<'a> Run<'a> {
    const fn new(budget: &'a Budget, time: &'a ManualTime, plan: Plan) -> Self {
        let record = Record { calls: Vec::new(), extra: Vec::new() };
        Self { budget, time, plan, record, out: Vec::new(), known_since: None, is_plain: true }
    }

    fn now(&self) -> u64 {
        self.time.now().as_nanos()
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), TestCaseError> {
        for step in steps {
            match step {
                Step::Calls(number) => {
                    calls(self.budget, *number);
                    self.record.calls.extend(vec![self.now(); *number]);
                }
                Step::Spend(times) => (0..*times).try_for_each(|_| self.spend())?,
                Step::End(which) if !self.out.is_empty() => {
                    drop(self.out.swap_remove(which.index(self.out.len())));
                }
                Step::Cancel(which) if !self.out.is_empty() => {
                    let (extra, at) = self.out.swap_remove(which.index(self.out.len()));
                    extra.cancel();
                    let place = self.record.extra.iter().position(|spent| *spent == at).expect("it was paid for");
                    self.record.extra.remove(place);
                    self.is_plain = false;
                }
                _ => step.pass(&self.plan, self.time),
            }
        }
        Ok(())
    }

    /// An extra attempt keeps to the bound; and none is refused for which even the calls of nine tenths of the `ttl` have paid.
    fn spend(&mut self) -> Result<(), TestCaseError> {
        let (now, plan) = (self.now(), self.plan);
        if let Some(extra) = self.budget.spend() {
            self.out.push((extra, now));
            self.record.extra.push(now);
            let since = before(now, plan.ttl).max(self.known_since);
            let (spent, allowed) = (self.record.spent(since, now), self.record.allowed(&plan, plan.ttl, now));
            prop_assert!(spent <= allowed, "{} of {} ten thousandths", spent, allowed);
        } else if self.is_plain {
            let spent = self.record.spent(before(now, plan.ttl * 11 / 10), now);
            let allowed = self.record.allowed(&plan, plan.ttl * 9 / 10, now);
            prop_assert!(spent + 10_000 > allowed, "refused at {} of {} ten thousandths", spent, allowed);
        }
        Ok(())
    }

    fn reconfigure(&mut self, plan: Plan) {
        self.budget.reconfigure(plan.config()).expect("valid");
        self.known_since = self.known_since.max(before(self.now(), self.plan.ttl));
        self.plan = plan;
        self.is_plain = false;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_the_ttl_up_to_an_extra_attempt_there_are_no_more_than_the_calls_of_that_time_have_paid_for(
        plan in plan(),
        steps in prop::collection::vec(forward(true), 1..150),
    ) {
        let (budget, time) = budget(plan.config());
        Run::new(&budget, &time, plan).steps(&steps)?;
    }

    #[test]
    fn none_is_refused_for_which_the_calls_of_nine_tenths_of_the_ttl_have_paid(
        plan in plan(),
        steps in prop::collection::vec(forward(false), 1..150),
    ) {
        let (budget, time) = budget(plan.config());
        Run::new(&budget, &time, plan).steps(&steps)?;
    }

    #[test]
    fn another_configuration_keeps_to_its_own_bound_with_what_it_takes_over(
        plan in plan(),
        steps in prop::collection::vec(forward(true), 1..60),
        others in prop::collection::vec((super::step::plan(), prop::collection::vec(forward(true), 1..60)), 1..4),
    ) {
        let (budget, time) = budget(plan.config());
        let mut run = Run::new(&budget, &time, plan);
        run.steps(&steps)?;
        for (plan, steps) in others {
            run.reconfigure(plan);
            run.steps(&steps)?;
        }
    }

    /// Any span, of any length, wherever it begins.
    #[test]
    fn over_any_span_there_are_no_more_than_its_calls_and_those_of_the_ttl_before_have_paid_for(
        plan in plan(),
        steps in prop::collection::vec(forward(true), 1..150),
        spans in prop::collection::vec((any::<Index>(), any::<Index>()), 20),
    ) {
        let (budget, time) = budget(plan.config());
        let mut run = Run::new(&budget, &time, plan);
        run.steps(&steps)?;
        let Record { calls, extra } = &run.record;
        let moments: Vec<u64> = calls.iter().chain(extra).copied().collect();
        if moments.is_empty() {
            return Ok(());
        }
        for (one, other) in spans {
            let (one, other) = (moments[one.index(moments.len())], moments[other.index(moments.len())]);
            let (from, to) = (one.min(other), one.max(other));
            let added = within(extra, Some(from), to) * 10_000;
            let spans = u128::from((to - from) / nanos(plan.ttl) + 1);
            let free = u128::from(plan.per_second) * plan.ttl.as_millis() * spans;
            let paid = within(calls, before(from, plan.ttl), to) * u128::from(plan.ratio) * 10;
            prop_assert!(added <= paid + free, "{} of {} + {} in {} ns", added, paid, free, to - from);
        }
    }
}
