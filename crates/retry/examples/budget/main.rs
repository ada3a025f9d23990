//! What a retry budget is for: five clients call a dependency that fails now and then, and then is down, with the usual three
//! retries and with two kinds of budget beside it. On virtual time.
//!
//! `cargo run -p seawall-retry --example retry_budget -- 7`

#[allow(dead_code, reason = "the tests ask more of the same simulation than the table does")]
mod outage;

use std::process::ExitCode;

use outage::{Kind, Log, Phase, play};

fn main() -> ExitCode {
    let seed = match std::env::args().nth(1).map(|seed| seed.parse()) {
        None => 1,
        Some(Ok(seed)) => seed,
        Some(Err(error)) => {
            eprintln!("usage: retry_budget [SEED], a whole number: {error}");
            return ExitCode::from(2);
        }
    };
    println!("{:<28} {:>10} {:>10} {:>10} {:>10}", "", "well", "10 % fail", "down", "well again");
    for kind in Kind::ALL {
        let log = Log::merged(&play(kind, seed));
        let row = |what: &str, figure: &dyn Fn(Phase) -> String| {
            let [well, shaky, down, again] = Phase::ALL.map(figure);
            println!("{what:<28} {well:>10} {shaky:>10} {down:>10} {again:>10}");
        };
        println!("{}", name(kind));
        row("  attempts for each call", &|phase| format!("{:.2}", log.load(phase)));
        row("  calls that ended well", &|phase| format!("{:.1} %", log.goodput(phase) * 100.0));
    }
    ExitCode::SUCCESS
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Never => "without retries",
        Kind::ThreeRetries => "three retries",
        Kind::Deposits => "three, a fifth is paid for",
        Kind::InFlight => "three, a fifth in flight",
    }
}
