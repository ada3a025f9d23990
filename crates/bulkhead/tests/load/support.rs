use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_bulkhead::load::{Config, Event, LoadGauge, Signal};
use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_core::time::{Clock, ManualTime};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MS: Duration = Duration::from_millis(1);

/// A gauge on manual time with one pushed signal, `cpu`, and what it tells its observer.
pub(crate) struct Pushed {
    pub(crate) gauge: LoadGauge,
    pub(crate) time: ManualTime,
    told: Arc<Mutex<Vec<Event>>>,
}

impl Pushed {
    /// Without smoothing, unless `config` has another one.
    pub(crate) fn new(config: Config) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let config = config.observer(move |event: &Event| heard.lock().expect("nobody panics").push(*event));
        let (clock, time) = Clock::manual();
        time.advance(1_000 * SECOND);
        let gauge = LoadGauge::with_clock(config, clock).expect("valid");
        gauge.signal(Signal::pushed("cpu")).expect("the first");
        Self { gauge, time, told }
    }

    /// Looks at this load, a second after the last look.
    pub(crate) fn load(&self, load: f64) {
        self.time.advance(SECOND);
        self.gauge.push("cpu", load).expect("a load");
        self.gauge.sample();
    }

    /// Looks at this load each second for so many of them.
    pub(crate) fn hold(&self, load: f64, seconds: u32) {
        (0..seconds).for_each(|_| self.load(load));
    }

    /// What was told since it was asked last.
    pub(crate) fn told(&self) -> Vec<Event> {
        std::mem::take(&mut *self.told.lock().expect("nobody panics"))
    }
}

/// As it comes, at once.
pub(crate) fn raw() -> Config {
    Config::default().smoothing(Duration::ZERO)
}

/// What something tells its metrics: `name{label="value"} number`, each.
pub(crate) fn metrics(of: &dyn Collect) -> Vec<String> {
    struct Lines(Vec<String>);

    impl Sink for Lines {
        fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
            let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let value = match value {
                Value::Integer(value) => value.to_string(),
                Value::Float(value) => format!("{value:?}"),
                other => format!("{other:?}"),
            };
            self.0.push(format!("{} {} {value}", metric.name, labels.join(",")));
        }
    }

    let mut lines = Lines(Vec::new());
    of.collect(&mut lines);
    lines.0
}
