//! What a shop leaves undone while it is flooded, and how everything comes back.
//!
//! `cargo run -p seawall-bulkhead --example load_levels`

use std::error::Error;
use std::time::Duration;

use seawall_bulkhead::load::{Config, Event, Feature, Hysteresis, Level, LoadGauge, Shedder, Signal};
use seawall_bulkhead::{Bulkhead, Priority};
use seawall_core::time::Clock;

fn main() -> Result<(), Box<dyn Error>> {
    // Manual time, so that a minute of the shop's day takes no time; a service takes `LoadGauge::new`.
    let (clock, time) = Clock::manual();
    let told = |event: &Event| match event {
        Event::LevelChanged { from, to, load, .. } => println!("      the load is {load:.2}: {from} -> {to}"),
        Event::FeatureSwitched { feature, on, .. } => println!("      {feature} is {}", if *on { "on" } else { "off" }),
        other => println!("      {other:?}"),
    };
    let config = Config::default()
        .name("shop")
        .levels(Hysteresis::default().rise_dwell(Duration::from_secs(1)))
        .stagger(Duration::from_secs(2))
        .observer(told);
    let load = LoadGauge::with_clock(config, clock.clone())?;

    let database = Bulkhead::with_clock(seawall_bulkhead::Config::new(20).name("database").queue(100), clock)?;
    load.signal(Signal::in_flight(&database))?;
    load.signal(Signal::queue_age("database_queue", &database, Duration::from_millis(500)))?;
    load.signal(Signal::pushed("cpu"))?;

    let suggestions = load.feature(Feature::new("suggestions").until(Level::Elevated))?;
    let statistics = load.feature(Feature::new("statistics").until(Level::Elevated))?;
    let search = load.feature(Feature::new("search").until(Level::Critical))?;
    let shedder = Shedder::by(&load, |(_order, priority): &(u32, Priority)| *priority);

    let mut calls = Vec::new();
    for second in 0..40_u32 {
        // Seconds 5 to 14: everybody comes at once, and nobody leaves.
        let wanted = if (5..15).contains(&second) { 20 } else { 6 };
        calls.truncate(wanted);
        calls.extend((calls.len()..wanted).filter_map(|_| database.try_admit().ok()));
        load.push("cpu", if second < 18 { 0.6 } else { 0.3 })?;
        time.advance(Duration::from_secs(1));
        let level = load.update();

        let passes = Priority::ALL.map(|priority| shedder.with(&(second, priority)).try_admit().is_ok());
        if second % 5 == 0 {
            let on = [&suggestions, &statistics, &search].map(|feature| feature.is_on());
            println!("{second:>3} s {level}: suggestions, statistics, search: {on:?}; low to critical: {passes:?}");
        }
    }
    println!("a call by priority, the lowest first: {:?}", shedder.snapshot());
    println!("{:#?}", load.snapshot());
    Ok(())
}
