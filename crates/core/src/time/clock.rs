use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::manual::{Manual, ManualTime};
use super::{BoxFuture, Sleep, Timestamp};

/// A source of time, and of sleeps that end by it: concrete, cheap to clone, without a type parameter.
///
/// | clock | `now` | sleeps |
/// |---|---|---|
/// | [`system`](Self::system) | monotonic, by the processor's time-stamp counter where there is one | on any runtime, or none |
/// | [`tokio`](Self::tokio) | tokio's, follows `tokio::time::pause` and `advance` | tokio's timer |
/// | [`manual`](Self::manual) | moves only when told | end when the time is moved past them, in deadline order |
/// | [`custom`](Self::custom) | a [`TimeDriver`] | a [`TimeDriver`] |
///
/// ```
/// use seawall_core::time::Clock;
/// use std::time::Duration;
///
/// let (clock, time) = Clock::manual();
/// let before = clock.now();
/// time.advance(Duration::from_secs(30));
/// assert_eq!(clock.now(), before + Duration::from_secs(30));
/// ```
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    System(&'static System),
    #[cfg(feature = "tokio")]
    Tokio,
    Manual(Arc<Manual>),
    Custom(Arc<dyn TimeDriver>),
}

/// A user's own clock and timer.
pub trait TimeDriver: Send + Sync {
    /// The time now, since any zero. What counts time counts from when it is made: nine years after that some algorithms have counted
    /// to their end (token buckets of keys after four and a half). It may step backwards: every algorithm here takes that without
    /// over-admitting, and is back after its own time.
    fn now(&self) -> Timestamp;

    /// A future that ends once [`now`](Self::now) is at or past `at`. Dropping it cancels the wait.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture;
}

/// The process's one origin, in both of the forms in which time is read.
struct System {
    clock: quanta::Clock,
    raw_origin: u64,
    /// Nanoseconds that pass in 2^40 of the counter's ticks. Over so many the rounding is below the calibration's own error,
    /// and a shift by a constant costs half of one by a variable.
    scale: u64,
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "only tokio's instants are dated by it"))]
    origin: Instant,
}

impl System {
    const SCALE_BITS: u32 = 40;

    fn get() -> &'static Self {
        static SYSTEM: OnceLock<System> = OnceLock::new();
        SYSTEM.get_or_init(|| {
            let clock = quanta::Clock::new();
            let raw_origin = clock.raw();
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
            let origin = Instant::now();
            let scale = clock.delta_as_nanos(0, 1 << Self::SCALE_BITS);
            Self { clock, raw_origin, scale, origin }
        })
    }

    #[inline(always)]
    fn now(&self) -> Timestamp {
        let ticks = self.clock.raw().saturating_sub(self.raw_origin);
        let nanos = (u128::from(ticks) * u128::from(self.scale)) >> Self::SCALE_BITS;
        #[expect(clippy::cast_possible_truncation, reason = "64 bits of nanoseconds last 584 years")]
        Timestamp::from_nanos(nanos as u64)
    }
}

impl Clock {
    /// The system's monotonic clock. Its sleeps need no runtime: one helper thread of the process ends them.
    #[inline]
    pub fn system() -> Self {
        Self(Kind::System(System::get()))
    }

    /// Tokio's clock: real outside of tests, and the paused one under `tokio::time::pause`.
    ///
    /// Its sleeps must be polled inside a tokio runtime whose time driver is enabled.
    #[cfg(feature = "tokio")]
    pub fn tokio() -> Self {
        System::get();
        Self(Kind::Tokio)
    }

    /// A clock for tests, and the hand that moves it. It starts at [`Timestamp::ZERO`].
    pub fn manual() -> (Self, ManualTime) {
        let manual = Arc::new(Manual::default());
        (Self(Kind::Manual(manual.clone())), ManualTime::new(manual))
    }

    /// A clock of the user's own.
    pub fn custom(driver: Arc<dyn TimeDriver>) -> Self {
        Self(Kind::Custom(driver))
    }

    /// The time now.
    #[inline(always)]
    pub fn now(&self) -> Timestamp {
        if let Kind::System(system) = &self.0 { system.now() } else { self.other_now() }
    }

    /// Apart, so that reading the system's time is small enough to be inlined everywhere.
    #[inline(never)]
    fn other_now(&self) -> Timestamp {
        match &self.0 {
            Kind::System(system) => system.now(),
            #[cfg(feature = "tokio")]
            Kind::Tokio => tokio_now(),
            Kind::Manual(manual) => manual.now(),
            Kind::Custom(driver) => driver.now(),
        }
    }

    /// A future that ends at `at`, never before.
    ///
    /// # Cancel safety
    /// Dropping it cancels the wait and frees its timer.
    pub fn sleep_until(&self, at: Timestamp) -> Sleep {
        match &self.0 {
            Kind::System(_) => Sleep::system(self.clone(), at),
            #[cfg(feature = "tokio")]
            Kind::Tokio => Sleep::tokio(tokio_instant(at)),
            Kind::Manual(manual) => Sleep::manual(manual.clone(), at),
            Kind::Custom(driver) => Sleep::custom(driver.sleep_until(at)),
        }
    }

    /// A future that ends `duration` from now.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Whether both tell the same time.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::System(_), Kind::System(_)) => true,
            #[cfg(feature = "tokio")]
            (Kind::Tokio, Kind::Tokio) => true,
            (Kind::Manual(a), Kind::Manual(b)) => Arc::ptr_eq(a, b),
            (Kind::Custom(a), Kind::Custom(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Default for Clock {
    /// The [system clock](Clock::system).
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::System(_) => "Clock::system",
            #[cfg(feature = "tokio")]
            Kind::Tokio => "Clock::tokio",
            Kind::Manual(_) => "Clock::manual",
            Kind::Custom(_) => "Clock::custom",
        })
    }
}

#[cfg(feature = "tokio")]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
fn tokio_now() -> Timestamp {
    let since = tokio::time::Instant::now().into_std().saturating_duration_since(System::get().origin);
    Timestamp::ZERO + since
}

#[cfg(feature = "tokio")]
fn tokio_instant(at: Timestamp) -> tokio::time::Instant {
    // An instant beyond what the platform can express is as good as one a century away.
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let origin = System::get().origin;
    let since = at.saturating_duration_since(Timestamp::ZERO);
    let instant = origin.checked_add(since).or_else(|| origin.checked_add(CENTURY)).unwrap_or(origin);
    tokio::time::Instant::from_std(instant)
}
