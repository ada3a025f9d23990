use std::hash::Hash;
use std::time::Duration;

use super::config::QuotaClass;
use super::limiter::KeyedLimiter;
use super::print::Print;
use super::seed::SeededHash;
use crate::figures::Figures;

/// What one key has left. Its name is not known: of keys only hashes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyStanding {
    /// The key's [mark](KeyedLimiter::mark_of).
    pub mark: u64,
    /// Which quota it had when it last called.
    pub class: QuotaClass,
    /// How many cells it could take now.
    pub remaining: u32,
    /// After how long it will be as if it had never taken anything, if it takes nothing more.
    pub reset_after: Duration,
}

impl KeyStanding {
    pub(super) const fn mark(print: Print) -> u64 {
        print.word()
    }

    fn new(print: Print, figures: Figures) -> Self {
        Self {
            mark: Self::mark(print),
            class: QuotaClass::new(print.class()),
            remaining: figures.remaining(),
            reset_after: figures.reset_after(),
        }
    }
}

impl<K: Hash + ?Sized, S: SeededHash> KeyedLimiter<K, S> {
    /// By what this key is told apart in [`each`](Self::each) and in [`Event::Burst`](crate::Event::Burst): its hash and its class.
    pub fn mark_of(&self, key: &K) -> u64 {
        KeyStanding::mark(self.print(key))
    }
}

impl<K: ?Sized, S> KeyedLimiter<K, S> {
    /// Tells what every key has left that has taken something which still counts, in no particular order. Keys of which nothing
    /// counts any more, and those that had to go for others, are not told.
    ///
    /// Looks at the whole table: about 10 ns for each slot that there is. The lock of a set is held while its four slots are read,
    /// and none while `tell` is called, which may ask this limiter. Keys that call meanwhile are told as they were before or after.
    ///
    /// ```
    /// use seawall_rate_limit::{Config, Keyed, KeyedRateLimiter, Quota};
    ///
    /// let users = KeyedRateLimiter::<str>::new(Keyed::new(Config::new(Quota::per_hour(5))))?;
    /// users.check_n("anne", 3).expect("three of five");
    /// users.check("bill").expect("one of five");
    ///
    /// let mut busiest = Vec::new();
    /// users.each(|key| busiest.push((key.remaining, key.mark)));
    /// busiest.sort_unstable();
    /// assert_eq!(busiest, [(2, users.mark_of("anne")), (4, users.mark_of("bill"))]);
    /// # Ok::<(), seawall_core::ConfigError>(())
    /// ```
    pub fn each(&self, mut tell: impl FnMut(KeyStanding)) {
        let now = self.clock.now();
        self.store.keep().each(now, &mut |print, figures| tell(KeyStanding::new(print, figures)));
    }
}
