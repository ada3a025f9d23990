use std::hash::BuildHasher;

use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use super::{Breakers, Key, Throttles};
use crate::breaker::{Breaker, Totals};
use crate::event::State;
use crate::metrics::sample_totals;
use crate::throttle::{Throttle, Total, sample_total};

/// What is told of keys, whatever guards them.
struct OfKeys {
    keys: Metric,
    capacity: Metric,
    evicted: Metric,
    untracked: Metric,
}

const CAPACITY: &str = "How many keys there may be.";
const EVICTED: &str = "Keys that were forgotten to make room.";
const UNTRACKED: &str = "Calls that passed untracked: no room for their key, and none that could be forgotten.";

static OF_BREAKERS: OfKeys = OfKeys {
    keys: Metric::gauge(
        "seawall_circuit_breaker_keys",
        "Keys that are known, by the state of their circuit.",
        Unit::Count,
    ),
    capacity: Metric::gauge("seawall_circuit_breaker_keys_capacity", CAPACITY, Unit::Count),
    evicted: Metric::counter("seawall_circuit_breaker_keys_evicted", EVICTED),
    untracked: Metric::counter("seawall_circuit_breaker_untracked", UNTRACKED),
};

static OF_THROTTLES: OfKeys = OfKeys {
    keys: Metric::gauge(
        "seawall_adaptive_throttle_keys",
        "Keys that are known, by whether calls are refused.",
        Unit::Count,
    ),
    capacity: Metric::gauge("seawall_adaptive_throttle_keys_capacity", CAPACITY, Unit::Count),
    evicted: Metric::counter("seawall_adaptive_throttle_keys_evicted", EVICTED),
    untracked: Metric::counter("seawall_adaptive_throttle_untracked", UNTRACKED),
};

impl OfKeys {
    fn sample(&'static self, sink: &mut dyn Sink, name: (&'static str, &str), counts: [u64; 3]) {
        let [capacity, evicted, untracked] = counts;
        sink.sample(&self.capacity, &[name], Value::Integer(capacity));
        sink.sample(&self.evicted, &[name], Value::Integer(evicted));
        sink.sample(&self.untracked, &[name], Value::Integer(untracked));
    }
}

/// No key is a label: there are too many of them, and outsiders choose them. Calls, refusals and transitions are sums over all
/// keys, those included that were forgotten.
impl<K: Key, S: BuildHasher + Send + Sync> Collect for Breakers<K, S> {
    fn collect(&self, sink: &mut dyn Sink) {
        let snapshot = self.snapshot();
        let name = ("name", snapshot.name.as_str());
        for state in State::ALL {
            let keys = snapshot.states.get(state) as u64;
            sink.sample(&OF_BREAKERS.keys, &[name, ("state", state.as_str())], Value::Integer(keys));
        }
        OF_BREAKERS.sample(sink, name, [snapshot.capacity as u64, snapshot.evicted, snapshot.untracked]);
        let mut totals = Totals::default();
        self.store.members().map(Breaker::lifetime).for_each(|member| totals += member);
        sample_totals(sink, name, &totals);
    }
}

/// No key is a label. Calls, refusals and episodes are sums over all keys, those included that were forgotten.
impl<K: Key, S: BuildHasher + Send + Sync> Collect for Throttles<K, S> {
    fn collect(&self, sink: &mut dyn Sink) {
        let snapshot = self.snapshot();
        let name = ("name", snapshot.name.as_str());
        for (state, keys) in [("passing", snapshot.states.passing), ("refusing", snapshot.states.refusing)] {
            sink.sample(&OF_THROTTLES.keys, &[name, ("state", state)], Value::Integer(keys as u64));
        }
        OF_THROTTLES.sample(sink, name, [snapshot.capacity as u64, snapshot.evicted, snapshot.untracked]);
        let mut total = Total::default();
        self.store.members().map(Throttle::lifetime).for_each(|member| total += member);
        sample_total(sink, name, &total);
    }
}
