//! Many callers, a service with a knee, and a limit before it: without one, with the best fixed one, and with each of the
//! algorithms, on the same calls. Prints what five times the load that the service can answer comes to, and draws limit, latency
//! and goodput while load and capacity change.
//!
//! `cargo run --release -p seawall-bulkhead --example bulkhead_simulation -- --seed 7 --out simulation.svg`

mod arguments;
mod picture;
#[allow(dead_code, unused_imports, reason = "the tests ask more of the same simulator than the picture does")]
mod world;

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use seawall_bulkhead::limit::{Adaptive, Correlation, Gradient, LimitAlgorithm};
use seawall_bulkhead::{CoDel, Config};

use arguments::{Arguments, USAGE};
use picture::Column;
use world::settings::{self, Unloaded};
use world::{Door, Fixed, Phase, Pure, Real, Run, Scenario, simulate};

fn main() -> ExitCode {
    let arguments = match Arguments::of(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(told) if told == USAGE => {
            println!("{told}");
            return ExitCode::SUCCESS;
        }
        Err(told) => {
            eprintln!("{told}");
            return ExitCode::from(2);
        }
    };
    match play(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("--out {}: {error}", arguments.out.display());
            ExitCode::FAILURE
        }
    }
}

/// # Errors
/// If the picture cannot be written.
fn play(arguments: &Arguments) -> io::Result<()> {
    // Before the work: a folder that is not there should be heard of at once.
    let mut file = File::create(&arguments.out)?;
    let seed = arguments.seed;
    let scenario = Scenario::overload(5.0, Duration::from_secs(60));
    let unloaded = Unloaded::of(&scenario, seed);
    let (best, goodput) = settings::best_fixed(&scenario, 5.0, seed);
    println!(
        "unloaded: median {:.0} ms, p99 {:.0} ms; a minute of five times the load, best fixed limit {best}",
        millis(unloaded.median),
        millis(unloaded.p99)
    );
    println!(
        "{:<34} {:>6} {:>9} {:>8} {:>8} {:>9} {:>6}",
        "", "limit", "goodput/s", "of best", "p50 ms", "p99 ms", "× unl."
    );
    let table = Table { scenario: &scenario, unloaded, goodput, seed };
    table.row("no limit", Pure::new(Fixed(u32::MAX)));
    table.row("best fixed", Pure::new(Fixed(best)));
    for (name, setting) in settings::all(&scenario, unloaded) {
        table.row(name, Pure::new(built(setting)));
    }
    for (name, setting) in settings::chosen(&scenario, unloaded) {
        let patience = scenario.patience / 5;
        // A queue is worth having only while it is short.
        let config = Config::adaptive(setting).queue(50).max_wait(patience).codel(CoDel::default());
        table.row(&format!("{name}, queue 50, CoDel"), Real::new(config));
    }
    slower(unloaded, seed);
    let story = Scenario::story();
    let columns = columns(&story, unloaded, best, seed);
    file.write_all(picture::draw(&story, unloaded, &columns).as_bytes())?;
    println!("drawn in {}", arguments.out.display());
    Ok(())
}

/// Calls take twice as long from one moment on, which no limit makes better: whether an algorithm believes it.
fn slower(unloaded: Unloaded, seed: u64) {
    let stretch = Duration::from_secs(60);
    let slow = |name, load| Phase::new(name, stretch, load).slowness(2.0);
    let scenario = Scenario::new([
        Phase::new("as usual", stretch, 2.0),
        slow("overload", 2.0),
        slow("little load", 0.2),
        slow("overload again", 2.0),
    ]);
    let possible = scenario.service.capacity() / 2.0;
    println!("\ncalls take twice as long: answers in time, of those possible, in the last half of a minute of each");
    println!("{:<34} {:>10} {:>15} {:>16}", "", "overload", "little load", "overload again");
    for (name, setting) in settings::all(&scenario, unloaded) {
        let run = simulate(&scenario, Pure::new(built(setting)), seed);
        let parts = scenario.timetable().skip(1).map(|(begin, phase)| {
            let figures = run.between(begin + stretch / 2, begin + stretch);
            figures.goodput / possible.min(phase.load * possible * 2.0) * 100.0
        });
        let parts: Vec<f64> = parts.collect();
        println!("{name:<34} {:>8.0} % {:>13.0} % {:>14.0} %", parts[0], parts[1], parts[2]);
    }
}

fn columns(story: &Scenario, unloaded: Unloaded, best: u32, seed: u64) -> [Column; 7] {
    let fixed = |title, about, limit| Column { title, about, run: simulate(story, Pure::new(Fixed(limit)), seed) };
    let found = |title, about, algorithm: Adaptive| {
        let run = simulate(story, Pure::new(built(algorithm)), seed);
        Column { title, about, run }
    };
    [
        fixed("No limit", "every call is let in", u32::MAX),
        fixed("Best fixed limit", "found by search at 5×", best),
        found("AIMD", "a call may take 1.5 unloaded p99", settings::aimd(unloaded).into()),
        found("Vegas", "medians; a fifth may wait", settings::vegas(story).into()),
        found("Gradient2", "medians; tolerance 1.1", settings::gradient2().into()),
        found("Gradient", "Envoy's, as it comes", Gradient::default().into()),
        found("Correlation", "failsafe-go's, as it comes", Correlation::default().into()),
    ]
}

fn built(adaptive: Adaptive) -> Box<dyn LimitAlgorithm> {
    adaptive.build().expect("settings that can be")
}

/// What the rows are measured against.
struct Table<'a> {
    scenario: &'a Scenario,
    unloaded: Unloaded,
    /// Of the best fixed limit.
    goodput: f64,
    seed: u64,
}

impl Table<'_> {
    fn row(&self, name: &str, door: impl Door) {
        let run: Run = simulate(self.scenario, door, self.seed);
        // The way to the limit included.
        let figures = run.between(Scenario::WARM_UP, self.scenario.length());
        let (p50, p99) = (figures.took(0.5).unwrap_or_default(), figures.took(0.99).unwrap_or_default());
        let limit = if figures.limit > 1e9 { "none".to_owned() } else { format!("{:.1}", figures.limit) };
        println!(
            "{name:<34} {limit:>6} {:>9.0} {:>6.1} % {:>8.0} {:>9.0} {:>6.2}",
            figures.goodput,
            figures.goodput / self.goodput * 100.0,
            millis(p50),
            millis(p99),
            p99.as_secs_f64() / self.unloaded.p99.as_secs_f64()
        );
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
