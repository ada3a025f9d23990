use std::env;
use std::ops::Range;

/// The seeds to play; so many unless the environment says otherwise.
fn seeds(usually: u64) -> Range<u64> {
    let Ok(said) = env::var("SEAWALL_SIMULATION_SEEDS") else { return 0..usually };
    let seeds = match said.split_once("..") {
        Some((first, end)) => first.parse().ok().zip(end.parse().ok()).map(|(first, end)| first..end),
        None => said.parse().ok().map(|count| 0..count),
    };
    seeds.unwrap_or_else(|| panic!("SEAWALL_SIMULATION_SEEDS is {said:?}, must be a number or two, as 17..18"))
}

/// Says what was being checked, if the check fails.
pub(crate) struct Told(pub(crate) String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with {}", self.0);
        }
    }
}

/// Plays `check` for every seed.
pub(crate) fn for_seeds(usually: u64, mut check: impl FnMut(u64)) {
    for seed in seeds(usually) {
        let _told = Told(format!("SEAWALL_SIMULATION_SEEDS={seed}..{}", seed + 1));
        check(seed);
    }
}
