use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use seawall_core::stripe::Striped;
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use seawall_core::time::{Clock, Timestamp};
use seawall_core::{ConfigError, Name, Shared};

use super::config::ClassOf;
use super::debts::Debts;
use super::print::Print;
use super::reservation::KeyedReservation;
use super::seed::{Seed, SeededHash, SipHash};
use super::settings::{Settings, next_id};
use super::store::{Keep, Store};
use super::watch::{Noted, Watch};
use crate::cell::{Decision, Denied, Granted, Steps};
use crate::figures::{Figures, Limits};
use crate::grant::{Grant, Origin};
use crate::limit::{Taken, Want};
use crate::limiter::{Counts, nanos};
use crate::meter::Standing;
use crate::quota::Quota;
use crate::throttled::Throttled;

/// A rate limiter for each key: a user, an address, a tenant. In bounded memory, and **no flood of new keys frees one that is
/// limited**.
///
/// It is a handle, cheap to clone and shared by all clones. [`new`](Shared::new) takes a [`Keyed`](crate::Keyed) configuration;
/// [`check`](KeyedLimiter::check) decides at once; [`with`](Shared::with) opens the front doors for one key and
/// [`by`](Shared::by) finds the key in each call.
///
/// ```
/// use seawall_rate_limit::{Config, Keyed, KeyedRateLimiter, Quota};
///
/// let users = KeyedRateLimiter::<str>::new(Keyed::new(Config::new(Quota::per_minute(2)).name("users")))?;
/// assert_eq!(users.check("anne").expect("the first of two").remaining(), 1);
/// assert!(users.check("anne").is_ok());
/// assert!(users.check("anne").unwrap_err().retry_after().is_some());
/// assert!(users.check("bill").is_ok());
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub type KeyedRateLimiter<K, S = SipHash> = Shared<KeyedLimiter<K, S>>;

/// The policy behind a [`KeyedRateLimiter`]: its own methods, which every handle has.
///
/// # What it remembers
/// Of a key only its hash, so that keys can be of any size, are never cloned, and are asked for as they are borrowed: `str`, not
/// `String`. The table has its whole size from the start. Each key belongs to a set of four slots, one cache line for
/// [`Gcra`](crate::Algorithm::Gcra).
///
/// A new key takes a slot whose key owes nothing any more. If all four owe something, the one that owes least has to go, and what
/// it owes is charged to all keys of that set that come without a slot, itself included: so **nobody ever passes more than the
/// limit, whatever keys come**, and the price is paid by newcomers, who find a little less than a whole quota as long as that
/// debt lasts. [`KeyedSnapshot::evicted_live`](crate::KeyedSnapshot::evicted_live) and
/// [`inherited`](crate::KeyedSnapshot::inherited) tell how often that happens and what it costs; if they grow without an attack,
/// the [capacity](crate::Keyed::capacity) is too small. Who wants newcomers refused has to keep a whole quota taken by four keys
/// in every set.
///
/// Two keys of one hash, of which 56 bits are kept, share a quota. That needs a million keys in a hundred thousand limiters to
/// happen to a single pair of them, and nobody can provoke it who does not know the [`Seed`].
///
/// # What it costs
/// A known key under [`Gcra`](crate::Algorithm::Gcra): its hash, one cache line, one compare-and-swap, no lock. Any other
/// algorithm, and any new key: a lock that few other keys have. Nothing is ever allocated, copied or looked through.
///
/// `Hash` of a key must not call this.
pub struct KeyedLimiter<K: ?Sized, S = SipHash> {
    pub(super) store: Store,
    hasher: S,
    pub(super) seed: Seed,
    class_of: Option<Arc<ClassOf<K>>>,
    pub(super) clock: Clock,
    steps: Steps,
    pub(super) name: Name,
    /// Which limiter of this process.
    pub(super) id: u32,
    pub(super) shadow: AtomicBool,
    /// How long a call without a deadline waits, in nanoseconds.
    pub(super) max_wait: AtomicU64,
    pub(super) counts: Striped<Counts>,
    /// Made when bursts are first watched for.
    pub(super) watch: OnceLock<Watch>,
    pub(super) settings: Mutex<Settings<K>>,
    over: PhantomData<fn(&K)>,
}

