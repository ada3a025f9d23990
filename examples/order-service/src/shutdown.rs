//! The beginning of the end: when it is asked for, and who is told.

use std::time::Duration;

use seawall_core::time::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the service drains. Clones share the answer.
#[derive(Clone, Debug)]
pub(crate) struct Drain(watch::Sender<bool>);

impl Drain {
    /// Not yet.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// From now on, for good.
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has begun.
    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it begins.
    pub(crate) async fn begun(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|begun| *begun).await;
    }

    /// Waits until it begins, or until `pause` is over.
    pub(crate) async fn begun_within(&self, pause: Duration, clock: &Clock) {
        tokio::select! {
            () = self.begun() => {}
            () = clock.sleep(pause) => {}
        }
    }
}

/// The signals that end the process, SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes the signals over; from now on they no longer end the process by themselves.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn take() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The name of the next one.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
