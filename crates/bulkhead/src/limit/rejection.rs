use seawall_core::Priority;

/// The share of calls to refuse while so many wait: none up to `threshold`, all from `max` on, in between as far as the queue has come
/// (failsafe-go's queueing limiter).
///
/// Multiples of the limit make good bounds: refuse from two times as many waiting on, all at three times.
///
/// ```
/// use seawall_bulkhead::limit::rejection_rate;
///
/// assert_eq!(rejection_rate(40, 40, 60), 0.0);
/// assert_eq!(rejection_rate(45, 40, 60), 0.25);
/// assert_eq!(rejection_rate(60, 40, 60), 1.0);
/// ```
#[expect(clippy::cast_precision_loss, reason = "a share of two queue lengths")]
pub fn rejection_rate(queued: u64, threshold: u64, max: u64) -> f64 {
    if queued >= max {
        1.0
    } else if queued <= threshold {
        0.0
    } else {
        (queued - threshold) as f64 / (max - threshold) as f64
    }
}

/// The level of a call of this priority: a hundred levels each, the lowest priority first. `within` orders those of one priority, 0 to
/// 99; more are taken for 99.
///
/// ```
/// use seawall_bulkhead::Priority;
/// use seawall_bulkhead::limit::level;
///
/// assert_eq!(level(Priority::Low, 7), 7);
/// assert_eq!(level(Priority::Critical, 100), 399);
/// ```
pub fn level(priority: Priority, within: u8) -> u16 {
    let class = match priority {
        Priority::Low => 0,
        Priority::Normal => 1,
        Priority::High => 2,
        Priority::Critical => 3,
    };
    class * 100 + u16::from(within.min(99))
}

/// The levels of the latest calls: tells below which one a share of them lies, so that refusing those refuses this share
/// (failsafe-go's prioritizer).
///
/// ```
/// use seawall_bulkhead::Priority;
/// use seawall_bulkhead::limit::{Levels, level, rejection_rate};
///
/// let mut levels = Levels::new(1_000);
/// for within in 0..100 {
///     levels.record(level(Priority::Low, within));
///     levels.record(level(Priority::High, within));
/// }
/// let rate = rejection_rate(45, 40, 60);
/// assert!(!levels.admits(level(Priority::Low, 10), rate));
/// assert!(levels.admits(level(Priority::Low, 60), rate));
/// assert!(levels.admits(level(Priority::High, 0), rate));
/// ```
///
/// Recording takes constant time, asking time in the number of levels. Nothing is allocated after [`new`](Self::new).
#[derive(Clone, Debug)]
pub struct Levels {
    /// The latest, a ring.
    latest: Vec<u16>,
    next: usize,
    size: usize,
    /// How many there are of each.
    counts: Vec<u32>,
}

impl Levels {
    /// The highest level.
    pub const HIGHEST: u16 = 499;

    /// Of the latest `size` calls: 1 to 1 000 000; a number beyond is taken for the nearest.
    pub fn new(size: u32) -> Self {
        let size = size.clamp(1, 1_000_000) as usize;
        Self { latest: Vec::with_capacity(size), next: 0, size, counts: vec![0; usize::from(Self::HIGHEST) + 1] }
    }

    /// A call of this level has come, admitted or not. A level above the [highest](Self::HIGHEST) is taken for that.
    pub fn record(&mut self, level: u16) {
        let level = level.min(Self::HIGHEST);
        self.counts[usize::from(level)] += 1;
        if self.latest.len() < self.size {
            self.latest.push(level);
            return;
        }
        let oldest = std::mem::replace(&mut self.latest[self.next], level);
        self.counts[usize::from(oldest)] -= 1;
        self.next = (self.next + 1) % self.size;
    }

    /// The lowest level such that at least the share `quantile` of the calls is not above it; 0 if there was no call.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    pub fn level(&self, quantile: f64) -> u16 {
        let rank = (quantile.clamp(0.0, 1.0) * self.latest.len() as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        for (level, count) in (0..).zip(&self.counts) {
            below += u64::from(*count);
            if below >= rank {
                return level;
            }
        }
        0
    }

    /// Whether a call of this level is among those to admit when the share `rate` is to be refused.
    pub fn admits(&self, level: u16, rate: f64) -> bool {
        rate <= 0.0 || level >= self.level(rate)
    }
}
