use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{ConfigError, Name, Shared};

use super::config::{Combine, Config};
use super::event::Event;
use super::feature::{Feature, FeatureSwitch, Switch};
use super::level::Level;
use super::levels::Levels;
use super::signal::{Signal, Source};
use super::smoothing::Smoothing;
use super::switches::Switches;

/// How loaded a service is: cheap to clone, shared by all its clones.
///
/// It combines its [signals](Signal) to one load, smooths it, and makes of it a [`Level`] by [`Levels`]; the level switches
/// [features](Self::feature) and sheds calls by [`Shedder`](super::Shedder).
///
/// # Who makes it look
/// Every [`update`](Self::update), and so every call through a switch or a shedder, once the interval is over; and
/// [`follow_time`](Self::follow_time), for when nobody calls. One thread looks at a time: the others go on with the level as
/// it is. A panic of a signal's function or of an observer reaches whoever made it look, and the next look is made as ever.
///
/// A signal or an observer may ask the gauge anything. One that owns a handle of it keeps it alive for ever.
///
/// # Complexity
/// [`level`](Self::level) is one load. An update before the interval is over reads the clock and loads three words; a look takes
/// time in proportion to the signals and features, and allocates only when something changes.
#[derive(Clone)]
pub struct LoadGauge {
    gauge: Arc<Gauge>,
}

struct Gauge {
    name: Name,
    clock: Clock,
    level: AtomicU8,
    /// The earliest time of the next fall.
    falls_at: AtomicU64,
    dwell: AtomicU64,
    interval: AtomicU64,
    /// When the next look is due.
    due: AtomicU64,
    /// Whether somebody looks.
    looking: AtomicBool,
    sources: Mutex<Arc<[Arc<Source>]>>,
    control: Mutex<Control>,
}

pub(crate) struct Control {
    pub(crate) config: Config,
    pub(crate) levels: Levels,
    pub(crate) smoothing: Smoothing,
    pub(crate) switches: Switches,
    /// How often each level was entered.
    pub(crate) entered: [u64; Level::COUNT],
}

