use std::borrow::Borrow;
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};

use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, ConfigError, Configure, Ending, Name, Policy, Shared};

use super::Key;
use super::config::{Checked, Keyed};
use super::pinned::Pinned;
use super::snapshot::{KeyedSnapshot, KeysByState};
use super::store::{KeyedToken, Store};
use crate::breaker::Breaker;
use crate::error::Open;
use crate::snapshot::Snapshot;
use crate::token::Token;

/// One circuit breaker for each key: a host, a tenant, a shard.
///
/// It is a handle, cheap to clone and shared by all clones. [`new`](Shared::new) takes a [`Keyed`] configuration;
/// [`with`](Shared::with) opens the front doors for one key; [`by`](Shared::by) finds the key in each call, and with feature
/// `tower` its `layer()` protects a service; [`Breakers`]' methods give snapshots and control by hand.
///
/// ```
/// use seawall_circuit_breaker::{CircuitBreakers, Config, Keyed};
///
/// # async fn deliver() -> Result<u32, std::io::Error> { Ok(200) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let hosts = CircuitBreakers::<String>::new(Keyed::new(Config::classic().name("webhook")))?;
/// let status = hosts.with("shop.example").run(deliver()).await??;
/// # assert_eq!(status, 200);
/// # Ok(())
/// # }
/// ```
///
/// In a stack the key is borrowed from the request:
///
/// ```
/// # #[cfg(feature = "tower")] {
/// # use seawall_circuit_breaker::{CircuitBreakers, Config, Keyed};
/// struct Request { host: String }
///
/// # let hosts = CircuitBreakers::<String>::new(Keyed::new(Config::classic())).unwrap();
/// let layer = hosts.by(|request: &Request| Some(request.host.as_str())).layer();
/// # let _ = layer;
/// # }
/// ```
pub type CircuitBreakers<K, S = RandomState> = Shared<Breakers<K, S>>;

/// The policy behind [`CircuitBreakers`]: its own methods, which every handle has.
///
/// # How keys come and go
/// A key has a circuit from its first call on. There are at most as many as the [capacity](Keyed::capacity) says; when that is
/// reached, a new key takes the place of one that was not used lately. One that has counted nothing but successes goes first,
/// then one that has counted failures but is closed. **A key whose circuit is open, half-open or held by hand is never
/// forgotten**, unless [`Keyed::retire_open_after`] allows it, and neither is one that somebody [holds](Self::get).
///
/// If none of the 64 circuits that are looked at for a new key can be forgotten, its calls pass **untracked**: admitted, and
/// counted nowhere but in [`KeyedSnapshot::untracked`]. To refuse them would make keys that work fail because others do.
///
/// A call whose key is forgotten while it runs ends without effect: neither on the next key nor, should it come back, on its
/// own.
///
/// # What it costs
/// A call of a known key looks into an index that takes no lock and writes nothing, and then costs what a [`Breaker`] costs;
/// nothing is allocated. A new key clones the key twice, takes a lock that all new keys share, and looks at no more than 64
/// circuits. The circuit of a key that was forgotten is used again for another. Borrowed keys are looked up as they are, such
/// as `str` where keys are `String`.
///
/// Keys come from outside as a rule, so that the default hasher is the standard library's, which nobody outside can foresee.
/// `Hash`, `Eq`, `Clone` and `Drop` of a key must not call this.
pub struct Breakers<K, S = RandomState>
where
    K: Key,
{
    pub(super) store: Store<Breaker, K, S>,
}

impl<K: Key, S: BuildHasher> Breakers<K, S> {
    /// Which instance this is.
    pub const fn name(&self) -> Name {
        self.store.name()
    }

    /// How many keys have a circuit.
    pub fn len(&self) -> usize {
        self.store.room().lock().len()
    }

