use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};
use seawall_core::Deadline;
use seawall_core::time::{Now, Sleep, Timestamp};

use super::config::HedgeSettings;
use super::event::HedgeEvent;
use super::{Hedge, Won};
use crate::verdict::Judge;

/// What came of the wish for a further attempt.
pub(crate) enum Launched<F> {
    Attempt(F),
    /// The call must not be made again.
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only requests can refuse to be copied"))]
    Never,
}

/// The attempts of one call: the first in place, the others boxed when they begin.
#[pin_project(PinnedDrop)]
pub(crate) struct Race<H: AsRef<Hedge>, F: Future> {
    hedge: H,
    #[pin]
    first: Option<F>,
    /// What the first attempt gave, if it was not good.
    fallback: Option<F::Output>,
    others: Vec<Pin<Box<F>>>,
    /// Attempts that were begun beside the first.
    hedges: u32,
    /// Whether another one may begin: until the call must not be made again, or nobody pays.
    open: bool,
    started: Timestamp,
    /// When the next hedge is due.
    due: Timestamp,
    deadline: Option<Timestamp>,
    #[pin]
    alarm: Option<Sleep>,
    /// By what this call is paid for; kept, because it must be given back to the same budget.
    paying: Option<Arc<HedgeSettings>>,
    ended: bool,
}

impl<H: AsRef<Hedge>, F: Future> Race<H, F> {
    /// A call whose first attempt begins.
    pub(crate) fn begin(hedge: H, first: F, deadline: Option<Deadline>) -> Self {
        let inner = &*hedge.as_ref().inner;
        let now = Now::new(Some(&inner.clock));
        let started = now.get();
        let (open, due) = match hedge.as_ref().delay() {
            Some(delay) => (true, started + delay),
            None => (false, Timestamp::NEVER),
        };
        let settings = inner.settings();
        let paying = settings.paid.budget.is_some().then_some(settings);
        if let Some(budget) = paying.as_ref().and_then(|settings| settings.paid.budget.as_ref()) {
            budget.enter(&now);
        }
        Self {
            first: Some(first),
            fallback: None,
            others: Vec::new(),
            hedges: 0,
            open,
            started,
            due,
            deadline: deadline.map(Deadline::time),
            alarm: None,
            paying,
            ended: false,
            hedge,
        }
    }

    pub(crate) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut launch: impl FnMut(u32) -> Launched<F>,
        judge: &impl Judge<F::Output>,
    ) -> Poll<F::Output> {
        let mut this = self.project();
        let inner = &*this.hedge.as_ref().inner;
        let budget = this.paying.as_ref().and_then(|settings| settings.paid.budget.as_ref());
        // An attempt that fails brings the next one at once.
        let mut hurry = false;
        if let Some(first) = this.first.as_mut().as_pin_mut()
            && let Poll::Ready(result) = first.poll(cx)
        {
            this.first.set(None);
            let verdict = judge.judge(&result);
            if inner.observes() {
                let took = inner.clock.now().saturating_duration_since(*this.started);
                if !verdict.wants_another() || this.hedge.as_ref().delay().is_some_and(|delay| took > delay) {
                    inner.observe(took);
                }
            }
            if let Some(budget) = budget {
                budget.judged(verdict.is_good());
            }
            if !verdict.wants_another() {
                *this.ended = true;
                inner.count(Won::First);
                give_up(this.others, budget);
                return Poll::Ready(result);
            }
            *this.fallback = Some(result);
            hurry = true;
        }
        // Those that were not polled since they began, or since they were woken.
        let mut next = 0;
        loop {
            while let Some(attempt) = this.others.get_mut(next) {
                let Poll::Ready(result) = attempt.as_mut().poll(cx) else {
                    next += 1;
                    continue;
                };
                this.others.remove(next);
                let verdict = judge.judge(&result);
                if let Some(budget) = budget {
                    budget.judged(verdict.is_good());
                    budget.give_back(true);
                }
                if !verdict.wants_another() {
                    *this.ended = true;
                    inner.count(Won::Hedge);
                    give_up(this.others, budget);
                    if this.first.is_some() {
                        this.first.set(None);
                        if inner.observes() {
                            // It would have taken at least so long.
                            inner.observe(inner.clock.now().saturating_duration_since(*this.started));
                        }
                    }
                    return Poll::Ready(result);
                }
                hurry = true;
            }
            if *this.open {
                let now = Now::new(Some(&inner.clock));
                let begin = if hurry { now.get() } else { *this.due };
                if this.deadline.is_some_and(|deadline| begin >= deadline) {
                    *this.open = false;
                } else if begin <= now.get() {
                    hurry = false;
                    let settings = inner.settings();
                    if *this.hedges >= settings.max_hedges {
                        *this.open = false;
                        continue;
                    }
                    if budget.is_some_and(|budget| !budget.try_spend(&now)) {
                        *this.open = false;
                        inner.tell(&settings, HedgeEvent::OutOfBudget { name: settings.name });
                        continue;
                    }
                    match launch(*this.hedges + 2) {
                        Launched::Attempt(attempt) => {
                            *this.hedges += 1;
                            this.others.push(Box::pin(attempt));
                            *this.due = now.get() + this.hedge.as_ref().delay().unwrap_or_default();
                            this.alarm.set(None);
                            inner.tell(&settings, HedgeEvent::Hedged { name: settings.name, hedge: *this.hedges });
                        }
                        Launched::Never => {
                            *this.open = false;
                            if let Some(budget) = budget {
                                budget.give_back(false);
                            }
                        }
                    }
                    continue;
                }
            }
            break;
        }
        if this.first.is_none() && this.others.is_empty() && !*this.open {
            *this.ended = true;
            inner.count(Won::None);
            return Poll::Ready(this.fallback.take().expect("the first attempt has ended"));
        }
        if *this.open {
            if this.alarm.is_none() {
                this.alarm.set(Some(inner.clock.sleep_until(*this.due)));
            }
            if let Some(alarm) = this.alarm.as_mut().as_pin_mut()
                && alarm.poll(cx).is_ready()
            {
                // It is due now: the next look begins it.
                this.alarm.set(None);
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }
}

/// Drops the attempts that are not needed any more.
fn give_up<F>(others: &mut Vec<Pin<Box<F>>>, budget: Option<&crate::budget::Budget>) {
    if let Some(budget) = budget {
        others.iter().for_each(|_| budget.give_back(true));
    }
    others.clear();
}

#[pinned_drop]
impl<H: AsRef<Hedge>, F: Future> PinnedDrop for Race<H, F> {
    fn drop(self: Pin<&mut Self>) {
        let this = self.project();
        let budget = this.paying.as_ref().and_then(|settings| settings.paid.budget.as_ref());
        give_up(this.others, budget);
        if let Some(budget) = budget {
            budget.leave();
        }
        if !*this.ended {
            this.hedge.as_ref().inner.lanes.lane().count(|lane| &lane.abandoned);
        }
    }
}
