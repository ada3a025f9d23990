//! Priorities: which of the jobs that wait is next. The quoted systems name as many as they like; here there are four.

use std::collections::BTreeMap;

use seawall_worker_pool::{Config, JobOptions, Order as By, Priority, Weights};
use serde::Deserialize;
use serde_json::json;

use super::Case;
use super::expected::Expected;
use super::floor::{Floor, Order};
use super::rules::LONG;

type Named<T> = BTreeMap<String, T>;

/// Those of highest rank first, as many as there are priorities.
fn priorities<K: Ord + Clone>(ranks: impl IntoIterator<Item = K>) -> Result<BTreeMap<K, Priority>, String> {
    let mut ranks: Vec<K> = ranks.into_iter().collect();
    ranks.sort();
    ranks.dedup();
    if ranks.len() > Priority::COUNT {
        return Err(format!("{} priorities, where there are {}", ranks.len(), Priority::COUNT));
    }
    Ok(ranks.into_iter().rev().zip(Priority::ALL.iter().rev().copied()).collect())
}

/// Weights of up to four queues. Whichever is left over has the weight of another, which no divisor minds; a queue of weight 0
/// gets no turn, and is none.
fn weights(named: &Named<u32>) -> Result<(Weights, BTreeMap<String, Priority>), String> {
    let live: Vec<(&String, u32)> = named.iter().filter(|(_, weight)| **weight > 0).map(|(n, w)| (n, *w)).collect();
    if live.len() > Priority::COUNT {
        return Err(format!("{} queues, where there are {} priorities", live.len(), Priority::COUNT));
    }
    let fill = live.first().ok_or("no queue has a weight")?.1;
    let mut each = [fill; Priority::COUNT];
    let mut classes = BTreeMap::new();
    for (class, (name, weight)) in live.into_iter().enumerate() {
        each[class] = weight;
        classes.insert(name.clone(), Priority::ALL[class]);
    }
    let [low, normal, high, critical] = each;
    let weights = Weights::new(low, normal, high, critical).map_err(|error| error.to_string())?;
    Ok((weights, classes))
}

pub(super) fn normalise(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        weights: Named<u32>,
    }
    let Inputs { weights: named } = case.inputs()?;
    let (weights, classes) = weights(&named)?;
    let normalised = weights.normalised();
    let seen: Named<u32> =
        named.keys().map(|name| (name.clone(), classes.get(name).map_or(0, |class| normalised.get(*class)))).collect();
    expected.see("normalised", json!(seen));
    Ok(())
}

/// Jobs that wait while the one worker is busy, in the order in which they then run.
fn run_in_order(by: By, jobs: impl IntoIterator<Item = (String, Priority)>) -> Result<Vec<String>, String> {
    let config = Config::new(1..=1).queue(1 << 20).max_wait(LONG).order(by);
    let mut floor = Floor::new(config)?;
    floor.submit(Order::new("first of all").held());
    for (name, priority) in jobs {
        floor.submit(Order::new(name).options(JobOptions::new().priority(priority)));
    }
    floor.release_all();
    Ok(floor.executed().split_off(1))
}

pub(super) fn numeric(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        lower_number_first: bool,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Added {
        id: String,
        #[serde(default)]
        priority: i64,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        added: Vec<Added>,
    }
    let Rules { lower_number_first } = case.config()?;
    let Inputs { added } = case.inputs()?;
    let rank = |job: &Added| if lower_number_first { -job.priority } else { job.priority };
    let known = priorities(added.iter().map(rank))?;
    let jobs = added.iter().map(|job| (job.id.clone(), known[&rank(job)]));
    expected.see_words("order", &run_in_order(By::Strict, jobs)?);
    Ok(())
}

pub(super) fn strict(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        priority: Named<i64>,
        concurrency: usize,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        pending: Named<Vec<String>>,
    }
    let Rules { priority, concurrency } = case.config()?;
    let Inputs { pending } = case.inputs()?;
    if concurrency != 1 {
        return Err(format!("the order of {concurrency} at once is none"));
    }
    let known = priorities(priority.values().copied())?;
    let mut jobs = Vec::new();
    for (queue, names) in pending {
        let rank = priority.get(&queue).ok_or_else(|| format!("no queue is called {queue}"))?;
        jobs.extend(names.into_iter().map(|name| (name, known[rank])));
    }
    expected.see_words("order", &run_in_order(By::Strict, jobs)?);
    Ok(())
}

/// The share of each queue in the turns, while none is empty.
pub(super) fn weighted(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        weights: Named<u32>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        all_queues_non_empty: bool,
    }
    let Rules { weights: named } = case.config()?;
    let Inputs { all_queues_non_empty } = case.inputs()?;
    if !all_queues_non_empty {
        return Err("the share of an empty queue is none".into());
    }
    let (weights, classes) = weights(&named)?;
    let round: u32 = classes.values().map(|class| weights.get(*class)).sum();
    let turns = usize::try_from(round).map_err(|error| error.to_string())? * 20;
    let jobs = classes.iter().flat_map(|(name, class)| (0..turns).map(|_| (name.clone(), *class)));
    let executed = run_in_order(By::Weighted(weights), jobs)?;
    #[expect(clippy::cast_precision_loss, reason = "few turns")]
    let share = |name: &String| executed[..turns].iter().filter(|one| *one == name).count() as f64 / turns as f64;
    let shares: Named<f64> = named.keys().map(|name| (name.clone(), share(name))).collect();
    expected.see("share", json!(shares));
    Ok(())
}
