//! Making a call again.

#![expect(
    clippy::inline_always,
    reason = "a call that is built where it is awaited is not moved, and most of its parts never reach memory"
)]

pub(crate) mod account;
mod config;
mod event;
mod limit;
mod run;
mod snapshot;
mod state;
#[cfg(feature = "tower")]
pub(crate) mod tower;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_core::random::Random;
use seawall_core::stripe::{self, Striped, Tally};
use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{ConfigError, Deadline, Name, Shared};

pub use config::Config;
pub use event::{Event, Reason};
pub use run::Attempt;
pub use snapshot::{Snapshot, Total};

use crate::budget::Budget;
use crate::verdict::Verdict;
use account::{Account, Payer};
use config::Settings;
use limit::{Limit, Whose};
use state::{Course, Next};

/// Makes a call again when its result asks for that: a handle, cheap to clone and shared by all clones.
///
/// [`run`](Self::run) makes one call; [`layer`](Self::layer) (feature `tower`) makes a service's calls again.
///
/// ```
/// use seawall_retry::{Config, Retry};
/// use std::time::Duration;
///
/// # async fn charge() -> Result<u32, std::io::Error> { Ok(7) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let retry = Retry::new(Config::default().name("payment").max_attempts(3))?;
/// let receipt = retry.run(|_attempt| charge()).await??;
/// # assert_eq!(receipt, 7);
/// # Ok(())
/// # }
/// ```
///
/// # What a call costs
/// One whose first attempt is good takes no lock and allocates nothing. It reads the clock if it has a time limit or a budget. Once
/// the instance was [reconfigured](Self::reconfigure) to pay from something else than at first, a call that pays takes a lock
/// for a moment, which it shares with all other calls.
#[derive(Clone)]
pub struct Retry {
    /// Its clones count on lines of their threads' own, so that services which are cloned for each call do not meet.
    inner: Shared<Inner>,
}

struct Inner {
    clock: Clock,
    name: Name,
    /// [`Config::within`] in nanoseconds, or all ones.
    within: AtomicU64,
    /// [`Config::attempt_timeout`] in nanoseconds, or all ones.
    attempt_timeout: AtomicU64,
    /// [`Config::max_attempts`].
    max_attempts: AtomicU64,
    account: Account,
    /// Read when an attempt was not good, or a call is paid for from another budget than the first.
    settings: RwLock<Arc<Settings>>,
    random: Mutex<Random>,
    lanes: Striped<Counts>,
}

/// What each thread counts for itself.
#[derive(Debug, Default)]
struct Counts {
    first_good: Tally,
    ended: [Tally; Reason::ALL.len()],
    retries: Tally,
    abandoned: Tally,
}

const NONE: u64 = u64::MAX;

impl Retry {
    /// A new instance on the [system clock](Clock::system).
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_clock(config, Clock::system())
    }

    /// A new instance whose time is that of `clock`.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn with_clock(config: Config, clock: Clock) -> Result<Self, ConfigError> {
        Self::seeded(config, clock, Random::unforeseen())
    }

    /// The same with waits that can be foretold.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn seeded(config: Config, clock: Clock, random: Random) -> Result<Self, ConfigError> {
        let settings = Settings::new(config, &clock, None)?;
        let inner = Inner {
            clock,
            name: settings.name,
            within: AtomicU64::new(NONE),
            attempt_timeout: AtomicU64::new(NONE),
            max_attempts: AtomicU64::new(0),
            account: Account::new(settings.paid.budget.clone()),
            settings: RwLock::new(Arc::new(settings)),
            random: Mutex::new(random),
            lanes: Striped::new(stripe::seats()),
        };
        inner.publish();
        Ok(Self { inner: Shared::from_policy(inner) })
    }

    /// Takes over `config`, at once and for all handles. Calls that are out go on by it from their next attempt; their deadline
    /// stays.
    ///
    /// # Errors
    /// Names the first field whose value cannot be, or the name if it is another; then nothing has changed.
    pub fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        let settings = Settings::new(config, &self.inner.clock, Some(&self.inner.settings()))?;
        if settings.name != self.inner.name {
            let valid = format!("{:?}: a running instance keeps its name", self.inner.name);
            return Err(ConfigError::new("name", format!("{:?}", settings.name), valid));
        }
        *self.inner.settings.write() = Arc::new(settings);
        self.inner.publish();
        Ok(())
    }

    /// Whose calls these are.
    pub fn name(&self) -> Name {
        self.inner.name
    }

    /// What was counted since it was made.
    pub fn snapshot(&self) -> Snapshot {
        let sum = |part: fn(&Counts) -> &Tally| self.inner.lanes.iter().map(|lane| part(lane).get()).sum::<u64>();
        let ended = |reason: Reason| self.inner.lanes.iter().map(|lane| lane.ended[reason as usize].get()).sum::<u64>();
        let first_good = sum(|lane| &lane.first_good);
        Snapshot {
            name: self.inner.name,
            max_attempts: self.inner.settings.read().max_attempts,
            total: Total {
                first_good,
                later_good: ended(Reason::Good),
                not_retryable: ended(Reason::Final),
                exhausted: ended(Reason::Exhausted),
                out_of_budget: ended(Reason::Budget),
                deadline: ended(Reason::Deadline),
                hint: ended(Reason::Hint),
                abandoned: sum(|lane| &lane.abandoned),
                retries: sum(|lane| &lane.retries),
            },
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }
}

