use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use seawall_core::stripe::{self, Striped, Tally};
use seawall_core::sync::atomic::{AtomicU8, Ordering};
use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, ConfigError, Ending, Kind, Name, Policy, Priority, Rejection, Shared};

use super::gauge::LoadGauge;
use super::level::Level;

/// Which calls a [`Shedder`] refuses at which level.
///
/// At the normal level it refuses none. By default it refuses calls of low priority at the elevated level, and calls below
/// high priority at the critical one.
///
/// ```
/// use seawall_bulkhead::Priority;
/// use seawall_bulkhead::load::Shedding;
///
/// let error = Shedding::default().elevated(Priority::Critical).check().unwrap_err();
/// assert_eq!(error.to_string(), "`elevated` is critical, must be at most `critical`, which is high");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Shedding {
    /// The lowest priority that passes at the elevated level: at most `critical`. Default normal.
    pub elevated: Priority,
    /// The lowest priority that passes at the critical level. Default high.
    pub critical: Priority,
}

impl Default for Shedding {
    fn default() -> Self {
        Self { elevated: Priority::Normal, critical: Priority::High }
    }
}

impl Shedding {
    /// The same with another lowest priority at the elevated level.
    #[must_use]
    pub const fn elevated(mut self, lowest: Priority) -> Self {
        self.elevated = lowest;
        self
    }

    /// The same with another lowest priority at the critical level.
    #[must_use]
    pub const fn critical(mut self, lowest: Priority) -> Self {
        self.critical = lowest;
        self
    }

    /// Checks that a higher load sheds no less.
    ///
    /// # Errors
    /// If `elevated` is above `critical`.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.elevated > self.critical {
            let valid = format!("at most `critical`, which is {}", label(self.critical));
            return Err(ConfigError::new("elevated", label(self.elevated), valid));
        }
        Ok(())
    }

    /// The lowest priority that passes at `level`.
    pub const fn lowest(&self, level: Level) -> Priority {
        match level {
            Level::Normal => Priority::Low,
            Level::Elevated => self.elevated,
            Level::Critical => self.critical,
        }
    }

    /// The level from which on calls of `priority` are refused, if there is one.
    pub fn until(&self, priority: Priority) -> Option<Level> {
        Level::ALL.into_iter().find(|level| priority < self.lowest(*level))
    }

    /// In one word, so that a decision sees one configuration.
    const fn pack(self) -> u8 {
        (self.critical as u8) << 4 | self.elevated as u8
    }

    #[inline]
    const fn unpack(word: u8) -> Self {
        Self { elevated: Priority::ALL[(word & 3) as usize], critical: Priority::ALL[(word >> 4 & 3) as usize] }
    }
}

/// Refuses calls by their priority while the load is high, the lowest first.
///
/// The priority is what `F` says of a call. A call that has waited elsewhere, as in `all((shedder, bulkhead))`, is asked again
/// before it starts.
///
/// ```
/// use seawall_bulkhead::load::{Config, Level, LoadGauge, Shedder, Signal};
/// use seawall_bulkhead::{Bulkhead, Priority};
/// use seawall_core::all;
///
/// struct Order { express: bool }
///
/// let load = LoadGauge::new(Config::default())?;
/// load.signal(Signal::pushed("cpu"))?;
/// let shedder = Shedder::by(&load, |order: &Order| if order.express { Priority::High } else { Priority::Low });
/// let orders = all((shedder, Bulkhead::new(seawall_bulkhead::Config::new(10))?));
///
/// load.push("cpu", 0.9)?;
/// assert_eq!(load.sample(), Level::Elevated);
/// assert!(orders.with(&Order { express: true }).try_admit().is_ok());
/// assert_eq!(orders.with(&Order { express: false }).try_admit().unwrap_err().reason(), "shed");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
///
/// # Cancel safety
/// Nothing is taken by a call, so nothing is given back.
///
/// # Complexity
/// Admitting reads the clock and loads a few words; refusing loads a few more. Neither allocates, takes a lock or waits, unless
/// the gauge is due to look.
pub struct Shedder<F> {
    gauge: LoadGauge,
    name: Name,
    shedding: AtomicU8,
    priority: F,
    counts: Striped<Counts>,
}

#[derive(Default)]
struct Counts {
    admitted: [Tally; Priority::COUNT],
    shed: [Tally; Priority::COUNT],
}

impl<F: Send + Sync> Shedder<F> {
    /// Sheds by this gauge and the priority that `priority` tells, as [`Shedding`] has it by default, under the gauge's name.
    pub fn by<Call: ?Sized>(gauge: &LoadGauge, priority: F) -> Shared<Self>
    where
        F: Fn(&Call) -> Priority,
    {
        Self::make(gauge, gauge.name(), Shedding::default(), priority)
    }

    /// The same as `shedding` has it, under a name of its own: for refusals, and for metrics where a gauge has several.
    ///
    /// # Errors
    /// If the name is no name, or a higher load would shed less.
    pub fn named<Call: ?Sized>(
        gauge: &LoadGauge,
        name: &str,
        shedding: Shedding,
        priority: F,
    ) -> Result<Shared<Self>, ConfigError>
    where
        F: Fn(&Call) -> Priority,
    {
        shedding.check()?;
        Ok(Self::make(gauge, name.parse()?, shedding, priority))
    }

    fn make(gauge: &LoadGauge, name: Name, shedding: Shedding, priority: F) -> Shared<Self> {
        let counts = Striped::new(stripe::seats());
        let shedding = AtomicU8::new(shedding.pack());
        Shared::from_policy(Self { gauge: gauge.clone(), name, shedding, priority, counts })
    }
}

