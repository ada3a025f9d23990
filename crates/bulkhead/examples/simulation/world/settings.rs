//! The settings that are compared, and what is known of a service when they are chosen.

use std::time::Duration;

use seawall_bulkhead::limit::stats::Summary;
use seawall_bulkhead::limit::{Adaptive, Aimd, Correlation, Gradient, Gradient2, Scale, Vegas, Windowed};

use super::{Fixed, Phase, Pure, Scenario, simulate};

/// What calls take when there are few of them: a tenth of what the service can answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unloaded {
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
}

impl Unloaded {
    pub(crate) fn of(scenario: &Scenario, seed: u64) -> Self {
        let calls = 5_000.0;
        let lasts = Duration::from_secs_f64(calls / (scenario.service.capacity() * 0.1));
        let quiet = Scenario { phases: vec![Phase::new("quiet", lasts, 0.1)], ..scenario.clone() };
        let figures = simulate(&quiet, Pure::new(Fixed(u32::MAX)), seed).between(Duration::ZERO, lasts);
        let took = |quantile| figures.took(quantile).expect("calls were answered");
        Self { median: took(0.5), p99: took(0.99) }
    }
}

/// A call may take half as long again as the slowest of a hundred does without load.
pub(crate) fn aimd(unloaded: Unloaded) -> Aimd {
    Aimd::default().min(1).timeout(unloaded.p99.mul_f64(1.5))
}

/// The median of a window may be half as long again as it is without load.
pub(crate) fn windowed_aimd(unloaded: Unloaded) -> Windowed {
    medians(Windowed::new(Aimd::default().min(1).timeout(unloaded.median.mul_f64(1.5))), 100, 10)
}

/// A fifth to two fifths of the calls that the service has room for may wait: fewer could not be told from noise.
pub(crate) fn vegas(scenario: &Scenario) -> Windowed {
    let calls = scenario.service.knee;
    let vegas = Vegas::default()
        .threshold(Scale::Fixed((calls / 10).max(1)))
        .alpha(Scale::Fixed((calls / 5).max(1)))
        .beta(Scale::Fixed((calls * 2 / 5).max(1)));
    medians(Windowed::new(vegas), 250, 50)
}

/// A tenth longer than ever is too long, and "ever" goes back for ten minutes.
pub(crate) fn gradient2() -> Windowed {
    medians(Windowed::new(Gradient2::default().min(1).tolerance(1.1).long_window(6_000)), 100, 10)
}

/// A tenth longer than with half of the limit is too long, and that is measured again after a hundred windows.
pub(crate) fn probing_gradient2() -> Windowed {
    medians(Windowed::new(Gradient2::default().min(1).tolerance(1.1).probe(100)), 100, 10)
}

fn medians(windowed: Windowed, millis: u64, calls: u32) -> Windowed {
    windowed.window(Duration::from_millis(millis)).min_samples(calls).summary(Summary::Percentile(0.5))
}

/// Every setting by its name: first those that the algorithms come with, then those chosen here.
pub(crate) fn all(scenario: &Scenario, unloaded: Unloaded) -> Vec<(&'static str, Adaptive)> {
    let windows = |windowed: Windowed| windowed.window(Duration::from_millis(250));
    vec![
        ("AIMD, defaults", Aimd::default().into()),
        ("AIMD, defaults, windows", windows(Windowed::new(Aimd::default())).into()),
        ("AIMD, timeout 1.5 p99", aimd(unloaded).into()),
        ("AIMD, timeout 1.5 medians", windowed_aimd(unloaded).into()),
        ("Vegas, defaults", Vegas::default().into()),
        ("Vegas, defaults, windows", windows(Windowed::new(Vegas::default())).into()),
        ("Vegas, queue of a fifth", vegas(scenario).into()),
        ("Gradient2, defaults", Gradient2::default().into()),
        ("Gradient2, defaults, windows", windows(Windowed::new(Gradient2::default())).into()),
        ("Gradient2, tolerance 1.1", gradient2().into()),
        ("Gradient2, tolerance 1.1, probe", probing_gradient2().into()),
        ("Gradient, defaults", Gradient::default().into()),
        ("Correlation, defaults", Correlation::default().into()),
    ]
}

/// What is held to the best fixed limit: three of the algorithms as chosen here, and the one to begin with as it comes.
pub(crate) fn chosen(scenario: &Scenario, unloaded: Unloaded) -> [(&'static str, Adaptive); 6] {
    [
        ("AIMD", aimd(unloaded).into()),
        ("AIMD, medians", windowed_aimd(unloaded).into()),
        ("Vegas", vegas(scenario).into()),
        ("Gradient2", gradient2().into()),
        ("Gradient2, probe", probing_gradient2().into()),
        ("Gradient, defaults", Adaptive::default()),
    ]
}

/// The fixed limit with the most answers in time at this load, of half the knee to twice the knee, and how many they were a
/// second.
pub(crate) fn best_fixed(scenario: &Scenario, load: f64, seed: u64) -> (u32, f64) {
    let lasts = Duration::from_secs(4);
    let scenario = Scenario { phases: vec![Phase::new("load", lasts, load)], ..scenario.clone() };
    let goodput = |limit| simulate(&scenario, Pure::new(Fixed(limit)), seed).between(lasts / 4, lasts).goodput;
    let knee = scenario.service.knee;
    let limits = [4, 6, 7, 8, 9, 10, 12, 16].map(|eighths| (knee * eighths).div_ceil(8));
    let tried = limits.map(|limit| (limit, goodput(limit)));
    tried.into_iter().max_by(|(_, one), (_, other)| one.total_cmp(other)).expect("several limits")
}
