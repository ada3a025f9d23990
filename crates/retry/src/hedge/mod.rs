//! Making a call once more beside the first.

mod config;
mod durations;
mod event;
mod measured;
mod pending;
mod race;
mod snapshot;
#[cfg(feature = "tower")]
pub(crate) mod tower;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_core::stripe::{self, Striped, Tally};
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Deadline, Name, Shared};

pub use config::{HedgeConfig, HedgeDelay};
pub use event::HedgeEvent;
pub use snapshot::{HedgeSnapshot, HedgeTotal};

use crate::retry::Attempt;
use crate::retry::account::Account;
use crate::verdict::{ErrIsRetryable, Judge};
use config::HedgeSettings;
use measured::Measured;
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
/// One that is answered before a hedge is due allocates nothing. It reads the clock once with a fixed delay, and twice if the delay
/// follows the calls; then its duration goes to its thread's own memory, and one call in a few gathers what all threads have (see
/// [`HedgeDelay`]).
#[derive(Clone)]
pub struct Hedge {
    /// Its clones count on lines of their threads' own, so that services which are cloned for each call do not meet.
    inner: Shared<Inner>,
}

struct Inner {
    clock: Clock,
    name: Name,
    measured: Measured,
    account: Account,
    /// Read when a hedge is due, or a call is paid for from another budget than the first.
    settings: RwLock<Arc<HedgeSettings>>,
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
            measured: Measured::new(settings.delay.clone()),
            account: Account::new(settings.paid.budget.clone()),
            settings: RwLock::new(Arc::new(settings)),
            lanes: Striped::new(stripe::seats()),
        };
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
        self.inner.take_over(settings);
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
        self.inner.measured.delay()
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
    /// Under one lock, so that of two configurations at once one holds as a whole.
    fn take_over(&self, settings: HedgeSettings) {
        let mut current = self.settings.write();
        let before = std::mem::replace(&mut *current, Arc::new(settings));
        self.measured.follow(current.delay.clone());
        self.account.publish(current.paid.budget.as_ref(), current.pays_as_at_first);
        drop(current);
        // May drop the caller's observer.
        drop(before);
    }

    fn settings(&self) -> Arc<HedgeSettings> {
        self.settings.read().clone()
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