/// What a limiter is made of beside what it counts.
pub(super) struct Parts<K: ?Sized> {
    pub(super) store: Store,
    pub(super) seed: Seed,
    pub(super) class_of: Option<Arc<ClassOf<K>>>,
    pub(super) clock: Clock,
    pub(super) name: Name,
    pub(super) settings: Settings<K>,
    pub(super) watch: OnceLock<Watch>,
}

impl<K: ?Sized, S: SeededHash> KeyedLimiter<K, S> {
    pub(super) fn of(parts: Parts<K>) -> Self {
        let Parts { store, seed, class_of, clock, name, settings, watch } = parts;
        Self {
            store,
            hasher: S::with_seed(seed),
            seed,
            class_of,
            steps: Steps::new(&clock),
            clock,
            name,
            id: next_id(),
            shadow: AtomicBool::new(settings.is_shadow()),
            max_wait: AtomicU64::new(settings.max_wait()),
            counts: Striped::new(seawall_core::stripe::seats()),
            watch,
            settings: Mutex::new(settings),
            over: PhantomData,
        }
    }
}

impl<K: Hash + ?Sized, S: SeededHash> KeyedLimiter<K, S> {
    /// Takes a cell of this key's if there is one.
    ///
    /// # Errors
    /// [`Throttled`] if there is none.
    #[inline]
    pub fn check(&self, key: &K) -> Result<Grant, Throttled> {
        self.check_n(key, 1)
    }

    /// Takes so many cells if there are as many: all or none. No cell at all is a look: it always passes and takes nothing.
    ///
    /// # Errors
    /// [`Throttled`] if there are fewer; it is [never](Throttled::is_never) any use to retry if there never are as many at once.
    #[inline]
    pub fn check_n(&self, key: &K, cells: u32) -> Result<Grant, Throttled> {
        let print = self.print(key);
        self.decide(print, Want::now(self.clock.now(), cells))
    }

    /// Takes as many cells as there are, up to so many; perhaps none.
    pub fn take_up_to(&self, key: &K, cells: u32) -> Grant {
        let (print, now) = (self.print(key), self.clock.now());
        let cells = match self.watch.get() {
            Some(watch) if cells > 0 && self.note(watch, print, now).is_some() => 0,
            _ => cells,
        };
        let origin = self.origin(print);
        self.steps.note(now);
        match self.store.take_up_to(print, Want::now(now, cells), &self.clock) {
            Ok(granted) => self.granted(origin, granted),
            Err(_) => unreachable!("no cell at all is always granted"),
        }
    }

    /// What is left to this key now. Takes nothing, counts nothing, and is no reason to keep the key.
    pub fn peek(&self, key: &K) -> Grant {
        self.take_up_to(key, 0)
    }

    /// Promises so many cells for the earliest time that they are there, if that is at most `max_wait` from now.
    ///
    /// Promises are made in the order of the questions: nobody who asks later for the same key has an earlier turn. Each waits
    /// with one timer.
    ///
    /// # Errors
    /// [`Throttled`] at once if it would take longer; nothing is taken then.
    pub fn reserve(&self, key: &K, cells: u32, max_wait: Duration) -> Result<KeyedReservation<'_, K, S>, Throttled> {
        let want = Want { now: self.clock.now(), cells, max_wait: nanos(max_wait) };
        let grant = self.decide(self.print(key), want)?;
        Ok(KeyedReservation { limiter: self, grant: Some(grant) })
    }

    /// Waits for so many cells, however long it takes, in turn.
    ///
    /// # Errors
    /// [`Throttled`] at once if there never are as many.
    ///
    /// # Cancel safety
    /// Dropped before its turn, the future gives back what it had been promised.
    pub async fn acquire(&self, key: &K, cells: u32) -> Result<Grant, Throttled> {
        let reservation = self.reserve(key, cells, Quota::LONGEST)?;
        Ok(reservation.turn().await)
    }

    /// Forgets what this key has taken: it is as one that was never seen.
    pub fn reset(&self, key: &K) {
        let print = self.print(key);
        self.store.keep().reset(print);
        if let Some(watch) = self.watch.get() {
            watch.reset(print);
        }
    }

    /// The quota of this key now: that of its class, or the share of it that the load leaves.
    pub fn quota_of(&self, key: &K) -> Quota {
        self.limits(self.print(key)).quota()
    }

    /// What is kept of a key: its hash, and its class.
    #[inline(always)]
    pub(super) fn print(&self, key: &K) -> Print {
        let class = self.class_of.as_ref().map_or(0, |class_of| class_of(key).place());
        Print::new(self.hasher.hash_one(key), class)
    }
}

