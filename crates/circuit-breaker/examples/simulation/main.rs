//! Fifty clients and a dependency that becomes slow, fails, is down, flaps, and is well again: simulated with no
//! breaker and with four configurations, on the same calls, and drawn side by side.
//!
//! `cargo run -p seawall-circuit-breaker --example circuit_breaker_simulation -- --seed 7 --out simulation.svg`

mod arguments;
mod picture;
#[allow(dead_code, unused_imports, reason = "the tests ask more of the same simulator than the picture does")]
mod world;

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use seawall_circuit_breaker::State;

use arguments::{Arguments, USAGE};
use picture::Column;
use world::{Protection, Run, Scenario, simulate};

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
    let scenario = Scenario::story(50, 170);
    println!("{:<28} {:>7} {:>7} {:>8} {:>7}  closed for good", "", "wanted", "made", "answered", "lost");
    let columns = columns().map(|(title, about, protection)| {
        let run = simulate(&scenario, protection.as_ref(), arguments.seed);
        println!("{title:<28} {}", summary(&scenario, &run));
        Column { title, about, guarded: protection.is_some(), run }
    });
    let picture = picture::draw(&scenario, &columns);
    file.write_all(picture.as_bytes())?;
    println!("drawn in {}", arguments.out.display());
    Ok(())
}

fn columns() -> [(&'static str, &'static str, Option<Protection>); 5] {
    [
        ("No breaker", "every call is made", None),
        ("Config::default()", "half of 30 s fails: open for 30 s", Some(Protection::default_config())),
        ("Config::classic()", "5 failures in a row: open for 60 s", Some(Protection::classic())),
        ("Slow calls count", "half of 10 s fails or is slow: 20 s", Some(Protection::slow_calls())),
        ("Recovery and jitter", "the same: 5 to 40 s; back by stages", Some(Protection::progressive())),
    ]
}

/// What became of the calls, and how long after the last fault the last circuit closed.
fn summary(scenario: &Scenario, run: &Run) -> String {
    let sum = |what: fn(&world::Bin) -> u32| run.bins.iter().map(what).sum::<u32>();
    let (asked, admitted, good) = (sum(|bin| bin.asked), sum(|bin| bin.admitted), sum(|bin| bin.good));
    let closed =
        run.transitions.iter().rfind(|(_, event)| event.to == State::Closed).map_or(String::new(), |(_, event)| {
            let at = Duration::from_nanos(event.at.as_nanos());
            format!("{:.0} s after the last fault", at.saturating_sub(scenario.faults_end()).as_secs_f64())
        });
    format!("{asked:>7} {admitted:>7} {good:>8} {:>7}  {closed}", admitted - good)
}
