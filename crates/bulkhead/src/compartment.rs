use std::fmt;
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::stripe::{self, Striped, Tally};
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Claim, ConfigError, Configure, Ending, Name, Outcome, Shared, WaitQueue};

use crate::config::{Checked, Config, Failures};
use crate::event::Event;
use crate::full::{Figures, Full, Reason};
use crate::limit::{LimitAlgorithm, Sample, Signal};
use crate::policy::Token;

/// At most so many calls at once, and a bounded queue for the others: cheap to clone, shared by all its clones.
///
/// Its own methods are those of [`Compartment`]; the front doors are those of [`Shared`]. A call that wants more than one
/// permit, or has a priority, enters by [`Claiming`](crate::Claiming).
///
/// ```
/// use seawall_bulkhead::{Bulkhead, Config};
///
/// let payments = Bulkhead::new(Config::new(1).name("payments"))?;
/// let call = payments.try_admit().expect("nothing is in flight");
/// let full = payments.try_admit().expect_err("one call at once");
/// assert_eq!((full.in_flight(), full.limit()), (1, 1));
/// drop(call);
/// assert!(payments.try_admit().is_ok());
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub type Bulkhead = Shared<Compartment>;

/// What a [`Bulkhead`] is a handle of.
///
/// # Fairness
/// First come, first served within a priority, a higher priority first, unless the [configuration](Config) says otherwise.
/// While anybody waits, nobody passes by.
///
/// # Cancel safety
/// Whoever stops waiting leaves the queue, and a turn that had come goes to the next. A permit comes back when it is dropped,
/// however its call ends: an error, a panic, a future that is dropped.
///
/// # Complexity
/// Admitting and ending a call, when nobody waits: one read-modify-write each, on a line of the thread's own in the best
/// case; an adaptive limit reads the clock twice and takes a lock to learn. Refusing without a place in the queue writes
/// nothing but the thread's own count. Nothing is allocated for a call but its place in the queue, which is used again.
pub struct Compartment {
    queue: WaitQueue,
    clock: Clock,
    name: Name,
    /// Whether calls are timed for an algorithm.
    adapts: AtomicBool,
    /// What the algorithm, or whoever resized last, wants.
    target: AtomicU32,
    max_wait: AtomicU64,
    counts: Striped<Counts>,
    control: Mutex<Control>,
}

/// What is configured, and what finds the limit.
struct Control {
    config: Config,
    algorithm: Option<Box<dyn LimitAlgorithm>>,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) admitted: Tally,
    pub(crate) waited: Tally,
    pub(crate) abandoned: Tally,
    pub(crate) cancelled: Tally,
    pub(crate) full: Tally,
    pub(crate) too_late: Tally,
    pub(crate) timed_out: Tally,
    pub(crate) displaced: Tally,
    pub(crate) overdue: Tally,
    pub(crate) too_large: Tally,
}

impl Compartment {
    /// Its name.
    pub const fn name(&self) -> Name {
        self.name
    }

    /// How many permits there are.
    pub fn limit(&self) -> u32 {
        self.queue.permits()
    }

    /// How many permits are in use: more than the limit after it was lowered. As near as concurrent callers let it be told.
    pub fn in_flight(&self) -> u32 {
        self.queue.taken()
    }

    /// How many permits are free, as near as concurrent callers let it be told.
    pub fn available(&self) -> u32 {
        self.queue.free()
    }

    /// How many calls wait.
    pub fn queued(&self) -> usize {
        self.queue.waiting()
    }

    /// For how long the queue has not been empty; zero when it is.
    pub fn queue_age(&self) -> Duration {
        self.queue.standing(self.clock.now())
    }

    /// How long a call that came now would wait for what it asks. `None` when nothing is known of it.
    pub fn expected_wait(&self, claim: Claim) -> Option<Duration> {
        self.queue.expected_wait(claim, self.clock.now())
    }

    /// Changes a fixed limit. More permits wake those who wait; fewer are withdrawn as calls end, before anything is admitted
    /// again, and calls that wait for more than the new limit are refused.
    ///
    /// # Errors
    /// If the limit is 0, or found by an algorithm; nothing changes then.
    pub fn resize(&self, limit: u32) -> Result<(), ConfigError> {
        if limit == 0 {
            return Err(ConfigError::new("limit", 0, "1 to 4294967295"));
        }
        let observer = {
            let mut control = self.control.lock();
            if control.algorithm.is_some() {
                return Err(ConfigError::new("limit", limit, "left to the algorithm of an adaptive bulkhead"));
            }
            control.config.limit = Some(limit);
            self.target.store(limit, Ordering::SeqCst);
            control.config.observer.clone()
        };
        self.follow(&Now::new(Some(&self.clock)), observer.as_deref());
        Ok(())
    }

    /// Makes the limit what is wanted by now, whoever wanted it last.
    fn follow(&self, now: &Now<'_>, observer: Option<&dyn Observer<Event>>) {
        let (from, to) = self.queue.resize_to(|| self.target.load(Ordering::SeqCst), now);
        if from != to {
            Event::LimitChanged { name: self.name, from, to }.tell(observer);
        }
    }

    #[inline(always)]
    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    #[inline(always)]
    pub(crate) const fn queue(&self) -> &WaitQueue {
        &self.queue
    }

    #[inline(always)]
    pub(crate) const fn counts(&self) -> &Striped<Counts> {
        &self.counts
    }

