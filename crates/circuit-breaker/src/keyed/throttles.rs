use std::borrow::Borrow;
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};

use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, ConfigError, Configure, Ending, Name, Policy, Shared};

use super::Key;
use super::config::{Checked, Keyed};
use super::pinned::Pinned;
use super::snapshot::{KeyedSnapshot, KeysByRefusal};
use super::store::{KeyedToken, Store};
use crate::throttle::{Config, Event, Snapshot, Throttle, Throttled, Token};

/// One adaptive throttle for each key: a tenant of a shared dependency, a shard, a method.
///
/// It is a handle, cheap to clone and shared by all clones. [`new`](Shared::new) takes a [`Keyed`] configuration;
/// [`with`](Shared::with) opens the front doors for one key; [`by`](Shared::by) finds the key in each call, and with feature
/// `tower` its `layer()` protects a service; [`Throttles`]' methods give snapshots and control by hand.
///
/// ```
/// use seawall_circuit_breaker::throttle::Config;
/// use seawall_circuit_breaker::{AdaptiveThrottles, Keyed};
/// use seawall_core::time::Clock;
///
/// let (clock, _time) = Clock::manual();
/// let shards = AdaptiveThrottles::<u32>::with_clock(Keyed::new(Config::default().minimum_calls(10)), clock)?;
/// for _ in 0..500 {
///     if let Ok(permit) = shards.with(&7).try_admit() {
///         permit.failure();
///     }
/// }
/// assert!(shards.get(&7).expect("it was called").snapshot().refused > 400);
/// assert!(shards.with(&8).try_admit().is_ok(), "another shard works");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub type AdaptiveThrottles<K, S = RandomState> = Shared<Throttles<K, S>>;

/// The policy behind [`AdaptiveThrottles`]: its own methods, which every handle has.
///
/// Keys come and go as those of [`Breakers`](crate::Breakers) do, at the same cost. One whose window holds no request that was
/// not accepted goes first. **A key of which calls are refused, or that is [held](Throttle::hold) by hand, is never forgotten.**
/// A throttle that nobody calls ends by itself: its requests leave the window. When its key is forgotten after that, the end is
/// told to nobody.
pub struct Throttles<K, S = RandomState>
where
    K: Key,
{
    pub(super) store: Store<Throttle, K, S>,
}

impl<K: Key, S: BuildHasher> Throttles<K, S> {
    /// Which instance this is.
    pub const fn name(&self) -> Name {
        self.store.name()
    }

    /// How many keys have a throttle.
    pub fn len(&self) -> usize {
        self.store.room().lock().len()
    }

    /// Whether no key has a throttle.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The throttle of `key`, if it has one. It is not forgotten while it is held, and holding it is no use of it.
    pub fn get<Q>(&self, key: &Q) -> Option<Pinned<'_, Throttle>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.store.get(key).map(|(_, pinned)| pinned)
    }

    /// The throttle of `key`, made if it has none. `None` if there is no room for it and no other can be forgotten.
    pub fn get_or_insert<Q>(&self, key: &Q) -> Option<Pinned<'_, Throttle>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.store.get_or_insert(key).map(|(_, pinned)| pinned)
    }

    /// Forgets `key`, whatever its throttle has counted. Tells whether it did: not if the key has no throttle, or somebody
    /// [holds](Self::get) it.
    pub fn remove<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.store.remove(key)
    }

    /// What is known of all keys together. Looks at each throttle, without its lock.
    pub fn snapshot(&self) -> KeyedSnapshot<KeysByRefusal> {
        self.store.snapshot(|serving| KeysByRefusal::of(serving.map(Throttle::last_refused)))
    }

    /// Gives every key with its throttle's snapshot to `tell`, one after the other, in no order. Keys that come or go meanwhile
    /// may be left out. No lock is held while `tell` runs.
    pub fn for_each(&self, tell: impl FnMut(&K, Snapshot)) {
        self.store.for_each(Throttle::snapshot, tell);
    }

    /// Every key with its throttle's snapshot, as [`for_each`](Self::for_each) gives them.
    pub fn snapshots(&self) -> Vec<(K, Snapshot)> {
        let mut all = Vec::new();
        self.for_each(|key, snapshot| all.push((key.clone(), snapshot)));
        all
    }
}

/// Calls of all keys together. A call's token knows its throttle, so that a call ends without its key.
impl<K: Key, S: BuildHasher + Send + Sync> Policy for Throttles<K, S> {
    type Token = KeyedToken<Token>;
    type Place = Infallible;
    type Refusal = Throttled;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        Some(self.store.clock())
    }

    #[inline(always)]
    fn settle(&self, token: Self::Token, ending: Ending<'_>, now: &Now<'_>) {
        self.store.settle(token, ending, now);
    }

    #[inline]
    fn renew(&self, token: &mut Self::Token, now: &Now<'_>) -> Result<(), Throttled> {
        self.store.renew(token, now)
    }
}

/// A call asks for its key, or for whatever the key can be borrowed as.
impl<K, S, Q> Admits<Q> for Throttles<K, S>
where
    K: Key + Borrow<Q>,
    S: BuildHasher + Send + Sync,
    Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
{
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Q>) -> Result<Self::Token, Throttled> {
        self.store.try_admit(ask)
    }
}

/// The capacity may change while it runs, as that of [`Breakers`](crate::Breakers) may.
impl<K: Key, S: BuildHasher + Default + Send + Sync> Configure for Throttles<K, S> {
    type Config = Keyed<K, Config, Event>;

    fn build(config: Self::Config, clock: Clock) -> Result<Self, ConfigError> {
        let Checked { settings, limits, observer } = config.check()?;
        let name = settings.name;
        Ok(Self { store: Store::new(settings, limits, observer, clock, name, S::default()) })
    }

    fn reconfigure(&self, config: Self::Config) -> Result<(), ConfigError> {
        let Checked { settings, limits, observer } = config.check()?;
        self.store.check_name(settings.name)?;
        self.store.reconfigure(settings, limits, observer);
        Ok(())
    }
}

impl<K: Key, S: BuildHasher> fmt::Debug for Throttles<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttles").field("name", &self.name()).field("len", &self.len()).finish_non_exhaustive()
    }
}
