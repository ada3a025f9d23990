use std::fmt;

use seawall_core::Name;
use seawall_core::observe::Observer;

/// A rare change of a pool: told to its observer and as a `tracing` event with target `seawall::worker_pool`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Another configuration holds from now on.
    Reconfigured {
        /// Which pool.
        name: Name,
    },
    /// Workers were added.
    Grown {
        /// Which pool.
        name: Name,
        /// How many workers there were.
        from: usize,
        /// How many there are.
        to: usize,
    },
    /// Workers left, or will when they have ended what they do.
    Shrunk {
        /// Which pool.
        name: Name,
        /// How many workers there were.
        from: usize,
        /// How many there are.
        to: usize,
    },
    /// A worker was ended by something other than the pool, such as the end of its runtime.
    WorkerLost {
        /// Which pool.
        name: Name,
    },
    /// A worker could not be started.
    WorkerNotStarted {
        /// Which pool.
        name: Name,
    },
    /// A job failed for good, and is kept as a dead letter.
    DeadLettered {
        /// Which pool.
        name: Name,
        /// Which job.
        job: u64,
        /// Why it is not tried again.
        reason: DeadReason,
    },
    /// The oldest dead letter made room for another, and is gone.
    DeadLetterEvicted {
        /// Which pool.
        name: Name,
        /// Which job.
        job: u64,
    },
    /// A job panicked; its worker lives on.
    Panicked {
        /// Which pool.
        name: Name,
        /// Which job.
        job: u64,
    },
    /// The pool takes no more jobs.
    Stopped {
        /// Which pool.
        name: Name,
    },
    /// The pool has stopped, and nothing runs in it any more.
    Drained {
        /// Which pool.
        name: Name,
        /// How many jobs ended after it took no more.
        completed: u64,
        /// How many were running at the deadline, and were cancelled.
        cancelled: u64,
        /// How many had not begun, and were given back.
        returned: u64,
    },
}

/// Why a job that failed is not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DeadReason {
    /// Its last attempt failed: it had as many as it may have, has no time for another, or can be run only once.
    Exhausted,
    /// Its last attempt panicked.
    Panicked,
}

impl DeadReason {
    /// In `snake_case`, as in events and serialised.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Panicked => "panicked",
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Event {
    /// Tells it to `tracing` and to the observer; no lock is held.
    pub(crate) fn tell(&self, observer: Option<&dyn Observer<Self>>) {
        self.emit();
        if let Some(observer) = observer {
            observer.observe(self);
        }
    }

    fn emit(&self) {
        match self {
            Self::Reconfigured { name } => {
                tracing::info!(target: "seawall::worker_pool", %name, "reconfigured");
            }
            // A pool grows and shrinks often: it is told to those who ask for detail.
            Self::Grown { name, from, to } => {
                tracing::debug!(target: "seawall::worker_pool", %name, from, to, "grown");
            }
            Self::Shrunk { name, from, to } => {
                tracing::debug!(target: "seawall::worker_pool", %name, from, to, "shrunk");
            }
            Self::WorkerLost { name } => {
                tracing::warn!(target: "seawall::worker_pool", %name, "worker lost");
            }
            Self::WorkerNotStarted { name } => {
                tracing::warn!(target: "seawall::worker_pool", %name, "worker not started");
            }
            Self::DeadLettered { name, job, reason } => {
                tracing::warn!(target: "seawall::worker_pool", %name, job, %reason, "dead-lettered");
            }
            Self::DeadLetterEvicted { name, job } => {
                tracing::warn!(target: "seawall::worker_pool", %name, job, "dead letter evicted");
            }
            Self::Panicked { name, job } => {
                tracing::error!(target: "seawall::worker_pool", %name, job, "job panicked");
            }
            Self::Stopped { name } => {
                tracing::info!(target: "seawall::worker_pool", %name, "stopped");
            }
            Self::Drained { name, completed, cancelled, returned } => {
                tracing::info!(target: "seawall::worker_pool", %name, completed, cancelled, returned, "drained");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Level, Metadata, Subscriber};

    use super::*;

    thread_local! {
        static EMITTED: RefCell<Vec<(String, Level, String)>> = const { RefCell::new(Vec::new()) };
    }

    struct Capture;

    struct Text(String);

    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            use fmt::Write as _;
            write!(self.0, "{field}={value:?} ").expect("a string takes all");
        }
    }

    impl Subscriber for Capture {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let mut text = Text(String::new());
            event.record(&mut text);
            let metadata = event.metadata();
            EMITTED.with_borrow_mut(|all| all.push((metadata.target().to_owned(), *metadata.level(), text.0)));
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn an_event_reaches_tracing_and_the_observer() {
        let name = Name::from_static("orders");
        let event = Event::DeadLettered { name, job: 7, reason: DeadReason::Exhausted };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let observer = {
            let seen = seen.clone();
            move |event: &Event| seen.lock().expect("no panic").push(*event)
        };
        tracing::subscriber::with_default(Capture, || {
            event.tell(Some(&observer));
            Event::Stopped { name }.tell(None);
        });
        assert_eq!(*seen.lock().expect("no panic"), [event]);
        let emitted = EMITTED.take();
        assert!(emitted.iter().all(|(target, ..)| target == "seawall::worker_pool"), "{emitted:?}");
        let told: Vec<_> = emitted.iter().map(|(_, level, text)| (*level, text.trim())).collect();
        let expected = [
            (Level::WARN, "message=dead-lettered name=orders job=7 reason=exhausted"),
            (Level::INFO, "message=stopped name=orders"),
        ];
        assert_eq!(told, expected);
    }
}