    /// How long a call without a deadline waits.
    #[inline(always)]
    pub(crate) fn max_wait(&self) -> Duration {
        Duration::from_nanos(self.max_wait.load(Ordering::Relaxed))
    }

    /// What an admitted call carries.
    #[inline(always)]
    pub(crate) fn token(&self, permits: u32, now: &Now<'_>) -> Token {
        self.counts.lane().count(|counts| &counts.admitted);
        let since = if self.adapts.load(Ordering::Relaxed) { now.get() } else { Timestamp::NEVER };
        Token { permits, since }
    }

    pub(crate) fn refuse(&self, reason: Reason, permits: u32, wait: Option<Duration>) -> Full {
        self.counts.lane().count(|counts| match reason {
            Reason::Full => &counts.full,
            Reason::TooLate => &counts.too_late,
            Reason::TimedOut => &counts.timed_out,
            Reason::Displaced => &counts.displaced,
            Reason::Overdue => &counts.overdue,
            Reason::TooLarge => &counts.too_large,
        });
        self.full(reason, permits, wait)
    }

    /// The refusal, uncounted.
    pub(crate) fn full(&self, reason: Reason, permits: u32, wait: Option<Duration>) -> Full {
        self.full_beside(reason, permits, wait, self.queue.free())
    }

    /// The same by somebody who knows how many permits are free.
    #[inline]
    pub(crate) fn full_beside(&self, reason: Reason, permits: u32, wait: Option<Duration>, free: u32) -> Full {
        let figures = Figures {
            limit: self.queue.permits(),
            in_flight: self.queue.taken_beside(free),
            queued: u32::try_from(self.queue.waiting_about()).unwrap_or(u32::MAX),
            permits,
        };
        let retry_after = match reason {
            Reason::TooLarge => None,
            _ => wait.or_else(|| self.queue.usual_wait(permits)),
        };
        Full::new(self.name, reason, figures, retry_after)
    }

    /// Learns from a call that has ended.
    #[inline(never)]
    pub(crate) fn learn(&self, token: Token, ending: Ending<'_>, in_flight: u32, now: &Now<'_>) {
        let at = now.get();
        let observer = {
            let mut control = self.control.lock();
            let Some(signal) = signal(ending, control.config.failures) else { return };
            let Some(algorithm) = &mut control.algorithm else { return };
            let rtt = at.saturating_duration_since(token.since);
            let limit = algorithm.on_sample(&Sample::new(at, rtt, in_flight, signal)).max(1);
            if limit == self.target.load(Ordering::SeqCst) {
                return;
            }
            self.target.store(limit, Ordering::SeqCst);
            control.config.observer.clone()
        };
        self.follow(now, observer.as_deref());
    }

    pub(crate) fn with_config<T>(&self, look: impl FnOnce(&Config) -> T) -> T {
        look(&self.control.lock().config)
    }
}

/// What an ending tells of load; `None` when it tells nothing.
fn signal(ending: Ending<'_>, failures: Failures) -> Option<Signal> {
    match ending {
        Ending::Finished(report) => match report.outcome() {
            Outcome::Success => Some(Signal::Completed),
            Outcome::Failure => match failures {
                Failures::Dropped => Some(Signal::Dropped),
                Failures::Completed => Some(Signal::Completed),
                Failures::Ignored => None,
            },
            _ => None,
        },
        Ending::Abandoned => Some(Signal::Abandoned),
        _ => None,
    }
}

impl Configure for Compartment {
    type Config = Config;

    fn build(config: Config, clock: Clock) -> Result<Self, ConfigError> {
        let Checked { name, limit, algorithm } = config.check()?;
        let queue = WaitQueue::new(limit, config.queue);
        queue.set_discipline(config.discipline());
        Ok(Self {
            queue,
            clock,
            name,
            adapts: AtomicBool::new(algorithm.is_some()),
            target: AtomicU32::new(limit),
            max_wait: AtomicU64::new(nanos(config.max_wait)),
            counts: Striped::new(stripe::seats()),
            control: Mutex::new(Control { config, algorithm }),
        })
    }

    /// The name stays, and so does what an algorithm has learnt if it is configured as before. Those who wait stay, as long as
    /// they were told they might.
    fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        let Checked { name, limit, algorithm } = config.check()?;
        if name != self.name {
            let valid = format!("{:?}: a bulkhead keeps its name", self.name);
            return Err(ConfigError::new("name", format!("{:?}", config.name), valid));
        }
        let (from, observer, _old) = {
            let mut control = self.control.lock();
            let from = self.target.load(Ordering::SeqCst);
            let keeps = config.adapts_as(&control.config);
            let algorithm = if keeps { control.algorithm.take() } else { algorithm };
            self.queue.set_bound(config.queue);
            self.queue.set_discipline(config.discipline());
            self.max_wait.store(nanos(config.max_wait), Ordering::Relaxed);
            self.adapts.store(algorithm.is_some(), Ordering::Relaxed);
            self.target.store(if keeps { from } else { limit }, Ordering::SeqCst);
            let observer = config.observer.clone();
            // What was configured before is dropped after the lock is released: an observer may be anything.
            (from, observer, std::mem::replace(&mut *control, Control { config, algorithm }))
        };
        let (_, to) = self.queue.resize_to(|| self.target.load(Ordering::SeqCst), &Now::new(Some(&self.clock)));
        Event::Reconfigured { name: self.name, from, to }.tell(observer.as_deref());
        Ok(())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Compartment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead")
            .field("name", &self.name)
            .field("limit", &self.limit())
            .field("in_flight", &self.in_flight())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}
