use std::fmt;
use std::sync::Arc;

use seawall_core::observe::Observer;
use seawall_core::sync::Mutex;

use crate::event::Event;

/// A key while it has a member, and how the member's events are told: with the key.
pub(crate) struct Tenant<K> {
    pub(super) key: K,
    audience: Arc<Audience<K>>,
}

/// Hears of the events of all members.
pub(super) struct Audience<K>(Mutex<Option<KeyObserver<K>>>);

pub(super) type KeyObserver<K> = Arc<dyn Fn(&K, &Event) + Send + Sync>;

impl<K> Audience<K> {
    pub(super) fn new(observer: Option<KeyObserver<K>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(observer)))
    }

    pub(super) fn set(&self, observer: Option<KeyObserver<K>>) {
        // The old one is dropped after the lock is released.
        let _old = std::mem::replace(&mut *self.0.lock(), observer);
    }
}

impl<K> Tenant<K> {
    pub(super) const fn new(key: K, audience: Arc<Audience<K>>) -> Self {
        Self { key, audience }
    }
}

impl<K: fmt::Debug + Send + Sync> Observer<Event> for Tenant<K> {
    fn observe(&self, event: &Event) {
        event.trace(Some(&self.key));
        let observer = self.audience.0.lock().clone();
        if let Some(observer) = observer {
            observer(&self.key, event);
        }
    }
}
