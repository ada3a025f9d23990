//! Load levels: how loaded a service is, and what it leaves undone because of it.
//!
//! | | |
//! |---|---|
//! | [`LoadGauge`] | makes one load of several [`Signal`]s, and of the load a [`Level`] that does not flap |
//! | [`Feature`], [`FeatureSwitch`] | what is switched off from a level on, and step by step on again |
//! | [`Shedder`] | refuses calls by their priority, the lowest first |
//! | [`Levels`] | the pure state machine: hysteresis, a dwell time, recovery one step at a time |
//!
//! A gauge looks at its signals when it is [asked](LoadGauge::update), which every call through a switch or a shedder does, at
//! most once per interval; [`follow_time`](LoadGauge::follow_time) makes it look when nobody calls.
//!
//! ```
//! use seawall_bulkhead::load::{Config, Feature, Level, LoadGauge, Shedder, Signal};
//! use seawall_bulkhead::{Bulkhead, Priority};
//! use seawall_core::time::Clock;
//! use std::time::Duration;
//!
//! let (clock, time) = Clock::manual();
//! let database = Bulkhead::with_clock(seawall_bulkhead::Config::new(10).name("database"), clock.clone())?;
//! let load = LoadGauge::with_clock(Config::default(), clock)?;
//! load.signal(Signal::in_flight(&database))?;
//! let suggestions = load.feature(Feature::new("suggestions").until(Level::Elevated))?;
//! let shedder = Shedder::by(&load, |request: &(Priority, &str)| request.0);
//!
//! assert!(suggestions.is_on());
//! let calls: Vec<_> = (0..9).map(|_| database.try_admit().expect("of ten")).collect();
//! time.advance(Duration::from_secs(60));
//! assert_eq!(load.update(), Level::Elevated);
//! assert!(!suggestions.is_on());
//! let shed = shedder.with(&(Priority::Low, "a report")).try_admit().expect_err("low priority");
//! assert_eq!(shed.to_string(), "`load` sheds calls of low priority: the load is elevated, retry after 5s");
//! assert!(shedder.with(&(Priority::Normal, "an order")).try_admit().is_ok());
//!
//! drop(calls);
//! time.advance(Duration::from_secs(60));
//! assert!(suggestions.is_on());
//! # Ok::<(), seawall_core::ConfigError>(())
//! ```

mod config;
mod event;
mod feature;
mod gauge;
mod level;
mod levels;
mod metrics;
mod shedder;
mod signal;
mod smoothing;
mod snapshot;
mod switched_off;
mod switches;

pub use config::{Combine, Config};
pub use event::Event;
pub use feature::{Feature, FeatureSwitch, Switch};
pub use gauge::LoadGauge;
pub use level::Level;
pub use levels::{Hysteresis, Levels};
pub use shedder::{Shed, ShedSnapshot, Shedder, Shedding};
pub use signal::Signal;
pub use snapshot::{FeatureSnapshot, SignalSnapshot, Snapshot};
pub use switched_off::SwitchedOff;
