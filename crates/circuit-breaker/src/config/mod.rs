mod ema;
mod half_open;
mod open;
mod recovery;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;

pub use ema::{EmaWindow, SuccessRateEma};
pub use half_open::{HalfOpen, Undecided};
pub use open::OpenInterval;
pub use recovery::Recovery;
pub use window::Window;

use crate::event::{Event, OpenBy, Trip};

/// What opens the circuit, how long it stays open, and what closes it again.
///
/// Values are checked when a breaker takes the configuration; the error names the field.
///
/// ```
/// use seawall_circuit_breaker::{CircuitBreaker, Config, Window};
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker::new(
///     Config::default()
///         .name("payment")
///         .window(Window::time(Duration::from_secs(10)).minimum_calls(20))
///         .failure_rate(0.5)
///         .slow_calls(Duration::from_millis(800), 0.8)
///         .open_for(Duration::from_secs(5)),
/// )?;
/// let error = CircuitBreaker::new(Config::default().failure_rate(1.5)).unwrap_err();
/// assert_eq!(error.to_string(), "`failure_rate` is 1.5, must be a number above 0 and at most 1");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "crate::format::Config"))]
pub struct Config {
    pub(crate) name: String,
    pub(crate) window: Window,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) failure_rate: Option<f64>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) slow_calls: Option<SlowCalls>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) consecutive_failures: Option<u32>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) failures_in_period: Option<FailuresInPeriod>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) failures_in_window: Option<u32>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) success_rate_ema: Option<SuccessRateEma>,
    pub(crate) durations: bool,
    pub(crate) abandoned: Abandoned,
    pub(crate) open: OpenInterval,
    pub(crate) half_open: HalfOpen,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) recovery: Option<Recovery>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) open_by: Option<OpenBy>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) observer: Option<Arc<dyn Observer<Event>>>,
}

/// When slow calls open the circuit.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct SlowCalls {
    /// A call that takes longer is slow, whatever its result.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub after: Duration,
    /// The share of slow calls that opens the circuit: above 0, at most 1.
    pub rate: f64,
}

/// So many failures in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct FailuresInPeriod {
    /// How many failures: 1 to 100 000.
    pub failures: u32,
    /// In what time, exactly.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub period: Duration,
}

/// What a call counts as that was dropped before its end.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Abandoned {
    /// As nothing.
    Ignore,
    /// As a failure.
    Failure,
    /// As abandoned: the circuit opens when at least this share of the window's calls was. At the default of 1 a timeout
    /// around a dependency that hangs opens the circuit, while callers that go away among calls that end do not.
    Rate(f64),
}

impl Default for Config {
    /// Opens at half of the calls of 30 seconds failing, of at least 20; stays open for 30 seconds; two of three probes
    /// close it.
    fn default() -> Self {
        Self { failure_rate: Some(0.5), ..Self::empty() }
    }
}

impl Config {
    /// Nothing opens this one; a rule must be added.
    pub fn empty() -> Self {
        Self {
            name: "circuit_breaker".into(),
            window: Window::time(Duration::from_secs(30)),
            failure_rate: None,
            slow_calls: None,
            consecutive_failures: None,
            failures_in_period: None,
            failures_in_window: None,
            success_rate_ema: None,
            durations: false,
            abandoned: Abandoned::Rate(1.0),
            open: OpenInterval::default(),
            half_open: HalfOpen::default(),
            recovery: None,
            open_by: None,
            observer: None,
        }
    }

    /// The textbook's breaker: 5 consecutive failures open it, for 60 seconds; 3 successes of 3 probes close it.
    ///
    /// It needs no window, and on success not even the time: the cheapest to call.
    pub fn classic() -> Self {
        Self::empty().consecutive_failures(5).open_for(Duration::from_secs(60)).half_open(HalfOpen::probes(3))
    }

    /// Names the instance: in its refusals, metrics and events. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Takes rates over this window.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Opens when at least this share of the window's calls failed: above 0, at most 1.
    #[must_use]
    pub fn failure_rate(mut self, rate: f64) -> Self {
        self.failure_rate = Some(rate);
        self
    }

    /// Opens when at least the share `rate` of the window's calls took longer than `after`, whatever their result.
    #[must_use]
    pub fn slow_calls(mut self, after: Duration, rate: f64) -> Self {
        self.slow_calls = Some(SlowCalls { after, rate });
        self
    }

