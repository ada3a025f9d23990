use std::fmt;
use std::sync::Arc;

use seawall_core::observe::Observer;
use seawall_core::sync::Mutex;

use crate::{event, throttle};

/// A key while it has a member, and how the member's events are told: with the key.
pub(crate) struct Tenant<K, E> {
    pub(super) key: K,
    audience: Arc<Audience<K, E>>,
}

/// Hears of the events of all members.
pub(super) struct Audience<K, E>(Mutex<Option<KeyObserver<K, E>>>);

pub(super) type KeyObserver<K, E> = Arc<dyn Fn(&K, &E) + Send + Sync>;

impl<K, E> Audience<K, E> {
    pub(super) fn new(observer: Option<KeyObserver<K, E>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(observer)))
    }

    pub(super) fn set(&self, observer: Option<KeyObserver<K, E>>) {
        // The old one is dropped after the lock is released.
        let _old = std::mem::replace(&mut *self.0.lock(), observer);
    }
}

impl<K, E> Tenant<K, E> {
    pub(super) const fn new(key: K, audience: Arc<Audience<K, E>>) -> Self {
        Self { key, audience }
    }
}

/// What is logged with a key.
pub(crate) trait Logged {
    fn log(&self, key: &dyn fmt::Debug);
}

impl Logged for event::Event {
    fn log(&self, key: &dyn fmt::Debug) {
        self.trace(Some(key));
    }
}

impl Logged for throttle::Event {
    fn log(&self, key: &dyn fmt::Debug) {
        self.trace(Some(key));
    }
}

impl<K: fmt::Debug + Send + Sync, E: Logged> Observer<E> for Tenant<K, E> {
    fn observe(&self, event: &E) {
        event.log(&self.key);
        let observer = self.audience.0.lock().clone();
        if let Some(observer) = observer {
            observer(&self.key, event);
        }
    }
}
