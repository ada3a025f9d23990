use std::sync::Arc;
use std::time::Duration;

use seawall_core::time::Clock;

use super::Keyring;
use super::store::{KeyStore, Stored};
use crate::breakers::Guarded;
use crate::shutdown::Drain;

/// How long reading may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How soon the keys are tried again while none were read: somebody with a key is refused until then.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The background task that keeps the keyring as the database has it.
///
/// A key that is added or taken away there is known, or unknown, within `interval` and the time of one statement. While the
/// database is away the last keys count.
#[derive(Debug)]
pub(crate) struct Refresh {
    pub(crate) store: Guarded<KeyStore>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) clock: Clock,
    pub(crate) drain: Drain,
    /// How often the keys are read.
    pub(crate) interval: Duration,
}

impl Refresh {
    /// Reads the keys.
    pub(crate) async fn once(&self) {
        // The database says itself why it was never there.
        if !self.store.unguarded().is_ready() {
            return;
        }
        match self.store.look(PATIENCE, KeyStore::all).await {
            Ok(keys) => self.keyring.replace(keys.into_iter().filter_map(Stored::usable)),
            Err(error) => tracing::warn!(%error, "the callers' keys cannot be read; those that were known still count"),
        }
    }

    /// Reads them again and again, until the service drains.
    pub(crate) async fn run(self) {
        loop {
            let pause = if self.keyring.is_read() { self.interval } else { FIRST_PAUSE.min(self.interval) };
            self.drain.begun_within(pause, &self.clock).await;
            if self.drain.has_begun() {
                return;
            }
            self.once().await;
        }
    }
}