impl Shedder<fn(&Priority) -> Priority> {
    /// Sheds calls that say their priority themselves: `shedder.with(&Priority::Low)`.
    pub fn directly(gauge: &LoadGauge) -> Shared<Self> {
        Self::make(gauge, gauge.name(), Shedding::default(), |priority| *priority)
    }
}

impl<F> Shedder<F> {
    /// Its name.
    pub const fn name(&self) -> Name {
        self.name
    }

    /// The gauge.
    pub const fn gauge(&self) -> &LoadGauge {
        &self.gauge
    }

    /// Which calls are refused at which level.
    pub fn shedding(&self) -> Shedding {
        Shedding::unpack(self.shedding.load(Ordering::Relaxed))
    }

    /// Takes over `shedding`, at once and for all handles.
    ///
    /// # Errors
    /// If a higher load would shed less; then nothing has changed.
    pub fn set_shedding(&self, shedding: Shedding) -> Result<(), ConfigError> {
        shedding.check()?;
        self.shedding.store(shedding.pack(), Ordering::Relaxed);
        Ok(())
    }

    /// All that is known at this moment. Counts are exact once the calls are quiet.
    pub fn snapshot(&self) -> ShedSnapshot {
        let sum = |part: fn(&Counts) -> &[Tally; Priority::COUNT]| {
            std::array::from_fn(|place| self.counts.iter().map(|counts| part(counts)[place].get()).sum())
        };
        ShedSnapshot {
            name: self.name,
            level: self.gauge.level(),
            lowest: self.shedding().lowest(self.gauge.level()),
            admitted: sum(|counts| &counts.admitted),
            shed: sum(|counts| &counts.shed),
        }
    }

    #[inline]
    fn judge(&self, priority: Priority, now: &Now<'_>) -> Result<(), Shed> {
        let level = self.gauge.update_at(now);
        let shedding = self.shedding();
        if priority >= shedding.lowest(level) { Ok(()) } else { Err(self.shed(priority, level, shedding, now)) }
    }

    #[inline(never)]
    fn shed(&self, priority: Priority, level: Level, shedding: Shedding, now: &Now<'_>) -> Shed {
        let until = shedding.until(priority).unwrap_or(level);
        let rejection = Rejection::new(&SHED, self.name).after(self.gauge.earliest_below(until, now));
        Shed { rejection, level, priority }
    }
}

/// What a [`Shedder`] has admitted and refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ShedSnapshot {
    /// Which shedder.
    pub name: Name,
    /// The level of the gauge's last look.
    pub level: Level,
    /// The lowest priority that passes at it.
    pub lowest: Priority,
    /// Calls that were admitted, by priority, the lowest first. One that was refused after a wait is among those too.
    pub admitted: [u64; Priority::COUNT],
    /// Calls that were refused, by priority, the lowest first.
    pub shed: [u64; Priority::COUNT],
}

impl<F: Send + Sync> Policy for Shedder<F> {
    /// What the call was admitted as.
    type Token = Priority;
    type Place = Infallible;
    type Refusal = Shed;

    const SETTLES: bool = false;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        Some(self.gauge.clock())
    }

    #[inline(always)]
    fn settle(&self, _priority: Priority, _ending: Ending<'_>, _now: &Now<'_>) {}

    fn renew(&self, priority: &mut Priority, now: &Now<'_>) -> Result<(), Shed> {
        let judged = self.judge(*priority, now);
        if judged.is_err() {
            self.counts.lane().count(|counts| &counts.shed[*priority as usize]);
        }
        judged
    }
}

impl<Call: ?Sized, F: Fn(&Call) -> Priority + Send + Sync> Admits<Call> for Shedder<F> {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Priority, Shed> {
        let priority = (self.priority)(ask.call);
        let judged = self.judge(priority, ask.now);
        let shed = judged.is_err();
        self.counts.lane().count(|counts| &(if shed { &counts.shed } else { &counts.admitted })[priority as usize]);
        judged.map(|()| priority)
    }
}

static SHED: Kind = Kind::new("bulkhead", "shed");

/// The load was too high for a call of its priority.
///
/// `Copy`, and made without an allocation. Its `source()` is the [`Rejection`], so that [`Rejection::find`] finds it behind
/// any box. Over HTTP it is 503.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Shed {
    rejection: Rejection,
    level: Level,
    priority: Priority,
}

impl Shed {
    /// Which shedder.
    pub const fn name(&self) -> Name {
        self.rejection.name()
    }

    /// The level when it was refused.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The call's priority.
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// After how long such a call may pass at the earliest.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.rejection.retry_after()
    }
}

impl From<Shed> for Rejection {
    #[inline]
    fn from(shed: Shed) -> Self {
        shed.rejection
    }
}

impl fmt::Debug for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shed")
            .field("name", &self.name())
            .field("level", &self.level)
            .field("priority", &self.priority)
            .field("retry_after", &self.retry_after())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, level, priority) = (self.name(), self.level, label(self.priority));
        write!(f, "`{name}` sheds calls of {priority} priority: the load is {level}")?;
        match self.retry_after() {
            Some(after) => write!(f, ", retry after {after:?}"),
            None => Ok(()),
        }
    }
}

impl Error for Shed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

/// A priority in `snake_case`, as in metrics.
pub(crate) const fn label(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
        Priority::Critical => "critical",
    }
}

impl<F> fmt::Debug for Shedder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shedder")
            .field("name", &self.name)
            .field("gauge", &self.gauge)
            .field("shedding", &self.shedding())
            .finish_non_exhaustive()
    }
}
