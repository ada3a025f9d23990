use seawall_core::Name;
use seawall_core::observe::Observer;

/// A rare change of a bulkhead: told to its observer and as a `tracing` event with target `seawall::bulkhead`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Another configuration holds from now on.
    Reconfigured {
        /// Which bulkhead.
        name: Name,
        /// The limit before.
        from: u32,
        /// The limit now.
        to: u32,
    },
    /// An algorithm, or a [resize](crate::Compartment::resize), changed the limit.
    LimitChanged {
        /// Which bulkhead.
        name: Name,
        /// The limit before.
        from: u32,
        /// The limit now.
        to: u32,
    },
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
            Self::Reconfigured { name, from, to } => {
                tracing::info!(target: "seawall::bulkhead", %name, from, to, "reconfigured");
            }
            // An adaptive limit moves often: it is told to those who ask for detail.
            Self::LimitChanged { name, from, to } => {
                tracing::debug!(target: "seawall::bulkhead", %name, from, to, "limit changed");
            }
        }
    }
}
