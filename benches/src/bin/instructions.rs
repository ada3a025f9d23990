//! `instructions [--update]`: counts the instructions of every hot path of ours under callgrind.
//!
//! A count does not depend on how busy the machine is, so it can be a gate where a time cannot. Each path runs in two
//! processes, which warm up and then do a counted loop, a short one and a long one. The difference of the counts divided by
//! the difference of the lengths is what one call costs, without whatever surrounds the loop. Only the loops are collected:
//! what a process does differently each time, such as the calibration of its clock, lies outside of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use seawall_benches::compare::{HotPath, hot_paths};
use seawall_benches::harness::{Lane, Tally};
use serde::{Deserialize, Serialize};

const USAGE: &str = "usage: instructions [--update]

Prints the instructions of one call on each hot path and compares them with benches/instructions.json.
  --update   writes the file anew

Exits with 1 when a path costs more than 5 % more than the file says, or when file and paths do not name the
same paths; with 2 when it was called wrongly.";

const WARM_UP: u64 = 2_000;
const SHORT: u64 = 2_000;
const LONG: u64 = 12_000;
/// How much worse a count may be than the recorded one.
const TOLERANCE: f64 = 0.05;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [] => gate(),
        ["--update"] => update(),
        ["hot-path", name, calls] => hot_path(name, calls),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

/// What is recorded.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// The compiler that made the counted code: another one may well make another count.
    rustc: String,
    /// Instructions of one call by pattern and path.
    instructions: BTreeMap<String, f64>,
}

fn gate() -> Result<ExitCode, Box<dyn Error>> {
    let record: Record = serde_json::from_str(&fs::read_to_string(record_file())?)?;
    let now = count_all()?;
    if record.rustc != now.rustc {
        eprintln!("note: recorded with {}, counted with {}", record.rustc, now.rustc);
    }
    let complaints = complaints(&record.instructions, &now.instructions);
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn update() -> Result<ExitCode, Box<dyn Error>> {
    let mut text = serde_json::to_string_pretty(&count_all()?)?;
    text.push('\n');
    fs::write(record_file(), text)?;
    Ok(ExitCode::SUCCESS)
}

fn complaints(recorded: &BTreeMap<String, f64>, counted: &BTreeMap<String, f64>) -> Vec<String> {
    let gone = recorded.keys().filter(|path| !counted.contains_key(*path));
    let gone = gone.map(|path| format!("`{path}` is recorded but no path any more: run with --update"));
    let worse = counted.iter().filter_map(|(path, &now)| match recorded.get(path) {
        None => Some(format!("`{path}` is not recorded: run with --update")),
        Some(&before) if now > before * (1.0 + TOLERANCE) => {
            let percent = (now / before - 1.0) * 100.0;
            Some(format!("`{path}` costs {now} instructions, {percent:.1} % more than the recorded {before}"))
        }
        Some(_) => None,
    });
    gone.chain(worse).collect()
}

fn count_all() -> Result<Record, Box<dyn Error>> {
    let mut record = Record { rustc: rustc()?, ..Record::default() };
    for path in hot_paths() {
        let instructions = count(&path)?;
        println!("{instructions:>8.1}  {}", path.name());
        record.instructions.insert(path.name(), instructions);
    }
    Ok(record)
}

/// Instructions of one call, to a tenth: what happens now and then only is spread over all calls.
fn count(path: &HotPath) -> Result<f64, Box<dyn Error>> {
    let short = count_loop(path, SHORT)?;
    let long = count_loop(path, LONG)?;
    let per_call = long.saturating_sub(short) as f64 / (LONG - SHORT) as f64;
    Ok((per_call * 10.0).round() / 10.0)
}

/// Runs this program under callgrind.
fn count_loop(path: &HotPath, calls: u64) -> Result<u64, Box<dyn Error>> {
    let out = Scratch::new();
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted_calls*"])
        .arg(format!("--callgrind-out-file={}", out.0.display()))
        .arg(std::env::current_exe()?)
        .args(["hot-path", &path.name(), &calls.to_string()])
        .output()
        .map_err(|error| format!("valgrind does not start ({error}): is it installed?"))?;
    if !run.status.success() {
        return Err(format!("{}: {}", path.name(), String::from_utf8_lossy(&run.stderr)).into());
    }
    total(&fs::read_to_string(&out.0)?)
}

/// The sum of all costs in a file of callgrind's.
fn total(text: &str) -> Result<u64, Box<dyn Error>> {
    let totals = text.lines().find_map(|line| line.strip_prefix("totals:"));
    Ok(totals.ok_or("callgrind wrote no totals")?.trim().parse()?)
}

/// The counted process.
fn hot_path(name: &str, calls: &str) -> Result<ExitCode, Box<dyn Error>> {
    let path = hot_paths().into_iter().find(|path| path.name() == name).ok_or("no such path")?;
    let subject = (path.build)();
    let mut lane = subject.lane(0);
    let mut driven = lane(WARM_UP);
    driven += counted_calls(&mut lane, calls.parse()?);
    subject.audit(&driven)?;
    Ok(ExitCode::SUCCESS)
}

/// What callgrind collects: it knows the function by this name.
#[inline(never)]
fn counted_calls(lane: &mut Lane, calls: u64) -> Tally {
    lane(calls)
}

fn rustc() -> Result<String, Box<dyn Error>> {
    let version = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8(version.stdout)?.trim().to_owned())
}

fn record_file() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json"))
}

/// A file that goes away again.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("seawall-instructions-{}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that stays behind harms nobody.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts<const N: usize>(counts: [(&str, f64); N]) -> BTreeMap<String, f64> {
        counts.map(|(path, count)| (path.to_owned(), count)).into()
    }

    #[test]
    fn five_percent_worse_is_the_limit() {
        let recorded = counts([("same", 100.0), ("limit", 100.0), ("worse", 100.0), ("better", 100.0)]);
        let now = counts([("same", 100.0), ("limit", 105.0), ("worse", 105.1), ("better", 50.0)]);
        let complaints = complaints(&recorded, &now);
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].contains("`worse` costs 105.1 instructions, 5.1 % more"), "{complaints:?}");
    }

    #[test]
    fn record_and_paths_name_the_same() {
        let complaints = complaints(&counts([("old", 1.0)]), &counts([("new", 1.0)]));
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].contains("`old` is recorded") && complaints[1].contains("`new` is not recorded"));
    }

    #[test]
    fn totals_are_found() {
        assert_eq!(total("version: 1\nsummary: 9\ntotals: 120034\n").unwrap(), 120_034);
        assert!(total("version: 1\n").is_err());
    }
}
