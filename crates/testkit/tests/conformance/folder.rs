//! Reads a folder of vectors, runs them and tells what came of it.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::miss::Miss;
use crate::unsupported::Unsupported;
use crate::vector::Vector;
use crate::{Suite, suite};

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "it is for people")]
    about: Value,
    vectors: Vec<Vector>,
}

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    unsupported: usize,
}

impl Count {
    fn tell(&self, of: &str) {
        let Self { passed, failed, unsupported } = self;
        println!("{of}: {passed} passed, {failed} failed, {unsupported} unsupported");
    }
}

/// Whether all is as it should be.
pub(crate) fn run() -> Result<bool, String> {
    let own = Path::new(PACKAGE).join("vectors");
    let list = Unsupported::read(&own.join("unsupported.toml"))?;
    let verbose = env::var_os("SEAWALL_VECTORS_VERBOSE").is_some_and(|value| value == "1");
    let elsewhere = env::var_os("SEAWALL_VECTORS").map(|folder| named_folder(Path::new(&folder)));
    let mut runner = Runner { list, verbose, used: Vec::new() };

    let files = json_files(elsewhere.as_ref().unwrap_or(&own))?;
    let mut sum = Count::default();
    for (name, path) in &files {
        let count = runner.run_file(name, path)?;
        count.tell(name);
        sum.passed += count.passed;
        sum.failed += count.failed;
        sum.unsupported += count.unsupported;
    }
    sum.tell("total");
    // A rule that excuses nothing of the project's own vectors would wait for a failure to hide.
    let stale = if elsewhere.is_none() { runner.tell_stale() } else { false };
    Ok(sum.failed == 0 && !stale)
}

/// A relative folder is meant from where cargo was called, as well as from the package.
fn named_folder(folder: &Path) -> PathBuf {
    if folder.exists() { folder.to_owned() } else { Path::new(PACKAGE).join("../..").join(folder) }
}

fn json_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let in_folder = |error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(in_folder)? {
        let path = entry.map_err(in_folder)?.path();
        if path.extension().is_some_and(|extension| extension == "json")
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            files.push((name.to_owned(), path));
        }
    }
    files.sort();
    if files.is_empty() { Err(format!("{}: no vectors", folder.display())) } else { Ok(files) }
}

struct Runner {
    list: Unsupported,
    verbose: bool,
    /// The rules that excused something.
    used: Vec<usize>,
}

impl Runner {
    fn run_file(&mut self, name: &str, path: &Path) -> Result<Count, String> {
        let in_file = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(path).map_err(|error| in_file(&error))?;
        let file: File = serde_json::from_str(&text).map_err(|error| in_file(&error))?;
        let suite = suite(name);
        let mut count = Count::default();
        for vector in &file.vectors {
            let misses = match suite {
                Some(suite) => run_one(suite, vector),
                None => vec![Miss::before_all("file", format!("no pattern is called {name}"))],
            };
            if misses.is_empty() {
                count.passed += 1;
            } else if let Some(rules) = self.list.excuse(name, vector, &misses) {
                count.unsupported += 1;
                let reasons = rules.iter().map(|rule| self.list.rules()[*rule].reason.as_str());
                self.tell("unsupported", vector, reasons);
                self.used.extend(rules);
            } else {
                count.failed += 1;
                self.tell("failed", vector, misses.iter());
            }
        }
        Ok(count)
    }

    fn tell(&self, verdict: &str, vector: &Vector, lines: impl Iterator<Item = impl std::fmt::Display>) {
        if self.verbose {
            println!("{verdict} {}", vector.id);
            for line in lines {
                println!("    {line}");
            }
        }
    }

    fn tell_stale(&self) -> bool {
        let rules = self.list.rules().iter().enumerate();
        let stale: Vec<_> = rules.filter(|(place, _)| !self.used.contains(place)).map(|(_, rule)| rule).collect();
        for rule in &stale {
            println!("unsupported.toml: a rule excuses nothing any more: {rule}");
        }
        !stale.is_empty()
    }
}

fn run_one(suite: Suite, vector: &Vector) -> Vec<Miss> {
    catch_unwind(AssertUnwindSafe(|| suite(vector))).unwrap_or_else(|_| {
        vec![Miss { step: None, field: "vector".into(), expected: "an end".into(), got: "a panic".into() }]
    })
}
