use std::hash::BuildHasher;

use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use super::{Breakers, Key};
use crate::breaker::{Breaker, Totals};
use crate::event::State;
use crate::metrics::{counter, gauge, sample_totals};

static KEYS: Metric =
    gauge("seawall_circuit_breaker_keys", "Keys that are known, by the state of their circuit.", Unit::Count);
static CAPACITY: Metric = gauge("seawall_circuit_breaker_keys_capacity", "How many keys there may be.", Unit::Count);
static EVICTED: Metric = counter("seawall_circuit_breaker_keys_evicted", "Keys that were forgotten to make room.");
static UNTRACKED: Metric = counter(
    "seawall_circuit_breaker_untracked",
    "Calls that passed untracked: no room for their key, and none that could be forgotten.",
);

/// No key is a label: there are too many of them, and outsiders choose them. Calls, refusals and transitions are sums over all
/// keys, those included that were forgotten.
impl<K: Key, S: BuildHasher + Send + Sync> Collect for Breakers<K, S> {
    fn collect(&self, sink: &mut dyn Sink) {
        let snapshot = self.snapshot();
        let name = ("name", snapshot.name.as_str());
        for state in State::ALL {
            let keys = snapshot.states.get(state) as u64;
            sink.sample(&KEYS, &[name, ("state", state.as_str())], Value::Integer(keys));
        }
        sink.sample(&CAPACITY, &[name], Value::Integer(snapshot.capacity as u64));
        sink.sample(&EVICTED, &[name], Value::Integer(snapshot.evicted));
        sink.sample(&UNTRACKED, &[name], Value::Integer(snapshot.untracked));
        let mut totals = Totals::default();
        self.store.members().map(Breaker::lifetime).for_each(|member| totals += member);
        sample_totals(sink, name, &totals);
    }
}
