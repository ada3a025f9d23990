use std::convert::Infallible;
use std::sync::Arc;

use seawall_core::time::Clock;
use seawall_core::{Admits, Name, Policy};

use super::Key;
use super::tenant::Tenant;
use crate::breaker::Breaker;
use crate::state::Worth;
use crate::throttle::Throttle;
use crate::{event, settings, throttle};

/// What a keyed policy keeps for each key. It is used again for other keys.
pub(crate) trait Member<K>: Policy<Place = Infallible> + Admits {
    /// What all members share.
    type Settings: Send + Sync;
    /// What is told of a member.
    type Event;

    /// A member that serves nobody yet, whose threads have so many lanes of their own.
    fn new(settings: Arc<Self::Settings>, clock: Clock, lanes: usize) -> Self;

    /// Begins anew for `to`, if `may` agrees to lose what would be lost. Calls that were admitted before change nothing.
    ///
    /// `may` runs under the member's lock. Whoever sees anything of the new beginning sees all that `may` wrote.
    fn hand_over(&self, to: Option<&Arc<Tenant<K, Self::Event>>>, may: &mut dyn FnMut(Worth) -> bool) -> bool;

    /// Whether it is broken or held as far as can be told without its lock: no need to ask it for its worth then.
    fn is_needed(&self) -> bool {
        false
    }

    /// Takes over new settings and keeps what was counted.
    fn reconfigure(&self, settings: Arc<Self::Settings>);

    /// Logs that so many calls passed untracked, and this one does too.
    fn log_that_it_is_full(name: Name, capacity: u32, untracked: u64);
}

macro_rules! log_that_it_is_full {
    ($target:literal, $name:ident, $capacity:ident, $untracked:ident) => {
        tracing::warn!(
            target: $target,
            name = $name.as_str(),
            capacity = $capacity,
            untracked = $untracked,
            "no key can be forgotten: calls of new keys pass untracked"
        )
    };
}

impl<K: Key> Member<K> for Breaker {
    type Settings = settings::Settings;
    type Event = event::Event;

    fn new(settings: Arc<Self::Settings>, clock: Clock, lanes: usize) -> Self {
        Self::from_settings(settings, clock, lanes)
    }

    fn hand_over(&self, to: Option<&Arc<Tenant<K, Self::Event>>>, may: &mut dyn FnMut(Worth) -> bool) -> bool {
        self.hand_over(|| to.map(|tenant| tenant.clone() as _), may)
    }

    fn is_needed(&self) -> bool {
        self.last_state() != event::State::Closed
    }

    fn reconfigure(&self, settings: Arc<Self::Settings>) {
        self.take_over(settings);
    }

    fn log_that_it_is_full(name: Name, capacity: u32, untracked: u64) {
        log_that_it_is_full!("seawall::circuit_breaker", name, capacity, untracked);
    }
}

impl<K: Key> Member<K> for Throttle {
    type Settings = throttle::settings::Settings;
    type Event = throttle::Event;

    fn new(settings: Arc<Self::Settings>, clock: Clock, lanes: usize) -> Self {
        Self::from_settings(settings, clock, lanes)
    }

    fn hand_over(&self, to: Option<&Arc<Tenant<K, Self::Event>>>, may: &mut dyn FnMut(Worth) -> bool) -> bool {
        self.hand_over(|| to.map(|tenant| tenant.clone() as _), may)
    }

    fn reconfigure(&self, settings: Arc<Self::Settings>) {
        self.take_over(settings);
    }

    fn log_that_it_is_full(name: Name, capacity: u32, untracked: u64) {
        log_that_it_is_full!("seawall::adaptive_throttle", name, capacity, untracked);
    }
}