impl LoadGauge {
    /// A gauge without signals, on the [system clock](Clock::system).
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_clock(config, Clock::system())
    }

    /// A gauge without signals that decides by `clock`.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn with_clock(config: Config, clock: Clock) -> Result<Self, ConfigError> {
        let name = config.check()?;
        let now = clock.now();
        let levels = Levels::new(config.levels, now)?;
        let gauge = Gauge {
            name,
            clock,
            level: AtomicU8::new(Level::Normal as u8),
            falls_at: AtomicU64::new(now.as_nanos()),
            dwell: AtomicU64::new(nanos(config.levels.dwell)),
            interval: AtomicU64::new(nanos(config.interval)),
            due: AtomicU64::new(now.as_nanos()),
            looking: AtomicBool::new(false),
            sources: Mutex::new(Arc::default()),
            control: Mutex::new(Control {
                config,
                levels,
                smoothing: Smoothing::default(),
                switches: Switches::default(),
                entered: [0; Level::COUNT],
            }),
        };
        Ok(Self { gauge: Arc::new(gauge) })
    }

    /// Its name.
    pub fn name(&self) -> Name {
        self.gauge.name
    }

    /// The clock by which it decides.
    pub fn clock(&self) -> &Clock {
        &self.gauge.clock
    }

    /// The level of the last look.
    #[inline]
    pub fn level(&self) -> Level {
        Level::at(self.gauge.level.load(Ordering::Relaxed))
    }

    /// The load of the last look, combined and smoothed. `None` when no signal told any.
    pub fn load(&self) -> Option<f64> {
        self.gauge.control.lock().smoothing.average()
    }

    /// Takes in a signal. It counts from the next look on.
    ///
    /// # Errors
    /// If its name is no name or taken, or its weight is not above 0.
    pub fn signal(&self, signal: Signal) -> Result<(), ConfigError> {
        let source = Arc::new(signal.build()?);
        let mut sources = self.gauge.sources.lock();
        if sources.iter().any(|other| other.name == source.name) {
            let valid = "a name that no other signal of the gauge has";
            return Err(ConfigError::new("signal.name", format!("{:?}", source.name), valid));
        }
        *sources = sources.iter().cloned().chain([source]).collect();
        Ok(())
    }

    /// Tells the load of a [pushed](Signal::pushed) signal: it counts from the next look on, until it is
    /// [too old](Config::max_age).
    ///
    /// # Errors
    /// If there is no such signal, if it is read, or if the value is below 0 or no number; nothing changes then.
    pub fn push(&self, signal: &str, value: f64) -> Result<(), ConfigError> {
        let sources = self.gauge.sources.lock().clone();
        match sources.iter().find(|source| source.name.as_str() == signal) {
            Some(source) => source.push(value, self.gauge.clock.now()),
            None => Err(ConfigError::new("signal", format!("{signal:?}"), "the name of a signal of the gauge")),
        }
    }

    /// Registers a feature: it is listed in the [snapshot](Self::snapshot), switched off and on by the level, and each switch is
    /// an [`Event`].
    ///
    /// # Errors
    /// If its name is no name or taken, or its level is the normal one.
    pub fn feature(&self, feature: Feature) -> Result<FeatureSwitch, ConfigError> {
        let flag = feature.build()?;
        let flag = {
            let mut control = self.gauge.control.lock();
            let level = control.levels.level();
            control.switches.add(flag, level)?
        };
        Ok(Shared::from_policy(Switch::new(self.clone(), flag)))
    }

    /// The switch of a feature that is registered by this name.
    pub fn switch(&self, feature: &str) -> Option<FeatureSwitch> {
        let flag = self.gauge.control.lock().switches.find(feature)?.clone();
        Some(Shared::from_policy(Switch::new(self.clone(), flag)))
    }

    /// Looks, if the interval is over since the last look. Gives the level.
    #[inline]
    pub fn update(&self) -> Level {
        self.update_at(&Now::new(Some(&self.gauge.clock)))
    }

    #[inline]
    pub(crate) fn update_at(&self, now: &Now<'_>) -> Level {
        if self.is_due(self.gauge.due.load(Ordering::Relaxed), now.get()) {
            self.look_if_due();
        }
        self.level()
    }

    /// A look that is further away than the interval was set before the clock stepped back.
    #[inline]
    fn is_due(&self, due: u64, now: Timestamp) -> bool {
        let left = due.saturating_sub(now.as_nanos());
        left == 0 || left > self.gauge.interval.load(Ordering::Relaxed)
    }

    /// Looks, unless another thread has seen too that it is due, and was faster.
    ///
    /// The time is read again, after the word: a thread that was held up since it read the time would otherwise take what
    /// others have done meanwhile for a step back of the clock.
    #[cold]
    fn look_if_due(&self) {
        let due = self.gauge.due.load(Ordering::Acquire);
        let now = self.gauge.clock.now();
        let next = self.next_due(now);
        if self.is_due(due, now)
            && self.gauge.due.compare_exchange(due, next, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        {
            self.look();
        }
    }

    fn next_due(&self, now: Timestamp) -> u64 {
        now.as_nanos().saturating_add(self.gauge.interval.load(Ordering::Relaxed))
    }

    /// Looks now, whatever the interval, unless another thread is about it. Gives the level.
    pub fn sample(&self) -> Level {
        self.gauge.due.store(self.next_due(self.gauge.clock.now()), Ordering::Release);
        self.look();
        self.level()
    }

    /// Looks at every interval, for as long as it is polled: run it in a task of its own where calls are rare, so that
    /// features come back without them. Any number of tasks may do so. It works on every kind of [`Clock`]. An interval that is
    /// configured meanwhile holds for it from its next look on.
    ///
    /// ```
    /// # use seawall_bulkhead::load::{Config, LoadGauge};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), seawall_core::ConfigError> {
    /// let load = LoadGauge::new(Config::default())?;
    /// let followed = load.clone();
    /// let following = tokio::spawn(async move { followed.follow_time().await });
    /// # following.abort();
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future ends the following; nothing else changes.
    pub async fn follow_time(&self) -> Infallible {
        loop {
            self.update();
            let due = Timestamp::from_nanos(self.gauge.due.load(Ordering::Relaxed));
            self.gauge.clock.sleep_until(due).await;
        }
    }

    /// One look, by one thread at a time, which reads the time itself: so looks are in the order of their times.
    fn look(&self) {
        if self.gauge.looking.swap(true, Ordering::Acquire) {
            return;
        }
        let _looking = Looking(&self.gauge.looking);
        let now = self.gauge.clock.now();
        let sources = self.gauge.sources.lock().clone();
        // Without a lock: this is the user's code.
        sources.iter().for_each(|source| source.look(now));
        let mut events = Vec::new();
        let observer = {
            let mut control = self.gauge.control.lock();
            self.judge(&mut control, &sources, now, &mut events);
            if events.is_empty() { None } else { control.config.observer.clone() }
        };
        for event in &events {
            event.tell(observer.as_deref());
        }
    }

    fn judge(&self, control: &mut Control, sources: &[Arc<Source>], now: Timestamp, events: &mut Vec<Event>) {
        let Control { config, levels, smoothing, switches, entered } = control;
        let name = self.gauge.name;
        let told = sources.iter().filter_map(|source| Some((source.value(config.max_age, now)?, source.weight)));
        let load = combine(config.combine, told);
        // What nobody tells of is as good as no load: everything comes back.
        let load = smoothing.smooth(load, config.smoothing, now).unwrap_or(0.0);
        if let Some(from) = levels.observe(load, now) {
            let to = levels.level();
            entered[to as usize] += 1;
            events.push(Event::LevelChanged { name, from, to, load });
        }
        let level = levels.level();
        self.publish(levels, config.levels.dwell);
        switches.follow(level, config.stagger, now, |flag, on| {
            events.push(Event::FeatureSwitched { name, feature: flag.name, on, level });
        });
    }

    fn publish(&self, levels: &Levels, dwell: Duration) {
        self.gauge.falls_at.store(levels.falls_at().as_nanos(), Ordering::Relaxed);
        self.gauge.dwell.store(nanos(dwell), Ordering::Relaxed);
        self.gauge.level.store(levels.level() as u8, Ordering::Relaxed);
    }

    /// Takes over `config`, at once and for all handles. The level, since when it holds, the signals and the features stay;
    /// the next call makes it look.
    ///
    /// # Errors
    /// Names the first field whose value cannot be, or the name if it is another one; then nothing has changed.
    pub fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        let name = config.check()?;
        if name != self.gauge.name {
            let valid = format!("{:?}: a gauge keeps its name", self.gauge.name);
            return Err(ConfigError::new("name", format!("{:?}", config.name), valid));
        }
        let (event, observer, _old) = {
            let mut control = self.gauge.control.lock();
            control.levels.reconfigure(config.levels)?;
            self.publish(&control.levels, config.levels.dwell);
            self.gauge.interval.store(nanos(config.interval), Ordering::Relaxed);
            let level = control.levels.level();
            let observer = config.observer.clone();
            // What was configured before is dropped after the lock is released: an observer may be anything.
            (Event::Reconfigured { name, level }, observer, std::mem::replace(&mut control.config, config))
        };
        self.gauge.due.store(self.gauge.clock.now().as_nanos(), Ordering::Release);
        event.tell(observer.as_deref());
        Ok(())
    }

    /// The earliest time after which the level may be below `bound`: the rest of this dwell time and whole ones for the steps
    /// after it, and never before the next look.
    pub(crate) fn earliest_below(&self, bound: Level, now: &Now<'_>) -> Duration {
        let now = now.get().as_nanos();
        let look = self.gauge.due.load(Ordering::Relaxed).saturating_sub(now);
        let steps = self.level().steps_below(bound);
        if steps == 0 {
            return Duration::from_nanos(look);
        }
        let first = self.gauge.falls_at.load(Ordering::Relaxed).saturating_sub(now).max(look);
        let others = self.gauge.dwell.load(Ordering::Relaxed).saturating_mul(u64::from(steps - 1));
        Duration::from_nanos(first.saturating_add(others))
    }

    /// Its signals, and what it has made of them.
    pub(crate) fn with_control<T>(&self, look: impl FnOnce(&[Arc<Source>], &Control) -> T) -> T {
        let sources = self.gauge.sources.lock().clone();
        look(&sources, &self.gauge.control.lock())
    }
}

/// The values and weights of signals as one load; `None` of nothing.
fn combine(how: Combine, told: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    match how {
        Combine::Max => told.map(|(value, _)| value).reduce(f64::max),
        Combine::WeightedMean => {
            let (sum, weights) =
                told.fold((0.0, 0.0), |(sum, weights), (value, weight)| (value.mul_add(weight, sum), weights + weight));
            (weights > 0.0).then(|| (sum / weights).min(1.0))
        }
    }
}

/// Lets others look when it is dropped, by a panic too.
struct Looking<'a>(&'a AtomicBool);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for LoadGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadGauge")
            .field("name", &self.name())
            .field("level", &self.level())
            .field("load", &self.load())
            .finish_non_exhaustive()
    }
}
