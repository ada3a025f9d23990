//! Where the member of each key is: read by every call, written when keys come and go.
//!
//! A lock that readers share costs 15 ns where nobody else is near, and makes two threads that call one key wait for each
//! other: 164 ns a look, where a table that readers do not write takes 24, hashing included.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

/// Where the member of a key is, and since which tenancy: one whole word, because reading a word that was written in parts
/// stalls the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    pub(super) const fn new(slot: u32, tenancy: u32) -> Self {
        Self(((tenancy as u64) << u32::BITS) | slot as u64)
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) const fn slot(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub(super) const fn tenancy(self) -> u32 {
        (self.0 >> u32::BITS) as u32
    }
}

/// Whoever finds a place sees all that was written before it was put there.
pub(super) struct Index<K, S>(table::Table<K, S>);

impl<K: Eq + Hash, S: BuildHasher> Index<K, S> {
    pub(super) fn with_hasher(hasher: S) -> Self {
        Self(table::Table::with_hasher(hasher))
    }

    #[inline(always)]
    pub(super) fn get<Q>(&self, key: &Q) -> Option<Place>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.get(key)
    }

    pub(super) fn insert(&self, key: K, place: Place) {
        self.0.insert(key, place);
    }

    /// Takes `key` out if it is at `place`.
    pub(super) fn remove(&self, key: &K, place: Place) {
        self.0.remove(key, place);
    }
}

#[cfg(not(seawall_loom))]
mod table {
    use super::{Borrow, BuildHasher, Hash, Place};

    pub(super) struct Table<K, S>(papaya::HashMap<K, Place, S>);

    impl<K: Eq + Hash, S: BuildHasher> Table<K, S> {
        pub(super) fn with_hasher(hasher: S) -> Self {
            Self(papaya::HashMap::with_hasher(hasher))
        }

        #[inline(always)]
        pub(super) fn get<Q>(&self, key: &Q) -> Option<Place>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            self.0.pin().get(key).copied()
        }

        pub(super) fn insert(&self, key: K, place: Place) {
            self.0.pin().insert(key, place);
        }

        pub(super) fn remove(&self, key: &K, place: Place) {
            let _ = self.0.pin().remove_if(key, |_, found| *found == place);
        }
    }
}

/// What loom sees of it: each look and each change as one step that is ordered with the others of its key.
#[cfg(seawall_loom)]
mod table {
    use std::collections::HashMap;

    use seawall_core::sync::Mutex;

    use super::{Borrow, BuildHasher, Hash, Place};

    pub(super) struct Table<K, S>(Mutex<HashMap<K, Place, S>>);

    impl<K: Eq + Hash, S: BuildHasher> Table<K, S> {
        pub(super) fn with_hasher(hasher: S) -> Self {
            Self(Mutex::new(HashMap::with_hasher(hasher)))
        }

        pub(super) fn get<Q>(&self, key: &Q) -> Option<Place>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            self.0.lock().get(key).copied()
        }

        pub(super) fn insert(&self, key: K, place: Place) {
            self.0.lock().insert(key, place);
        }

        pub(super) fn remove(&self, key: &K, place: Place) {
            let mut table = self.0.lock();
            if table.get(key) == Some(&place) {
                table.remove(key);
            }
        }
    }
}