impl<K: ?Sized, S> KeyedLimiter<K, S> {
    /// Gives back cells that were not used, as much of them as is safe: what is kept of all that this key was granted satisfies
    /// its limit as if the rest had never been asked for, so that nothing is minted. The grant knows its key. What another limiter
    /// granted, or this one under other quotas, or before its clock was seen to step back, is not taken; nor is anything for a key
    /// that had to go since.
    pub fn refund(&self, grant: Grant) {
        self.give_back(grant, self.clock.now());
    }

    /// Which instance this is.
    pub const fn name(&self) -> Name {
        self.name
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    #[inline(always)]
    pub(super) fn decide(&self, print: Print, want: Want) -> Result<Grant, Throttled> {
        let Want { now, cells, .. } = want;
        if let Some(watch) = self.watch.get()
            && cells > 0
            && let Some(denied) = self.note(watch, print, now)
        {
            return self.denied(self.origin(print), denied, now, cells);
        }
        let origin = self.origin(print);
        self.steps.note(now);
        match &self.store {
            Store::Gcra(store) => self.answer(origin, store.decide(print, want, &self.clock), now, cells),
            Store::Any(store) => self.answer(origin, store.take(print, want, &self.clock), now, cells),
        }
    }

    #[inline(always)]
    fn answer(&self, origin: Origin, decision: Decision, now: Timestamp, cells: u32) -> Result<Grant, Throttled> {
        match decision {
            Ok(granted) => Ok(self.granted(origin, granted)),
            Err(denied) => self.denied(origin, denied, now, cells),
        }
    }

    /// What a call for so many cells would be told. Takes nothing, counts nothing.
    pub(super) fn stand(&self, print: Print, cells: u32, now: Timestamp) -> Standing {
        let punished = self.watch.get().filter(|_| cells > 0).and_then(|watch| watch.punished(print, now));
        match punished.map_or_else(|| self.store.keep().look(print, now, cells), Err) {
            Ok((figures, limits)) => Standing::Passes { name: self.name, figures, limits },
            Err(Denied { figures, limits, .. }) if self.shadow.load(Ordering::Relaxed) => {
                Standing::Passes { name: self.name, figures, limits }
            }
            Err(Denied { refused, figures, limits }) => {
                Standing::Refuses(Throttled::new(self.name, cells, refused, figures, limits))
            }
        }
    }

    pub(super) fn limits(&self, print: Print) -> Limits {
        self.store.keep().limits(print.class())
    }

    /// The quota under which this was granted.
    pub(super) fn limits_of(&self, grant: &Grant) -> Limits {
        self.store.keep().limits(Print::from_word(grant.origin.key).map_or(0, Print::class))
    }

    #[inline(always)]
    fn granted(&self, origin: Origin, granted: Granted) -> Grant {
        let Granted { mut taken, figures } = granted;
        if taken.cells > 0 {
            // The clock may have been read again.
            self.steps.note(taken.at);
            let lane = self.counts.lane();
            lane.count(|counts| &counts.admitted);
            if taken.act_at > taken.at {
                lane.count(|counts| &counts.waited);
                if self.shadow.load(Ordering::Relaxed) {
                    // Counted as if it waited; it does not.
                    taken.act_at = taken.at;
                }
            }
        }
        Grant { taken, figures, origin }
    }

    #[inline(always)]
    fn denied(&self, origin: Origin, denied: Denied, now: Timestamp, cells: u32) -> Result<Grant, Throttled> {
        if self.shadow.load(Ordering::Relaxed) {
            return Ok(self.shadowed(origin, denied.figures, now));
        }
        self.counts.lane().count(|counts| &counts.throttled);
        let Denied { refused, figures, limits } = denied;
        Err(Throttled::new(self.name, cells, refused, figures, limits))
    }

    /// Takes a call into account for bursts. The refusal, if bursts are punished and it is part of one.
    #[inline(never)]
    fn note(&self, watch: &Watch, print: Print, now: Timestamp) -> Option<Denied> {
        let Noted { begins, punished } = watch.note(print, now, &self.clock);
        if begins {
            self.counts.lane().count(|counts| &counts.bursts);
            self.tell_burst(print);
        }
        punished
    }

    /// Counts a call that another limit, or a look at this one, has refused before this one was asked.
    pub(super) fn note_refused(&self, print: Print, now: Timestamp) {
        if let Some(watch) = self.watch.get() {
            self.note(watch, print, now);
        }
        self.counts.lane().count(|counts| &counts.throttled);
    }

    /// A call that passes although the limit is reached: it takes nothing.
    #[cold]
    fn shadowed(&self, origin: Origin, figures: Figures, now: Timestamp) -> Grant {
        self.counts.lane().count(|counts| &counts.shadowed);
        let taken = Taken { at: now, act_at: now, cells: 0, mark: 0 };
        Grant { taken, figures, origin }
    }

    /// What is written on receipts: read before anything is taken.
    #[inline(always)]
    fn origin(&self, print: Print) -> Origin {
        let epoch = match &self.store {
            Store::Gcra(store) => store.epoch(),
            Store::Any(store) => store.epoch(),
        };
        Origin::new(self.id, epoch.read(), print.word())
    }

    #[expect(clippy::needless_pass_by_value, reason = "a grant is given back once")]
    pub(super) fn give_back(&self, grant: Grant, now: Timestamp) {
        let Grant { taken, origin, .. } = grant;
        let epoch = self.store.keep().epoch();
        if self.steps.has_stepped(&self.clock) {
            epoch.advance();
        }
        if let Some(print) = Print::from_word(origin.key)
            && taken.cells > 0
            && origin.limiter() == self.id
            && epoch.takes(origin.generation())
            && now >= taken.at
        {
            self.counts.lane().count(|counts| &counts.given_back);
            self.store.keep().give_back(print, taken, origin.generation(), &|| self.clock.now().max(now));
        }
    }

    /// Gives back a turn that has not come yet.
    pub(super) fn cancel(&self, grant: Grant) {
        let now = self.clock.now();
        // At its own instant it may have been used already.
        if now < grant.act_at() {
            self.give_back(grant, now);
        }
    }

    /// What every key has taken that counts now: to be [restored](Self::restore) after a restart. Looks at the whole table, and
    /// waits for calls of a few keys at a time.
    pub fn debts(&self) -> Debts {
        let now = self.clock.now();
        let keep = self.store.keep();
        let mut debts = Debts { seed: self.seed, sets: keep.sets(), keys: Vec::new(), evicted: Vec::new() };
        keep.debts(now, &mut |debt| debts.keys.push(debt));
        keep.evicted(now, &mut |evicted| debts.evicted.push(evicted));
        debts
    }

    /// Makes every key have taken at least what it had when the debts were told, `elapsed` ago by any clock that both instances
    /// trust. The capacity may be another one than then; the quotas should be the same.
    ///
    /// Under any other algorithm than [`Gcra`](crate::Algorithm::Gcra), what a key had taken counts as if all of it had come
    /// when the last of it came.
    ///
    /// ```
    /// use seawall_rate_limit::{Config, Keyed, KeyedRateLimiter, Quota};
    /// use std::time::Duration;
    ///
    /// let config = || Keyed::new(Config::new(Quota::per_hour(2)));
    /// let before = KeyedRateLimiter::<str>::new(config())?;
    /// before.check_n("anne", 2).expect("two of two");
    /// let debts = before.debts();
    ///
    /// let after = KeyedRateLimiter::<str>::new(config().seed(debts.seed()))?;
    /// after.restore(&debts, Duration::from_secs(60))?;
    /// assert!(after.check("anne").is_err());
    /// # Ok::<(), seawall_core::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// If this limiter hashes keys by another [`Seed`]; nothing changes then.
    pub fn restore(&self, debts: &Debts, elapsed: Duration) -> Result<(), ConfigError> {
        if debts.seed != self.seed {
            let valid = "the one of the debts: `Keyed::seed(debts.seed())`";
            return Err(ConfigError::new("seed", "another one", valid));
        }
        let (now, keep) = (self.clock.now(), self.store.keep());
        debts.keys.iter().for_each(|debt| keep.owe(*debt, elapsed, now));
        for evicted in &debts.evicted {
            evicted.spread(debts.sets, keep.sets()).for_each(|evicted| keep.owe_anew(evicted, elapsed, now));
        }
        Ok(())
    }
}

impl<K: ?Sized, S> fmt::Debug for KeyedLimiter<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedLimiter")
            .field("name", &self.name)
            .field("capacity", &self.store.keep().capacity())
            .finish_non_exhaustive()
    }
}
