use seawall_core::ConfigError;
use seawall_core::sync::atomic::{AtomicU64, Ordering, fence};
use seawall_core::time::Timestamp;

use crate::figures::Limits;
use crate::limit::Gcra;
use crate::quota::Quota;

/// A [`Gcra`] that can be replaced while it is read, without a lock.
///
/// Readers take what they read only if the version was the same before and after, and even. Writers are one at a time.
pub(crate) struct Published {
    version: AtomicU64,
    interval: AtomicU64,
    capacity: AtomicU64,
    /// The quota's limit above, the burst that was set, or 0, below.
    sizes: AtomicU64,
    period: AtomicU64,
    /// The same for ever, so that what is remembered keeps its meaning.
    ticks_per_nano: u64,
    zero: Timestamp,
}

impl Published {
    pub(crate) fn new(gcra: &Gcra, quota: Quota) -> Self {
        let published = Self {
            version: AtomicU64::new(0),
            interval: AtomicU64::new(0),
            capacity: AtomicU64::new(0),
            sizes: AtomicU64::new(0),
            period: AtomicU64::new(0),
            ticks_per_nano: gcra.ticks_per_nano(),
            zero: gcra.zero(),
        };
        published.write(gcra, quota);
        published
    }

    fn write(&self, gcra: &Gcra, quota: Quota) {
        let limits = Limits::of(quota);
        self.interval.store(gcra.interval(), Ordering::Relaxed);
        self.capacity.store(gcra.capacity(), Ordering::Relaxed);
        self.sizes.store(limits.sizes(), Ordering::Relaxed);
        self.period.store(limits.period, Ordering::Relaxed);
    }

    /// What is published now.
    #[inline(always)]
    pub(crate) fn read(&self) -> (Gcra, Limits) {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let sizes = self.sizes.load(Ordering::Relaxed);
            let limits = Limits::from_words(sizes, self.period.load(Ordering::Relaxed));
            let gcra = Gcra::from_parts(
                self.ticks_per_nano,
                self.interval.load(Ordering::Relaxed),
                self.capacity.load(Ordering::Relaxed),
                limits.burst_size(),
                self.zero,
            );
            fence(Ordering::Acquire);
            if version & 1 == 0 && self.version.load(Ordering::Relaxed) == version {
                return (gcra, limits);
            }
            Self::pause();
        }
    }

    /// Publishes the limit of `quota` in the same ticks. `meanwhile` is called with the old limit and the new one while readers
    /// wait; callers hold a lock.
    pub(crate) fn replace(&self, quota: Quota, meanwhile: impl FnOnce(&Gcra, &Gcra)) -> Result<(), ConfigError> {
        let (old, _) = self.read();
        let new = old.alike(quota)?;
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.write(&new, quota);
        meanwhile(&old, &new);
        self.version.store(version + 2, Ordering::Release);
        Ok(())
    }

    #[cold]
    fn pause() {
        #[cfg(not(seawall_loom))]
        std::thread::yield_now();
        #[cfg(seawall_loom)]
        loom::thread::yield_now();
    }
}
