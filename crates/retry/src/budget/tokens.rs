use seawall_core::stripe::Padded;
use seawall_core::sync::atomic::{AtomicU64, Ordering};

use super::billionths::ONE;
use super::settings::Throttle;

/// gRPC's tokens. All is in billionths.
///
/// While all tokens are there, which is so while nothing fails, a success reads and writes nothing.
#[derive(Debug)]
pub(super) struct Purse(Padded<Cells>);

#[derive(Debug)]
struct Cells {
    tokens: AtomicU64,
    max: AtomicU64,
    returned: AtomicU64,
}

impl Purse {
    pub(super) fn new(throttle: Throttle) -> Self {
        let Throttle { max, returned } = throttle;
        let (tokens, returned) = (AtomicU64::new(max), AtomicU64::new(returned));
        Self(Padded(Cells { tokens, max: AtomicU64::new(max), returned }))
    }

    #[inline]
    fn max(&self) -> u64 {
        self.0.0.max.load(Ordering::Relaxed)
    }

    /// What is left.
    pub(super) fn tokens(&self) -> u64 {
        self.0.0.tokens.load(Ordering::Relaxed)
    }

    /// The least that is more than a half.
    pub(super) fn needed(&self) -> u64 {
        self.max() / 2 + 1
    }

    #[inline]
    pub(super) fn judge(&self, good: bool) {
        if !good {
            self.change(|tokens| tokens.saturating_sub(ONE));
        } else if self.0.0.tokens.load(Ordering::Relaxed) < self.max() {
            let returned = self.0.0.returned.load(Ordering::Relaxed);
            self.change(|tokens| tokens.saturating_add(returned));
        }
    }

    #[cold]
    #[inline(never)]
    fn change(&self, change: impl Fn(u64) -> u64) {
        let changed = |tokens| Some(change(tokens).min(self.max()));
        let result = self.0.0.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
        debug_assert!(result.is_ok(), "there is always a new value");
    }

    pub(super) fn reconfigure(&self, throttle: Throttle) {
        self.0.0.returned.store(throttle.returned, Ordering::Relaxed);
        self.0.0.max.store(throttle.max, Ordering::Relaxed);
        self.change(|tokens| tokens);
    }
}
