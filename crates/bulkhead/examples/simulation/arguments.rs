use std::ffi::OsString;
use std::path::PathBuf;

/// What was asked for on the command line.
pub(crate) struct Arguments {
    pub(crate) seed: u64,
    pub(crate) out: PathBuf,
}

pub(crate) const USAGE: &str = "usage: bulkhead_simulation [--seed NUMBER] [--out FILE.svg]";

impl Arguments {
    /// # Errors
    /// One line, for whoever typed it; [`USAGE`] if that was asked for.
    pub(crate) fn of(given: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut arguments = Self { seed: 7, out: "bulkhead-simulation.svg".into() };
        let mut given = given.into_iter();
        while let Some(name) = given.next() {
            let name = name.to_string_lossy().into_owned();
            let value = match name.as_str() {
                "--seed" | "--out" => given.next().ok_or_else(|| format!("{name} needs a value; {USAGE}"))?,
                "--help" | "-h" => return Err(USAGE.to_owned()),
                _ => return Err(format!("{name:?} is unknown; {USAGE}")),
            };
            if name == "--out" {
                arguments.out = value.into();
            } else {
                let seed = value.to_str().and_then(|value| value.parse().ok());
                arguments.seed =
                    seed.ok_or_else(|| format!("--seed is {}, must be 0 to {}", value.display(), u64::MAX))?;
            }
        }
        Ok(arguments)
    }
}