    /// Whether no key has a circuit.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The circuit of `key`, if it has one. It is not forgotten while it is held, and holding it is no use of it: whoever only
    /// looks keeps nobody else out.
    ///
    /// ```
    /// use seawall_circuit_breaker::{CircuitBreakers, Keyed};
    ///
    /// let hosts = CircuitBreakers::<String>::new(Keyed::default())?;
    /// assert!(hosts.get("shop.example").is_none());
    /// hosts.with("shop.example").try_admit().expect("closed").success();
    /// let host = hosts.get("shop.example").expect("it was called");
    /// host.force_open();
    /// assert!(hosts.with("shop.example").try_admit().is_err());
    /// # Ok::<(), seawall_core::ConfigError>(())
    /// ```
    pub fn get<Q>(&self, key: &Q) -> Option<Pinned<'_>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.store.get(key).map(|(_, pinned)| pinned)
    }

    /// The circuit of `key`, made if it has none: to open one by hand before the first call, for example. `None` if there is
    /// no room for it and no other can be forgotten.
    pub fn get_or_insert<Q>(&self, key: &Q) -> Option<Pinned<'_>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.store.get_or_insert(key).map(|(_, pinned)| pinned)
    }

    /// Forgets `key`, whatever state its circuit is in: a host that was taken out of service, for example. Tells whether it
    /// did: not if the key has no circuit, or somebody [holds](Self::get) it.
    pub fn remove<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.store.remove(key)
    }

    /// What is known of all keys together. Looks at each circuit, without its lock.
    pub fn snapshot(&self) -> KeyedSnapshot {
        self.store.snapshot(|serving| KeysByState::of(serving.map(Breaker::last_state)))
    }

    /// Gives every key with its circuit's snapshot to `tell`, one after the other, in no order. Keys that come or go meanwhile
    /// may be left out. No lock is held while `tell` runs.
    pub fn for_each(&self, tell: impl FnMut(&K, Snapshot)) {
        self.store.for_each(Breaker::snapshot, tell);
    }

    /// Every key with its circuit's snapshot, as [`for_each`](Self::for_each) gives them.
    pub fn snapshots(&self) -> Vec<(K, Snapshot)> {
        let mut all = Vec::new();
        self.for_each(|key, snapshot| all.push((key.clone(), snapshot)));
        all
    }
}

/// Calls of all keys together. A call's token knows its circuit, so that a call ends without its key.
impl<K: Key, S: BuildHasher + Send + Sync> Policy for Breakers<K, S> {
    type Token = KeyedToken<Token>;
    type Place = Infallible;
    type Refusal = Open;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        Some(self.store.clock())
    }

    #[inline(always)]
    fn settle(&self, token: Self::Token, ending: Ending<'_>, now: &Now<'_>) {
        self.store.settle(token, ending, now);
    }

    #[inline]
    fn renew(&self, token: &mut Self::Token, now: &Now<'_>) -> Result<(), Open> {
        self.store.renew(token, now)
    }
}

/// A call asks for its key, or for whatever the key can be borrowed as.
impl<K, S, Q> Admits<Q> for Breakers<K, S>
where
    K: Key + Borrow<Q>,
    S: BuildHasher + Send + Sync,
    Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
{
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Q>) -> Result<Self::Token, Open> {
        self.store.try_admit(ask)
    }
}

/// The capacity may change while it runs. When it shrinks, each new key makes two go until it is kept; the memory of circuits
/// that are not needed any more is not given back.
impl<K: Key, S: BuildHasher + Default + Send + Sync> Configure for Breakers<K, S> {
    type Config = Keyed<K>;

    fn build(config: Keyed<K>, clock: Clock) -> Result<Self, ConfigError> {
        let Checked { settings, limits, observer } = config.check()?;
        let name = settings.name;
        Ok(Self { store: Store::new(settings, limits, observer, clock, name, S::default()) })
    }

    fn reconfigure(&self, config: Keyed<K>) -> Result<(), ConfigError> {
        let Checked { settings, limits, observer } = config.check()?;
        self.store.check_name(settings.name)?;
        self.store.reconfigure(settings, limits, observer);
        Ok(())
    }
}

impl<K: Key, S: BuildHasher> fmt::Debug for Breakers<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breakers").field("name", &self.name()).field("len", &self.len()).finish_non_exhaustive()
    }
}