impl Inner {
    /// Makes what every call needs readable without the lock.
    fn publish(&self) {
        let settings = self.settings.read();
        let nanos = |span: Option<Duration>| span.map_or(NONE, |span| u64::try_from(span.as_nanos()).unwrap_or(NONE));
        self.within.store(nanos(settings.within), Ordering::Release);
        self.attempt_timeout.store(nanos(settings.attempt_timeout), Ordering::Release);
        self.max_attempts.store(settings.max_attempts.into(), Ordering::Release);
        self.account.publish(settings.paid.budget.as_ref(), settings.pays_as_at_first);
    }

    fn settings(&self) -> Arc<Settings> {
        self.settings.read().clone()
    }

    /// Whether calls have a time limit without bringing one.
    #[inline]
    fn is_limited(&self) -> bool {
        self.within.load(Ordering::Acquire) != NONE || self.attempt_timeout.load(Ordering::Acquire) != NONE
    }

    /// When a call that begins at `now` must have ended, and its first attempt.
    #[inline(never)]
    fn limits(&self, deadline: Option<Deadline>, now: Timestamp) -> (Option<Timestamp>, Option<Limit>) {
        let deadline = match self.within.load(Ordering::Acquire) {
            NONE => deadline,
            nanos => Some(Deadline::at(now + Duration::from_nanos(nanos)).earlier(deadline)),
        };
        let deadline = deadline.map(Deadline::time);
        (deadline, self.limit(deadline, now))
    }

    /// When an attempt that begins at `now` must have ended, of a call that ends at `deadline`.
    fn limit(&self, deadline: Option<Timestamp>, now: Timestamp) -> Option<Limit> {
        let own = match self.attempt_timeout.load(Ordering::Acquire) {
            NONE => None,
            nanos => Some(now + Duration::from_nanos(nanos)),
        };
        let (at, whose) = match (own, deadline) {
            (None, None) => return None,
            (Some(own), Some(deadline)) if deadline <= own => (deadline, Whose::Call),
            (Some(own), _) => (own, Whose::Attempt),
            (None, Some(deadline)) => (deadline, Whose::Call),
        };
        Some(Limit { started: now, at, whose })
    }
}

/// How far a call has come that is being made. As wide as its neighbours, because a part of a word that was just written is
/// slow to move.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
enum Stage {
    /// Nothing is paid for the attempt: it is the first, or the one before was refused.
    Free,
    /// The attempt is paid for, and has not begun.
    Paid,
    /// It is paid for, and out.
    Out,
    /// The end was counted, and the budget left.
    Ended,
}

/// One call that is being made: counts it as abandoned if it is dropped before its end.
pub(crate) struct Making<R: AsRef<Retry>> {
    retry: R,
    course: Course,
    payer: Payer,
    stage: Stage,
}

impl AsRef<Self> for Retry {
    #[inline]
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<R: AsRef<Retry>> Making<R> {
    /// Begins a call that must be over by `deadline` too, and tells when its first attempt must have ended. Both go by the same
    /// time, which is read only if it matters.
    #[inline(always)]
    pub(crate) fn begin(retry: R, deadline: Option<Deadline>) -> (Self, Option<Limit>) {
        let inner = &*retry.as_ref().inner;
        let now = Now::new(Some(&inner.clock));
        let (deadline, limit) = match deadline {
            None if !inner.is_limited() => (None, None),
            deadline => inner.limits(deadline, now.get()),
        };
        let payer = inner.account.payer(|| inner.settings.read().paid.budget.clone());
        if let Some(budget) = payer.budget(&inner.account) {
            budget.enter(&now);
        }
        (Self { course: Course::begin(deadline), payer, stage: Stage::Free, retry }, limit)
    }

    #[inline]
    fn inner(&self) -> &Inner {
        &self.retry.as_ref().inner
    }

    #[inline]
    fn budget(&self) -> Option<&Budget> {
        self.payer.budget(&self.inner().account)
    }

    #[cfg(feature = "tower")]
    pub(crate) fn clock(&self) -> &Clock {
        &self.inner().clock
    }

    #[cfg(feature = "tower")]
    pub(crate) fn name(&self) -> Name {
        self.inner().name
    }

    #[inline]
    pub(crate) const fn attempts(&self) -> u32 {
        self.course.attempts()
    }

    /// When the call ends, whatever happens.
    #[cfg(feature = "tower")]
    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        self.course.deadline()
    }

