//! The one place that names synchronisation primitives: loom's under `--cfg seawall_loom`, the usual ones elsewhere.
//!
//! Only what loom models uses this module. Time, and the reference counts of [`Shared`](crate::Shared), stay outside.

#[cfg(not(seawall_loom))]
pub use parking_lot::{Mutex, MutexGuard};
#[cfg(not(seawall_loom))]
pub use std::sync::atomic;

#[cfg(seawall_loom)]
pub use loom::sync::{MutexGuard, atomic};

/// Loom's mutex with the signature of the one that is used elsewhere.
#[cfg(seawall_loom)]
#[derive(Debug)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

#[cfg(seawall_loom)]
impl<T> Mutex<T> {
    /// A mutex around `value`.
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes the lock if nobody holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}
