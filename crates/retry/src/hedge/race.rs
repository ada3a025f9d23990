use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::{pin_project, pinned_drop};
use seawall_core::Deadline;
use seawall_core::time::{Now, Sleep, Timestamp};

use super::event::HedgeEvent;
use super::{Hedge, Won};
use crate::budget::Budget;
use crate::retry::account::Payer;
use crate::verdict::Judge;

/// What came of the wish for a further attempt.
pub(crate) enum Launched<F> {
    Attempt(F),
    /// The call must not be made again.
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only requests can refuse to be copied"))]
    Never,
}

/// The attempts of one call: the first in place, the others boxed when they begin.
#[pin_project(PinnedDrop, project = Racing)]
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
    payer: Payer,
    ended: bool,
}

impl<H: AsRef<Hedge>, F: Future> Race<H, F> {
    /// A call whose first attempt begins.
    #[inline]
    pub(crate) fn begin(hedge: H, first: F, deadline: Option<Deadline>) -> Self {
        let inner = &*hedge.as_ref().inner;
        let now = Now::new(Some(&inner.clock));
        let started = now.get();
        let (open, due) = match hedge.as_ref().delay() {
            Some(delay) => (true, started + delay),
            None => (false, Timestamp::NEVER),
        };
        let payer = inner.account.payer(|| inner.settings.read().paid.budget.clone());
        if let Some(budget) = payer.budget(&inner.account) {
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
            payer,
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
        // An attempt that fails brings the next one at once.
        let mut hurry = false;
        match this.poll_first(cx, judge) {
            ControlFlow::Break(answer) => return Poll::Ready(answer),
            ControlFlow::Continue(failed) => hurry |= failed,
        }
        let mut next = 0;
        loop {
            // Those that were not polled since this began, or since they did.
            while next < this.others.len() {
                match this.poll_other(next, cx, judge) {
                    Poll::Pending => next += 1,
                    Poll::Ready(ControlFlow::Break(answer)) => return Poll::Ready(answer),
                    Poll::Ready(ControlFlow::Continue(())) => hurry = true,
                }
            }
            if !this.launch_if_due(hurry, &mut launch) {
                break;
            }
            hurry = false;
        }
        if this.first.is_none() && this.others.is_empty() && !*this.open {
            *this.ended = true;
            this.hedge.as_ref().inner.count(Won::None);
            return Poll::Ready(this.fallback.take().expect("the first attempt has ended"));
        }
        this.set_alarm(cx);
        Poll::Pending
    }
}

impl<H: AsRef<Hedge>, F: Future> Racing<'_, H, F> {
    fn budget(&self) -> Option<&Budget> {
        self.payer.budget(&self.hedge.as_ref().inner.account)
    }

    fn ran_for(&self) -> Duration {
        self.hedge.as_ref().inner.clock.now().saturating_duration_since(*self.started)
    }

    /// Tells the first attempt's answer, or whether it has just failed.
    fn poll_first(&mut self, cx: &mut Context<'_>, judge: &impl Judge<F::Output>) -> ControlFlow<F::Output, bool> {
        let polled = self.first.as_mut().as_pin_mut().map(|first| first.poll(cx));
        let Some(Poll::Ready(result)) = polled else {
            return ControlFlow::Continue(false);
        };
        self.first.set(None);
        let verdict = judge.judge(&result);
        let inner = &*self.hedge.as_ref().inner;
        if inner.measured.observes() {
            let took = self.ran_for();
            if !verdict.wants_another() || self.hedge.as_ref().delay().is_some_and(|delay| took > delay) {
                inner.measured.observe(took);
            }
        }
        if let Some(budget) = self.budget() {
            budget.judged(verdict.is_good());
        }
        if verdict.wants_another() {
            *self.fallback = Some(result);
            return ControlFlow::Continue(true);
        }
        *self.ended = true;
        inner.count(Won::First);
        self.drop_others();
        ControlFlow::Break(result)
    }

    /// Tells the answer of the attempt at `place`, or that it has just failed and is gone.
    fn poll_other(
        &mut self,
        place: usize,
        cx: &mut Context<'_>,
        judge: &impl Judge<F::Output>,
    ) -> Poll<ControlFlow<F::Output>> {
        let result = ready!(self.others[place].as_mut().poll(cx));
        drop(self.others.remove(place));
        let verdict = judge.judge(&result);
        if let Some(budget) = self.budget() {
            budget.judged(verdict.is_good());
            budget.give_back(true);
        }
        if verdict.wants_another() {
            return Poll::Ready(ControlFlow::Continue(()));
        }
        *self.ended = true;
        self.hedge.as_ref().inner.count(Won::Hedge);
        self.drop_others();
        if self.first.is_some() {
            self.first.set(None);
            let inner = &*self.hedge.as_ref().inner;
            if inner.measured.observes() {
                // It would have taken at least so long.
                inner.measured.observe(self.ran_for());
            }
        }
        Poll::Ready(ControlFlow::Break(result))
    }

    /// Begins a further attempt if one is due, or wanted at once. Tells whether there is reason to look again.
    fn launch_if_due(&mut self, hurry: bool, launch: &mut impl FnMut(u32) -> Launched<F>) -> bool {
        if !*self.open {
            return false;
        }
        let hedge = self.hedge.as_ref();
        let inner = &*hedge.inner;
        let now = Now::new(Some(&inner.clock));
        let begin = if hurry { now.get() } else { *self.due };
        if self.deadline.is_some_and(|deadline| begin >= deadline) {
            *self.open = false;
            return false;
        }
        if begin > now.get() {
            return false;
        }
        let settings = inner.settings();
        if *self.hedges >= settings.max_hedges {
            *self.open = false;
            return false;
        }
        let budget = self.payer.budget(&inner.account);
        if budget.is_some_and(|budget| !budget.try_spend(&now)) {
            *self.open = false;
            inner.tell(&settings, HedgeEvent::OutOfBudget { name: settings.name });
            return false;
        }
        match launch(*self.hedges + 2) {
            Launched::Attempt(attempt) => {
                *self.hedges += 1;
                self.others.push(Box::pin(attempt));
                *self.due = now.get() + hedge.delay().unwrap_or_default();
                self.alarm.set(None);
                inner.tell(&settings, HedgeEvent::Hedged { name: settings.name, hedge: *self.hedges });
                true
            }
            Launched::Never => {
                *self.open = false;
                if let Some(budget) = budget {
                    budget.give_back(false);
                }
                false
            }
        }
    }

    /// Has `cx` woken when the next hedge is due.
    fn set_alarm(&mut self, cx: &mut Context<'_>) {
        if !*self.open {
            return;
        }
        if self.alarm.is_none() {
            let alarm = self.hedge.as_ref().inner.clock.sleep_until(*self.due);
            self.alarm.set(Some(alarm));
        }
        let due = self.alarm.as_mut().as_pin_mut().is_some_and(|alarm| alarm.poll(cx).is_ready());
        if due {
            // It has become so since the last look: the next one begins it.
            self.alarm.set(None);
            cx.waker().wake_by_ref();
        }
    }

    /// Drops the attempts that are not needed any more.
    fn drop_others(&mut self) {
        if let Some(budget) = self.budget() {
            for _ in &**self.others {
                budget.give_back(true);
            }
        }
        self.others.clear();
    }
}

#[pinned_drop]
impl<H: AsRef<Hedge>, F: Future> PinnedDrop for Race<H, F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.drop_others();
        if let Some(budget) = this.budget() {
            budget.leave();
        }
        if !*this.ended {
            this.hedge.as_ref().inner.lanes.lane().count(|lane| &lane.abandoned);
        }
    }
}
