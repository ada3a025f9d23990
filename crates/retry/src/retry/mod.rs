//! Making a call again.

pub(crate) mod account;
mod config;
mod event;
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
}

/// What the last attempt, or the one that is waited for, has cost.
#[derive(Clone, Copy)]
enum Extra {
    /// Nothing: it is the first, or the one before was refused.
    Free,
    /// It is paid for, and has not begun.
    Paid,
    /// It is paid for, and out.
    Out,
}

/// One call that is being made: counts it as abandoned if it is dropped before its end.
pub(crate) struct Making<R: AsRef<Retry>> {
    retry: R,
    course: Course,
    payer: Payer,
    /// Whether the attempt that is out was paid for.
    extra: Extra,
    ended: bool,
}

impl AsRef<Self> for Retry {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<R: AsRef<Retry>> Making<R> {
    /// Begins a call that must be over by `deadline` too.
    #[inline]
    pub(crate) fn begin(retry: R, deadline: Option<Deadline>) -> Self {
        let inner = &*retry.as_ref().inner;
        let now = Now::new(Some(&inner.clock));
        let within = match inner.within.load(Ordering::Acquire) {
            NONE => None,
            nanos => Some(Deadline::at(now.get() + Duration::from_nanos(nanos))),
        };
        let deadline = match (within, deadline) {
            (Some(within), deadline) => Some(within.earlier(deadline)),
            (None, deadline) => deadline,
        };
        let payer = inner.account.payer(|| inner.settings.read().paid.budget.clone());
        if let Some(budget) = payer.budget(&inner.account) {
            budget.enter(&now);
        }
        Self { course: Course::begin(deadline.map(Deadline::time)), payer, extra: Extra::Free, ended: false, retry }
    }

    fn inner(&self) -> &Inner {
        &self.retry.as_ref().inner
    }

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

    pub(crate) const fn attempts(&self) -> u32 {
        self.course.attempts()
    }

    /// Whether the attempt that is out is certainly the last one.
    #[cfg(feature = "tower")]
    pub(crate) fn is_last(&self) -> bool {
        u64::from(self.course.attempts()) >= self.inner().max_attempts.load(Ordering::Acquire)
    }

    /// When the attempt that begins now must have ended, and whether that is the call's own deadline.
    pub(crate) fn attempt_ends(&self) -> Option<(Timestamp, bool)> {
        let deadline = self.course.deadline();
        let own = match self.inner().attempt_timeout.load(Ordering::Acquire) {
            NONE => None,
            nanos => Some(self.inner().clock.now() + Duration::from_nanos(nanos)),
        };
        match (own, deadline) {
            (Some(own), Some(deadline)) if deadline <= own => Some((deadline, true)),
            (Some(own), _) => Some((own, false)),
            (None, deadline) => deadline.map(|deadline| (deadline, true)),
        }
    }

    /// Whether the deadline passed already.
    pub(crate) fn is_over(&self) -> bool {
        self.course.deadline().is_some_and(|deadline| self.inner().clock.now() >= deadline)
    }

    /// The attempt that was out ended so: `Some` is when the next one begins.
    #[inline]
    pub(crate) fn ended(&mut self, verdict: Verdict) -> Option<Timestamp> {
        if verdict.is_good() && self.course.attempts() == 1 {
            self.judged(true);
            self.ended = true;
            self.inner().lanes.lane().count(|lane| &lane.first_good);
            return None;
        }
        self.ended_otherwise(verdict)
    }

    /// Kept out of the way of calls whose first attempt is good.
    #[cold]
    fn ended_otherwise(&mut self, verdict: Verdict) -> Option<Timestamp> {
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
        self.extra = if paid { Extra::Paid } else { Extra::Free };
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
    pub(crate) fn deadline_passed(&mut self) {
        self.judged(false);
        self.extra_ended();
        let settings = self.inner().settings();
        self.give_up(&settings, Reason::Deadline);
    }

    fn give_up(&mut self, settings: &Settings, reason: Reason) {
        self.ended = true;
        self.inner().lanes.lane().count(|lane| &lane.ended[reason as usize]);
        if reason != Reason::Good {
            tell(settings, Event::GivenUp { name: settings.name, attempts: self.course.attempts(), reason });
        }
    }

    fn judged(&self, good: bool) {
        if let Some(budget) = self.budget() {
            budget.judged(good);
        }
    }

    /// The attempt that was waited for is about to be made.
    pub(crate) const fn attempt_begins(&mut self) {
        if matches!(self.extra, Extra::Paid) {
            self.extra = Extra::Out;
        }
    }

    /// What was paid for the last attempt is given back: whole, if that was never begun.
    fn extra_ended(&mut self) {
        let began = match std::mem::replace(&mut self.extra, Extra::Free) {
            Extra::Free => return,
            Extra::Paid => false,
            Extra::Out => true,
        };
        if let Some(budget) = self.budget() {
            budget.give_back(began);
        }
    }
}

impl<R: AsRef<Retry>> Drop for Making<R> {
    #[inline]
    fn drop(&mut self) {
        self.extra_ended();
        if let Some(budget) = self.budget() {
            budget.leave();
        }
        if !self.ended {
            self.inner().lanes.lane().count(|lane| &lane.abandoned);
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