    /// Opens at so many failures with no success between.
    #[must_use]
    pub fn consecutive_failures(mut self, failures: u32) -> Self {
        self.consecutive_failures = Some(failures);
        self
    }

    /// Opens at so many failures within `period`, however many calls succeed.
    #[must_use]
    pub fn failures_in_period(mut self, failures: u32, period: Duration) -> Self {
        self.failures_in_period = Some(FailuresInPeriod { failures, period });
        self
    }

    /// Opens as soon as so many of the window's calls failed, however many there are: "3 of the last 10". 1 to the window's
    /// size.
    #[must_use]
    pub fn failures_in_window(mut self, failures: u32) -> Self {
        self.failures_in_window = Some(failures);
        self
    }

    /// Opens when the exponential moving average of the success rate falls below what is required.
    #[must_use]
    pub fn success_rate_ema(mut self, rule: SuccessRateEma) -> Self {
        self.success_rate_ema = Some(rule);
        self
    }

    /// Whether the window, and a half-open circuit's probes, also keep how long their calls took: the total and the mean, in the
    /// [snapshot](crate::Snapshot::durations) and the metrics. By default not. It opens nothing.
    ///
    /// Without it durations cost nothing. With it every success takes the lock and reads the clock twice, as a failure always
    /// does, instead of being counted by its thread alone; and a count window takes 16 more bytes of memory for each call.
    /// For percentiles, or where many threads share a breaker, measure calls with a histogram outside of it.
    ///
    /// ```
    /// use seawall_circuit_breaker::{CircuitBreaker, Config, Window};
    /// use seawall_core::Outcome;
    /// use std::time::Duration;
    ///
    /// let breaker = CircuitBreaker::new(Config::default().window(Window::count(100)).durations(true))?;
    /// breaker.record(Outcome::Success, Duration::from_millis(20));
    /// breaker.record(Outcome::Failure, Duration::from_millis(40));
    /// let durations = breaker.snapshot().durations.expect("they are kept");
    /// assert_eq!(durations.total, Duration::from_millis(60));
    /// assert_eq!(durations.mean(), Some(Duration::from_millis(30)));
    /// # Ok::<(), seawall_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn durations(mut self, kept: bool) -> Self {
        self.durations = kept;
        self
    }

    /// What dropped calls count as.
    #[must_use]
    pub fn abandoned(mut self, abandoned: Abandoned) -> Self {
        self.abandoned = abandoned;
        self
    }

    /// Stays open so long, each time.
    #[must_use]
    pub fn open_for(mut self, interval: Duration) -> Self {
        self.open = OpenInterval { first: interval, multiplier: 1.0, max: self.open.max.max(interval), ..self.open };
        self
    }

    /// Stays open as this says.
    #[must_use]
    pub fn open(mut self, interval: OpenInterval) -> Self {
        self.open = interval;
        self
    }

    /// Stays open as long as `interval` says of each trip. It must not call the breaker, whose lock is held meanwhile, nor the
    /// keyed breakers that it belongs to. If it panics, the circuit opens for the configured interval, and the panic goes on in
    /// the caller whose call opened it.
    #[must_use]
    pub fn open_by(mut self, interval: impl Fn(&Trip) -> Duration + Send + Sync + 'static) -> Self {
        self.open_by = Some(Arc::new(interval));
        self
    }

    /// Decides so when half-open.
    #[must_use]
    pub fn half_open(mut self, half_open: HalfOpen) -> Self {
        self.half_open = half_open;
        self
    }

    /// Lets calls back in by growing shares once the probes have succeeded, instead of all at once.
    #[must_use]
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = Some(recovery);
        self
    }

    /// Tells `observer` of every transition, after all locks are released.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer<Event> + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("window", &self.window)
            .field("failure_rate", &self.failure_rate)
            .field("slow_calls", &self.slow_calls)
            .field("consecutive_failures", &self.consecutive_failures)
            .field("failures_in_period", &self.failures_in_period)
            .field("failures_in_window", &self.failures_in_window)
            .field("success_rate_ema", &self.success_rate_ema)
            .field("durations", &self.durations)
            .field("abandoned", &self.abandoned)
            .field("open", &self.open)
            .field("half_open", &self.half_open)
            .field("recovery", &self.recovery)
            .finish_non_exhaustive()
    }
}
