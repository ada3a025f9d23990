use std::time::Duration;

use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::round_trip::stepped_back;
use super::settings::Fields;
use super::{Sample, Signal};

/// Refuses calls while the processor is busy and more are in flight than by Little's law the best moments of the last seconds had
/// (the BBR limiter of aegis, and Sentinel's system rule; named after the congestion control of Cardwell et al., 2016).
///
/// In each of `buckets` parts of `window` it counts the calls that completed and their average time. With `passes` the most
/// in one part, `rtt` the least average rounded up to `resolution`, both without the part that runs, the most that should be in flight is
/// `⌊passes · rtt · parts per second + ½⌋`.
///
/// ```
/// use seawall_bulkhead::limit::{Bbr, Sample, Signal};
/// use seawall_core::time::Timestamp;
/// use std::time::Duration;
///
/// let mut gate = Bbr::default().build()?;
/// let rtt = Duration::from_millis(50);
/// for i in 0..100 {
///     gate.on_sample(&Sample::new(Timestamp::ZERO + rtt + Duration::from_millis(i * 10), rtt, 5, Signal::Completed));
/// }
/// let now = Timestamp::ZERO + Duration::from_secs(2);
/// assert_eq!(gate.max_in_flight(now), 5, "10 in a tenth of a second, 50 ms each");
/// assert!(!gate.should_drop(now, 8, 0.5), "the processor has time");
/// assert!(gate.should_drop(now, 8, 0.9));
/// assert!(!gate.should_drop(now, 4, 0.9));
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Bbr {
    /// How far it looks back: up to 366 days. Default 10 s.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub window: Duration,
    /// In how many parts: 2 to 1000. Default 100.
    pub buckets: u32,
    /// From which share of the processor on it is busy: above 0 and at most 1. Default 0.8.
    pub cpu: f64,
    /// For how long after the processor was busy and a call was refused the gate still looks at what is in flight: up to 366 days.
    /// Default 1 s.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub cooldown: Duration,
    /// To multiples of what times are rounded up, so that very quick calls are not held back by a few: up to 366 days. Default 1 ms.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub resolution: Duration,
}

setters!(Bbr { window: Duration, buckets: u32, cpu: f64, cooldown: Duration, resolution: Duration });

impl Default for Bbr {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            buckets: 100,
            cpu: 0.8,
            cooldown: Duration::from_secs(1),
            resolution: Duration::from_millis(1),
        }
    }
}

impl Bbr {
    /// The gate at its beginning.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(self) -> Result<BbrGate, ConfigError> {
        let fields = Fields("bbr");
        fields.duration("window", self.window)?;
        fields.count("buckets", self.buckets, 2, 1_000)?;
        fields.share("cpu", self.cpu)?;
        fields.duration("cooldown", self.cooldown)?;
        fields.duration("resolution", self.resolution)?;
        let width = nanos(self.window) / u64::from(self.buckets);
        if width == 0 {
            return Err(fields.error("window", format!("{:?}", self.window), "at least 1ns for each of the `buckets`"));
        }
        Ok(BbrGate {
            config: self,
            width,
            buckets: vec![Bucket::default(); self.buckets as usize],
            best: None,
            dropped: None,
            now: Timestamp::ZERO,
        })
    }
}

/// [`Bbr`] at work.
#[derive(Clone, Debug)]
pub struct BbrGate {
    config: Bbr,
    /// Of a bucket, in nanoseconds.
    width: u64,
    /// Each at its number modulo theirs.
    buckets: Vec<Bucket>,
    /// What was found for the bucket of this number.
    best: Option<(u64, Best)>,
    /// When a call was refused while the processor was busy.
    dropped: Option<Timestamp>,
    /// The latest time that was told.
    now: Timestamp,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    number: u64,
    passes: u64,
    nanos: u128,
}

#[derive(Clone, Copy, Debug)]
struct Best {
    passes: u64,
    nanos: u64,
}

impl BbrGate {
    /// A call has ended. Only those that completed count.
    pub fn on_sample(&mut self, sample: &Sample) {
        self.follow(sample.at);
        if sample.signal != Signal::Completed {
            return;
        }
        let number = self.number(sample.at);
        let bucket = &mut self.buckets[place(number, self.config.buckets)];
        if bucket.number < number {
            *bucket = Bucket { number, ..Bucket::default() };
        }
        // One that came so late that its part is over for a whole window counts nowhere.
        if bucket.number == number {
            bucket.passes += 1;
            bucket.nanos += u128::from(sample.nanos());
        }
    }

    /// Whether to refuse a call that comes now, when so many are in flight without it and this share of the processor, 0 to 1, is busy.
    /// Smooth the share: aegis takes every half second a twentieth of what it is then.
    pub fn should_drop(&mut self, now: Timestamp, in_flight: u32, cpu: f64) -> bool {
        self.follow(now);
        let now = self.now;
        let busy = cpu >= self.config.cpu;
        let cooling = || self.dropped.is_some_and(|at| now.saturating_duration_since(at) <= self.config.cooldown);
        if !busy && !cooling() {
            return false;
        }
        let drop = in_flight > 1 && in_flight > self.max_in_flight(now);
        if drop && busy {
            self.dropped = Some(now);
        }
        drop
    }

    /// How many should be in flight at most.
    #[expect(clippy::cast_precision_loss, reason = "a product of a rate and a time")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is as good")]
    pub fn max_in_flight(&mut self, now: Timestamp) -> u32 {
        let Best { passes, nanos } = self.best(now);
        (passes as f64 * nanos as f64 / self.width as f64 + 0.5).floor() as u32
    }

    /// The most calls that completed in one part of the window that is over: at least 1.
    pub fn max_passes(&mut self, now: Timestamp) -> u64 {
        self.best(now).passes
    }

    /// The least average time of such a part, rounded up; the resolution if there was no call.
    pub fn min_rtt(&mut self, now: Timestamp) -> Duration {
        Duration::from_nanos(self.best(now).nanos)
    }

    /// Parts that are over do not change: they are looked at once in each part.
    fn best(&mut self, now: Timestamp) -> Best {
        self.follow(now);
        let current = self.number(self.now);
        if let Some((number, best)) = self.best
            && number == current
        {
            return best;
        }
        let oldest = (current + 1).saturating_sub(self.buckets.len() as u64);
        let over = self
            .buckets
            .iter()
            .filter(|bucket| bucket.passes > 0 && bucket.number >= oldest && bucket.number < current);
        let passes = over.clone().map(|bucket| bucket.passes).max().unwrap_or(1);
        let average = over.map(|bucket| bucket.nanos.div_ceil(u128::from(bucket.passes))).min().unwrap_or(1);
        let resolution = u128::from(nanos(self.config.resolution));
        let rounded = u64::try_from(average.div_ceil(resolution) * resolution).unwrap_or(u64::MAX);
        let best = Best { passes, nanos: rounded };
        self.best = Some((current, best));
        best
    }

    fn number(&self, at: Timestamp) -> u64 {
        at.as_nanos() / self.width
    }

    /// What was counted in a future that has not come is forgotten.
    fn follow(&mut self, now: Timestamp) {
        if stepped_back(self.now, now) {
            self.now = now;
            self.dropped = None;
            self.best = None;
            self.buckets.fill(Bucket::default());
        }
        self.now = self.now.max(now);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn place(number: u64, buckets: u32) -> usize {
    usize::try_from(number % u64::from(buckets)).unwrap_or_default()
}