    /// Whether the attempt that is out is certainly the last one.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn is_last(&self) -> bool {
        u64::from(self.course.attempts()) >= self.inner().max_attempts.load(Ordering::Acquire)
    }

    /// When the attempt that begins now must have ended.
    pub(crate) fn limit(&self) -> Option<Limit> {
        let (inner, deadline) = (self.inner(), self.course.deadline());
        let is_limited = deadline.is_some() || inner.attempt_timeout.load(Ordering::Acquire) != NONE;
        if is_limited { inner.limit(deadline, inner.clock.now()) } else { None }
    }

    /// The attempt that was out ended so: `Some` is when the next one begins.
    #[inline(always)]
    pub(crate) fn ended(&mut self, verdict: Verdict) -> Option<Timestamp> {
        if verdict.is_good() && self.good_at_first() {
            return None;
        }
        self.ended_otherwise(verdict)
    }

    /// The attempt that was out is good: ends the call if it was the first one.
    #[inline(always)]
    pub(crate) fn good_at_first(&mut self) -> bool {
        let is_first = self.course.attempts() == 1;
        if is_first {
            // Nothing is paid for a first attempt, so there is nothing to give back.
            self.judged(true);
            self.leave();
            self.inner().lanes.lane().count(|lane| &lane.first_good);
        }
        is_first
    }

    /// Kept out of the way of calls whose first attempt is good.
    #[cold]
    #[inline(never)]
    pub(crate) fn ended_otherwise(&mut self, verdict: Verdict) -> Option<Timestamp> {
        self.judged(verdict.is_good());
        self.extra_ended();
        let inner = &*self.retry.as_ref().inner;
        let settings = inner.settings();
        let now = Now::new(Some(&inner.clock));
        let at = now.get();
        let random = inner.random.lock().next();
        let budget = self.payer.budget(&inner.account);
        let mut paid = false;
        let next = self.course.next(verdict, &settings, at, random, || {
            paid = budget.is_some_and(|budget| budget.try_spend(&now));
            paid || budget.is_none()
        });
        self.stage = if paid { Stage::Paid } else { Stage::Free };
        match next {
            Next::Again(wait) => {
                self.inner().lanes.lane().count(|lane| &lane.retries);
                let attempts = self.course.attempts() - 1;
                tell(&settings, Event::Again { name: settings.name, attempts, wait });
                Some(at + wait)
            }
            Next::End(reason) => {
                self.give_up(&settings, reason);
                None
            }
        }
    }

    /// The call's own deadline passed while an attempt was out, or before the first one.
    #[cold]
    pub(crate) fn deadline_passed(&mut self) {
        self.judged(false);
        self.extra_ended();
        let settings = self.inner().settings();
        self.give_up(&settings, Reason::Deadline);
    }

    fn give_up(&mut self, settings: &Settings, reason: Reason) {
        self.leave();
        self.inner().lanes.lane().count(|lane| &lane.ended[reason as usize]);
        if reason != Reason::Good {
            tell(settings, Event::GivenUp { name: settings.name, attempts: self.course.attempts(), reason });
        }
    }

    #[inline]
    fn judged(&self, good: bool) {
        if let Some(budget) = self.budget() {
            budget.judged(good);
        }
    }

    /// The call is over.
    #[inline]
    fn leave(&mut self) {
        self.stage = Stage::Ended;
        if let Some(budget) = self.budget() {
            budget.leave();
        }
    }

    /// The attempt that was waited for is about to be made.
    pub(crate) const fn attempt_begins(&mut self) {
        if matches!(self.stage, Stage::Paid) {
            self.stage = Stage::Out;
        }
    }

    /// What was paid for the last attempt is given back: whole, if that was never begun.
    fn extra_ended(&mut self) {
        let began = match self.stage {
            Stage::Free | Stage::Ended => return,
            Stage::Paid => false,
            Stage::Out => true,
        };
        self.stage = Stage::Free;
        if let Some(budget) = self.budget() {
            budget.give_back(began);
        }
    }

    #[cold]
    #[inline(never)]
    fn abandon(&mut self) {
        self.extra_ended();
        self.leave();
        self.inner().lanes.lane().count(|lane| &lane.abandoned);
    }
}

impl<R: AsRef<Retry>> Drop for Making<R> {
    #[inline]
    fn drop(&mut self) {
        if self.stage != Stage::Ended {
            self.abandon();
        }
    }
}

fn tell(settings: &Settings, event: Event) {
    event.trace();
    if let Some(observer) = &settings.observer {
        observer.observe(&event);
    }
}

static CALLS: Metric = Metric::counter("seawall_retry_calls", "Calls that ended, by why they ended.");
static RETRIES: Metric = Metric::counter("seawall_retry_retries", "Attempts that were made after a first one.");

impl Collect for Retry {
    fn collect(&self, sink: &mut dyn Sink) {
        let Snapshot { name, total, .. } = self.snapshot();
        let name = ("name", name.as_str());
        for (end, calls) in [
            ("first_good", total.first_good),
            ("later_good", total.later_good),
            ("final", total.not_retryable),
            ("exhausted", total.exhausted),
            ("budget", total.out_of_budget),
            ("deadline", total.deadline),
            ("hint", total.hint),
            ("abandoned", total.abandoned),
        ] {
            sink.sample(&CALLS, &[name, ("end", end)], Value::Integer(calls));
        }
        sink.sample(&RETRIES, &[name], Value::Integer(total.retries));
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("name", &self.inner.name).finish_non_exhaustive()
    }
}
