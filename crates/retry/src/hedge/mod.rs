//! Making a call once more beside the first.

mod config;
mod durations;
mod event;
mod race;
mod snapshot;
#[cfg(feature = "tower")]
pub(crate) mod tower;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_core::stripe::{self, Striped, Tally};
use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Deadline, Name, Shared};

pub use config::{HedgeConfig, HedgeDelay};
pub use event::HedgeEvent;
pub use snapshot::{HedgeSnapshot, HedgeTotal};

use crate::retry::Attempt;
use crate::retry::account::Account;
use crate::verdict::{ErrIsRetryable, Judge};
use config::HedgeSettings;
use durations::Durations;
use race::{Launched, Race};

/// Makes a call once more when its answer takes long, and gives the first good answer: a handle, cheap to clone and shared
/// by all clones.
///
/// Only for calls that may be made twice. The answer is the first that is good, or that no other attempt would change; when none
/// is, it is the first attempt's. Attempts that are not needed any more are dropped before the answer is given. An attempt
/// that fails brings the next hedge at once.
///
/// ```
/// use seawall_retry::{Hedge, HedgeConfig};
/// use std::time::Duration;
///
/// # async fn look_up(_id: u32) -> Result<&'static str, std::io::Error> { Ok("coffee") }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let hedge = Hedge::new(HedgeConfig::default().name("catalogue").delay(Duration::from_millis(50)))?;
/// let product = hedge.run(|_attempt| look_up(7)).await?;
/// # assert_eq!(product, "coffee");
/// # Ok(())
/// # }
/// ```
///
/// # What a call costs
/// One that is answered before a hedge is due allocates nothing. It reads the clock twice if the delay follows the calls, and
/// takes a lock to tell how long it took; with a fixed delay it reads the clock once.
#[derive(Clone)]
pub struct Hedge {
    /// Its clones count on lines of their threads' own, so that services which are cloned for each call do not meet.
    inner: Shared<Inner>,
}

struct Inner {
    clock: Clock,
    name: Name,
    /// In nanoseconds, or all ones while no call is hedged.
    delay: AtomicU64,
    /// Whether durations matter: 0 or 1.
    observes: AtomicU64,
    account: Account,
    /// Read when a hedge is due, or a call is paid for from another budget than the first.
    settings: RwLock<Arc<HedgeSettings>>,
    durations: Mutex<Durations>,
    lanes: Striped<Counts>,
}

/// What each thread counts for itself.
#[derive(Debug, Default)]
struct Counts {
    first: Tally,
    hedge: Tally,
    none: Tally,
    abandoned: Tally,
    hedges: Tally,
    out_of_budget: Tally,
}

/// Whose answer it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Won {
    First,
    Hedge,
    None,
}

const NEVER: u64 = u64::MAX;

impl Hedge {
    /// A new instance on the [system clock](Clock::system).
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn new(config: HedgeConfig) -> Result<Self, ConfigError> {
        Self::with_clock(config, Clock::system())
    }

