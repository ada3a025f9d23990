//! `cargo compare [--only PATTERN] [--json]`: ours against the peers, interleaved in one run.

use std::io::{self, Write};
use std::process::ExitCode;

use seawall_benches::compare::contests;
use seawall_benches::harness::{Contest, Crew, Effort, Row, Verdict, measure, table};

const USAGE: &str = "usage: cargo compare [--only PATTERN[/PATH]] [--json]

  --only PATTERN        measure one pattern only, named by its crate's folder
  --only PATTERN/PATH   and of it only the paths that begin with PATH
  --json                one JSON object per row instead of the table

Exits with 0 when everything was measured, whether targets are met or not; with 1 when calls did not end as
they had to, so that the figures mean nothing; with 2 when it was called wrongly.";

fn main() -> ExitCode {
    let wish = match Wish::parse(std::env::args().skip(1)) {
        Ok(Some(wish)) => wish,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("{complaint}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let contests = wish.choose(contests());
    if contests.is_empty() {
        let only = wish.only.unwrap_or_default();
        eprintln!("`--only` is `{only}`, must be one of: {}", offer());
        return ExitCode::from(2);
    }
    match report(&contests, wish.json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(contests: &[Contest], json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let most = contests.iter().flat_map(|contest| contest.threads).max();
    let crew = Crew::new(most.copied().unwrap_or(1));
    let mut rows = Vec::new();
    for contest in contests {
        for &threads in contest.threads {
            let measured = measure(contest, threads, &crew, Effort::default())
                .map_err(|mismatch| format!("{}, {threads} threads: {mismatch}", contest.path))?;
            for row in measured.iter().filter(|row| row.doubtful) {
                eprintln!("doubtful, the machine is busy: {}, {threads} threads, against {}", contest.path, row.peer);
            }
            if json {
                measured.iter().try_for_each(print_json)?;
            }
            rows.extend(measured);
        }
    }
    if !json {
        io::stdout().write_all(table(&rows).as_bytes())?;
    }
    let [met, missed, doubtful] =
        [Verdict::Met, Verdict::Missed, Verdict::Doubtful].map(|verdict| count(&rows, verdict));
    eprintln!("{} rows; targets: {met} met, {missed} missed, {doubtful} doubtful", rows.len());
    Ok(())
}

fn print_json(row: &Row) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", row.json())?;
    out.flush()
}

fn count(rows: &[Row], verdict: Verdict) -> usize {
    rows.iter().filter(|row| row.verdict() == verdict).count()
}

fn offer() -> String {
    let mut patterns: Vec<&str> = contests().iter().map(|contest| contest.pattern).collect();
    patterns.dedup();
    patterns.join(", ")
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    only: Option<String>,
    json: bool,
}

impl Wish {
    /// `None` where help is asked for.
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut wish = Self::default();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--json" => wish.json = true,
                "--only" => {
                    wish.only = Some(args.next().ok_or("`--only` needs a pattern after it")?);
                }
                "--help" | "-h" => return Ok(None),
                other => return Err(format!("`{other}` is not an option")),
            }
        }
        Ok(Some(wish))
    }

    fn choose(&self, mut contests: Vec<Contest>) -> Vec<Contest> {
        // A contest without rivals has no row here.
        contests.retain(|contest| !contest.rivals.is_empty());
        if let Some(only) = &self.only {
            let (pattern, path) = only.split_once('/').unwrap_or((only, ""));
            contests.retain(|contest| contest.pattern == pattern && contest.path.starts_with(path));
        }
        contests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Option<Wish>, String> {
        Wish::parse(args.iter().map(|arg| (*arg).to_owned()))
    }

    #[test]
    fn options_come_in_any_order() {
        let wish = Wish { only: Some("circuit-breaker".to_owned()), json: true };
        assert_eq!(parse(&[]), Ok(Some(Wish::default())));
        assert_eq!(parse(&["--json", "--only", "circuit-breaker"]), Ok(Some(wish)));
        assert_eq!(parse(&["--help"]), Ok(None));
    }

    #[test]
    fn wrong_options_are_named() {
        assert!(parse(&["--only"]).unwrap_err().contains("needs a pattern"));
        assert!(parse(&["--jsno"]).unwrap_err().contains("`--jsno`"));
    }

    #[test]
    fn only_chooses_by_pattern_and_path() {
        let choose = |only: &str| {
            let wish = Wish { only: Some(only.to_owned()), json: false };
            wish.choose(contests())
        };
        let all = choose("circuit-breaker");
        let open = choose("circuit-breaker/open");
        assert!(!open.is_empty() && open.len() < all.len());
        assert!(open.iter().all(|contest| contest.path.starts_with("open")));
        assert!(choose("circuit").is_empty());
    }
}
