use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::sync::{Mutex, MutexGuard};
use seawall_core::time::{Clock, Now};
use seawall_core::{Ask, ConfigError, Ending, Name};

use super::index::{Index, Place};
use super::member::Member;
use super::pinned::Pinned;
use super::room::{Limits, Room};
use super::slot::{Resident, Slot};
use super::slots::Slots;
use super::snapshot::KeyedSnapshot;
use super::tenant::{Audience, KeyObserver, Tenant};

/// Members by key, at most so many.
///
/// A key that is known costs a look into the index, which takes no lock and writes nothing. New keys come through the lock of
/// the [`Room`]. A member, once made, serves one key after another.
pub(super) struct Store<M: Member<K>, K, S> {
    index: Index<K, S>,
    slots: Slots<M, Tenant<K, M::Event>>,
    room: Mutex<Room<M::Settings>>,
    audience: Arc<Audience<K, M::Event>>,
    untracked: AtomicU64,
    clock: Clock,
    name: Name,
}

type OwnSlot<M, K> = Slot<M, Tenant<K, <M as Member<K>>::Event>>;

/// What a call carries that was admitted for a key: where its member is, and the member's own token.
#[derive(Clone, Copy, Debug)]
pub struct KeyedToken<T>(Option<Tracked<T>>);

#[derive(Clone, Copy, Debug)]
struct Tracked<T> {
    token: T,
    place: Place,
}

impl<T> KeyedToken<T> {
    #[inline(always)]
    const fn tracked(place: Place, token: T) -> Self {
        Self(Some(Tracked { token, place }))
    }
}