    /// A new instance whose time is that of `clock`.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn with_clock(config: HedgeConfig, clock: Clock) -> Result<Self, ConfigError> {
        let settings = HedgeSettings::new(config, &clock, None)?;
        let inner = Inner {
            clock,
            name: settings.name,
            delay: AtomicU64::new(NEVER),
            observes: AtomicU64::new(0),
            durations: Mutex::new(Durations::new(settings.delay.clone())),
            account: Account::new(settings.paid.budget.clone()),
            settings: RwLock::new(Arc::new(settings)),
            lanes: Striped::new(stripe::seats()),
        };
        inner.publish();
        Ok(Self { inner: Shared::from_policy(inner) })
    }

    /// Takes over `config`, at once and for all handles, and keeps how long calls took. Calls that are out go on by it from
    /// their next hedge.
    ///
    /// # Errors
    /// Names the first field whose value cannot be, or the name if it is another; then nothing has changed.
    pub fn reconfigure(&self, config: HedgeConfig) -> Result<(), ConfigError> {
        let settings = HedgeSettings::new(config, &self.inner.clock, Some(&self.inner.settings()))?;
        if settings.name != self.inner.name {
            let valid = format!("{:?}: a running instance keeps its name", self.inner.name);
            return Err(ConfigError::new("name", format!("{:?}", settings.name), valid));
        }
        {
            let mut durations = self.inner.durations.lock();
            let old = std::mem::replace(&mut *durations, Durations::new(settings.delay.clone()));
            *durations = old.under(settings.delay.clone());
        }
        *self.inner.settings.write() = Arc::new(settings);
        self.inner.publish();
        Ok(())
    }

    /// Makes one call, and gives the first `Ok`, or the first attempt's result if there is none.
    ///
    /// # Cancel safety
    /// Dropping the future drops all attempts that are out.
    pub async fn run<F, T, E>(&self, attempt: impl FnMut(Attempt) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.run_judged(attempt, ErrIsRetryable, None).await
    }

    /// The same, and lets `judge` say which results are good enough. No hedge begins at or after `deadline`.
    ///
    /// # Cancel safety
    /// Dropping the future drops all attempts that are out.
    pub async fn run_judged<F: Future>(
        &self,
        mut attempt: impl FnMut(Attempt) -> F,
        judge: impl Judge<F::Output>,
        deadline: Option<Deadline>,
    ) -> F::Output {
        let first = attempt(Attempt { number: 1, deadline });
        let mut race = std::pin::pin!(Race::begin(self, first, deadline));
        std::future::poll_fn(|cx| {
            let launch = |number| Launched::Attempt(attempt(Attempt { number, deadline }));
            race.as_mut().poll(cx, launch, &judge)
        })
        .await
    }

    /// Whose calls these are.
    pub fn name(&self) -> Name {
        self.inner.name
    }

    /// How long a call is waited for before a hedge; `None` while none is hedged, because there were too few to know.
    pub fn delay(&self) -> Option<Duration> {
        match self.inner.delay.load(Ordering::Acquire) {
            NEVER => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// What was counted since it was made.
    pub fn snapshot(&self) -> HedgeSnapshot {
        let sum = |part: fn(&Counts) -> &Tally| self.inner.lanes.iter().map(|lane| part(lane).get()).sum::<u64>();
        HedgeSnapshot {
            name: self.inner.name,
            delay: self.delay(),
            total: HedgeTotal {
                first: sum(|lane| &lane.first),
                hedge: sum(|lane| &lane.hedge),
                none: sum(|lane| &lane.none),
                abandoned: sum(|lane| &lane.abandoned),
                hedges: sum(|lane| &lane.hedges),
                out_of_budget: sum(|lane| &lane.out_of_budget),
            },
        }
    }
}

impl Inner {
    fn publish(&self) {
        let settings = self.settings.read().clone();
        self.observes
            .store(u64::from(!matches!(settings.delay, HedgeDelay::Never | HedgeDelay::Fixed(_))), Ordering::Release);
        self.account.publish(settings.paid.budget.as_ref(), settings.pays_as_at_first);
        self.publish_delay(&mut self.durations.lock());
    }

    fn publish_delay(&self, durations: &mut Durations) {
        let delay = durations.delay();
        let nanos = delay.map_or(NEVER, |delay| u64::try_from(delay.as_nanos()).unwrap_or(NEVER - 1).min(NEVER - 1));
        self.delay.store(nanos, Ordering::Release);
    }

    fn settings(&self) -> Arc<HedgeSettings> {
        self.settings.read().clone()
    }

    fn observes(&self) -> bool {
        self.observes.load(Ordering::Acquire) != 0
    }

    /// A first attempt took so long, or had run so long when it was dropped.
    fn observe(&self, took: Duration) {
        let mut durations = self.durations.lock();
        if durations.observe(took) {
            self.publish_delay(&mut durations);
        }
    }

    fn count(&self, won: Won) {
        self.lanes.lane().count(|lane| match won {
            Won::First => &lane.first,
            Won::Hedge => &lane.hedge,
            Won::None => &lane.none,
        });
    }

    fn tell(&self, settings: &HedgeSettings, event: HedgeEvent) {
        self.lanes.lane().count(|lane| match event {
            HedgeEvent::Hedged { .. } => &lane.hedges,
            HedgeEvent::OutOfBudget { .. } => &lane.out_of_budget,
        });
        event.trace();
        if let Some(observer) = &settings.observer {
            observer.observe(&event);
        }
    }
}

impl AsRef<Self> for Hedge {
    fn as_ref(&self) -> &Self {
        self
    }
}

static CALLS: Metric = Metric::counter("seawall_hedge_calls", "Calls that ended, by whose answer was given.");
static HEDGES: Metric = Metric::counter("seawall_hedge_hedges", "Attempts that were made beside a first one.");
static REFUSED: Metric =
    Metric::counter("seawall_hedge_out_of_budget", "Hedges that were due and that the budget refused.");

impl Collect for Hedge {
    fn collect(&self, sink: &mut dyn Sink) {
        let HedgeSnapshot { name, total, .. } = self.snapshot();
        let name = ("name", name.as_str());
        for (answer, calls) in
            [("first", total.first), ("hedge", total.hedge), ("none", total.none), ("abandoned", total.abandoned)]
        {
            sink.sample(&CALLS, &[name, ("answer", answer)], Value::Integer(calls));
        }
        sink.sample(&HEDGES, &[name], Value::Integer(total.hedges));
        sink.sample(&REFUSED, &[name], Value::Integer(total.out_of_budget));
    }
}

impl fmt::Debug for Hedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge").field("name", &self.inner.name).field("delay", &self.delay()).finish_non_exhaustive()
    }
}
