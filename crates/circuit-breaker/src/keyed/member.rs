use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use seawall_core::time::Clock;
use seawall_core::{Admits, Policy};

use super::tenant::Tenant;
use crate::breaker::Breaker;
use crate::settings::Settings;
use crate::state::Worth;

/// What a keyed policy keeps for each key. It is used again for other keys.
pub(crate) trait Member<K>: Policy<Place = Infallible> + Admits {
    /// What all members share.
    type Settings: Send + Sync;

    /// A member that serves nobody yet, whose threads have so many lanes of their own.
    fn new(settings: Arc<Self::Settings>, clock: Clock, lanes: usize) -> Self;

    /// Begins anew for `to`, if `may` agrees to lose what would be lost. Calls that were admitted before change nothing.
    ///
    /// `may` runs under the member's lock. Whoever sees anything of the new beginning sees all that `may` wrote.
    fn hand_over(&self, to: Option<&Arc<Tenant<K>>>, may: &mut dyn FnMut(Worth) -> bool) -> bool;

    /// Takes over new settings and keeps what was counted.
    fn reconfigure(&self, settings: Arc<Self::Settings>);
}

impl<K: fmt::Debug + Send + Sync + 'static> Member<K> for Breaker {
    type Settings = Settings;

    fn new(settings: Arc<Settings>, clock: Clock, lanes: usize) -> Self {
        Self::from_settings(settings, clock, lanes)
    }

    fn hand_over(&self, to: Option<&Arc<Tenant<K>>>, may: &mut dyn FnMut(Worth) -> bool) -> bool {
        self.hand_over(|| to.map(|tenant| tenant.clone() as _), may)
    }

    fn reconfigure(&self, settings: Arc<Settings>) {
        self.take_over(settings);
    }
}