impl<M, K, S> Store<M, K, S>
where
    M: Member<K>,
    K: Clone + Eq + Hash,
    S: BuildHasher,
{
    pub(super) fn new(
        settings: Arc<M::Settings>,
        limits: Limits,
        observer: Option<KeyObserver<K, M::Event>>,
        clock: Clock,
        name: Name,
        hasher: S,
    ) -> Self {
        Self {
            index: Index::with_hasher(hasher),
            slots: Slots::new(),
            room: Mutex::new(Room::new(settings, limits)),
            audience: Audience::new(observer),
            untracked: AtomicU64::new(0),
            clock,
            name,
        }
    }

    pub(super) const fn name(&self) -> Name {
        self.name
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    #[inline(always)]
    fn find<Q>(&self, key: &Q) -> Option<(Place, &OwnSlot<M, K>)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let place = self.index.get(key)?;
        Some((place, self.slots.get(place.slot())?))
    }

    #[inline(always)]
    pub(super) fn try_admit<Q>(&self, ask: &Ask<'_, Q>) -> Result<KeyedToken<M::Token>, M::Refusal>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some((place, slot)) = self.find(ask.call) {
            let admitted = slot.member().try_admit(&ask.about(&()));
            if slot.tenancy().is_and_is_used(place.tenancy()) {
                return admitted.map(|token| KeyedToken::tracked(place, token));
            }
            // The key was forgotten on the way, and this was another one's admission.
            if let Ok(token) = admitted {
                slot.member().settle(token, Ending::Cancelled, ask.now);
            }
        }
        self.admit_newcomer(ask)
    }

    #[cold]
    #[inline(never)]
    fn admit_newcomer<Q>(&self, ask: &Ask<'_, Q>) -> Result<KeyedToken<M::Token>, M::Refusal>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Some((place, pinned)) = self.get_or_insert(ask.call) else {
            self.untracked.fetch_add(1, Ordering::Relaxed);
            return Ok(KeyedToken(None));
        };
        pinned.try_admit(&ask.about(&())).map(|token| KeyedToken::tracked(place, token))
    }

    #[inline(always)]
    pub(super) fn settle(&self, token: KeyedToken<M::Token>, ending: Ending<'_>, now: &Now<'_>) {
        if let Some(Tracked { token, place }) = token.0
            && let Some(slot) = self.slots.get(place.slot())
            && slot.tenancy().is(place.tenancy())
        {
            slot.member().settle(token, ending, now);
        }
    }

    /// A call whose key was forgotten since it was admitted goes on untracked.
    pub(super) fn renew(&self, token: &mut KeyedToken<M::Token>, now: &Now<'_>) -> Result<(), M::Refusal> {
        let Some(Tracked { token: own, place }) = &mut token.0 else { return Ok(()) };
        if let Some(slot) = self.slots.get(place.slot())
            && slot.tenancy().is(place.tenancy())
        {
            let renewed = slot.member().renew(own, now);
            if slot.tenancy().is_and_is_used(place.tenancy()) {
                return renewed;
            }
            if let Some(Tracked { token, .. }) = token.0.take() {
                slot.member().settle(token, Ending::Cancelled, now);
            }
        }
        Ok(())
    }

    pub(super) fn get<Q>(&self, key: &Q) -> Option<(Place, Pinned<'_, M>)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (place, slot) = self.find(key)?;
        Some((place, Pinned::new(slot.member(), slot.tenancy(), place.tenancy())?))
    }

    /// The member of `key`, which gets one if it has none; nothing if there is no room, and nobody who could be forgotten.
    pub(super) fn get_or_insert<Q>(&self, key: &Q) -> Option<(Place, Pinned<'_, M>)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(known) = self.get(key) {
            return Some(known);
        }
        let tenant = Arc::new(Tenant::new(key.to_owned(), self.audience.clone()));
        let mut room = self.room.lock();
        // Somebody else may have been faster. Who comes and goes does so under this lock.
        if let Some(known) = self.get(key) {
            return Some(known);
        }
        let found = room.let_to(&tenant, &self.slots, &self.clock, |number, gone| self.forget(number, gone));
        let Some((slot, tenancy)) = found else {
            self.tell_that_it_is_full(room);
            return None;
        };
        let place = Place::new(slot, tenancy);
        self.index.insert(tenant.key.clone(), place);
        let slot = self.slots.get(slot)?;
        Some((place, Pinned::new(slot.member(), slot.tenancy(), tenancy)?))
    }

    /// Takes a key out of the index whose tenancy has ended.
    fn forget(&self, slot: u32, gone: &Resident<Tenant<K, M::Event>>) {
        // If it is there with another place, then it has come back.
        self.index.remove(&gone.tenant.key, Place::new(slot, gone.tenancy));
    }

    /// Logs it, once in a while, after the lock is released.
    fn tell_that_it_is_full(&self, mut room: MutexGuard<'_, Room<M::Settings>>) {
        let tells = room.tells_that_it_is_full(self.clock.now());
        let capacity = room.capacity();
        drop(room);
        if tells {
            M::log_that_it_is_full(self.name, capacity, self.untracked());
        }
    }

    /// Forgets `key`, whatever would be lost. Tells whether it was there and nobody held it.
    pub(super) fn remove<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut room = self.room.lock();
        let Some((place, slot)) = self.find(key) else { return false };
        if !slot.tenancy().is(place.tenancy()) {
            return false;
        }
        let Some((Some(gone), _)) = slot.hand_over(None, |_| true) else { return false };
        self.forget(place.slot(), &gone);
        room.take_back(place.slot());
        true
    }

    /// Metrics would lose their series if the name could change.
    pub(super) fn check_name(&self, name: Name) -> Result<(), ConfigError> {
        if name == self.name {
            return Ok(());
        }
        let valid = format!("{:?}: what runs keeps its name", self.name);
        Err(ConfigError::new("each.name", format!("{name:?}"), valid))
    }

    /// Takes over new settings for all members, those included that are made meanwhile.
    pub(super) fn reconfigure(
        &self,
        settings: Arc<M::Settings>,
        limits: Limits,
        observer: Option<KeyObserver<K, M::Event>>,
    ) {
        self.audience.set(observer);
        self.room.lock().reconfigure(settings, limits);
        let mut panic = None;
        for slot in self.slots() {
            loop {
                let settings = self.room.lock().settings();
                // An observer that panics does not keep the other members from theirs.
                let told = catch_unwind(AssertUnwindSafe(|| slot.member().reconfigure(settings.clone())));
                panic = panic.or(told.err());
                // Whoever brought newer ones meanwhile may have been here before.
                if Arc::ptr_eq(&settings, &self.room.lock().settings()) {
                    break;
                }
            }
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// All slots that were made.
    fn slots(&self) -> impl Iterator<Item = &OwnSlot<M, K>> {
        let made = self.room.lock().made();
        (0..made).filter_map(|number| self.slots.get(number))
    }

    /// All members, those included that serve nobody.
    pub(super) fn members(&self) -> impl Iterator<Item = &M> {
        self.slots().map(Slot::member)
    }

    /// What is known of all keys together, with what `count` says of the members that serve somebody.
    pub(super) fn snapshot<C>(&self, count: impl FnOnce(&mut dyn Iterator<Item = &M>) -> C) -> KeyedSnapshot<C> {
        let states = count(&mut self.slots().filter(|slot| slot.tenancy().is_let()).map(Slot::member));
        let room = self.room.lock();
        KeyedSnapshot {
            name: self.name,
            len: room.len(),
            capacity: room.capacity() as usize,
            states,
            evicted: room.evicted(),
            untracked: self.untracked(),
        }
    }

    /// What `look` sees of each key's member, with the key. No lock is held in `tell`.
    pub(super) fn for_each<T>(&self, look: impl Fn(&M) -> T, mut tell: impl FnMut(&K, T)) {
        for slot in self.slots() {
            let Some(Resident { tenancy, tenant }) = slot.resident() else { continue };
            let seen = look(slot.member());
            if slot.tenancy().is(tenancy) {
                tell(&tenant.key, seen);
            }
        }
    }

    pub(super) fn room(&self) -> &Mutex<Room<M::Settings>> {
        &self.room
    }

    pub(super) fn untracked(&self) -> u64 {
        self.untracked.load(Ordering::Relaxed)
    }
}
