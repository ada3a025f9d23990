//! When a job is tried again, and when it is too late.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_core::random::Random;
use seawall_core::time::Timestamp;
use seawall_worker_pool::{Backoff, Config, Jitter, JobOptions, Retry, repeat};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Case;
use super::expected::Expected;
use super::floor::Floor;
use super::rules::{LONG, seconds};

/// How many waits are drawn where any may come.
const DRAWS: u64 = 200;

/// The deadline as a job's options have it, and as the attempt itself is told.
pub(super) fn deadline(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        default_timeout_s: Option<f64>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        timeout_s: Option<f64>,
        deadline_in_s: Option<f64>,
    }
    let Rules { default_timeout_s } = case.config()?;
    let Inputs { timeout_s, deadline_in_s } = case.inputs()?;
    let mut floor = Floor::new(Config::new(1..=1))?;
    // So that a deadline may be in the past.
    floor.pass(Duration::from_secs(1_000_000));
    let now = floor.clock.now();
    let mut options = JobOptions::new();
    // A task that says nothing gets the default when it is made.
    let default = if deadline_in_s.is_none() { default_timeout_s } else { None };
    if let Some(timeout) = timeout_s.or(default) {
        options = options.timeout(seconds(timeout)?);
    }
    if let Some(ahead) = deadline_in_s {
        options = options.deadline(if ahead < 0.0 { now - seconds(-ahead)? } else { now + seconds(ahead)? });
    }
    let effective = options.effective_deadline(now);
    expected.see("effective_deadline_in_s", effective.map(|at| from_now(now, at)));
    if effective.is_some_and(|at| at > now) {
        let told: Arc<Mutex<Option<Timestamp>>> = Arc::default();
        let tells = told.clone();
        let job = repeat(move |attempt| {
            *tells.lock().unwrap_or_else(PoisonError::into_inner) = attempt.deadline();
            async {}
        });
        floor.pool.with(options).try_execute(job).map_err(|refused| refused.to_string())?;
        floor.settle();
        let told = *told.lock().unwrap_or_else(PoisonError::into_inner);
        if told != effective {
            return Err(format!("the attempt is told {told:?}, its options say {effective:?}"));
        }
    }
    Ok(())
}

fn from_now(now: Timestamp, at: Timestamp) -> f64 {
    if at >= now {
        at.saturating_duration_since(now).as_secs_f64()
    } else {
        -now.saturating_duration_since(at).as_secs_f64()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Power {
    #[serde(default)]
    jitter: f64,
    max_duration_ns: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempts {
    attempts: Vec<u32>,
}

/// `attempt` counts the failures, and so do waits.
pub(super) fn power_of_four(case: &Case, expected: &mut Expected) -> Result<(), String> {
    let Power { jitter, max_duration_ns } = case.config()?;
    let Attempts { attempts } = case.inputs()?;
    let max = max_duration_ns.map_or(Duration::MAX, Duration::from_nanos);
    let plain = Backoff::polynomial(Duration::from_secs(1), 4, max).map_err(|error| error.to_string())?;
    let backoff = if jitter > 0.0 { plain.jitter(Jitter::Spread(percent(jitter)?)) } else { plain };
    let wait = |attempt: u32, random: u64| backoff.delay(attempt.saturating_sub(1), random);

    let waits: Vec<f64> = attempts.iter().map(|attempt| wait(*attempt, 0).as_secs_f64()).collect();
    expected.see("delay_s", json!(waits));
    let saturated: Vec<bool> = attempts.iter().map(|attempt| wait(*attempt, u64::MAX) == max).collect();
    expected.see("saturated", json!(saturated));
    let exclusive = expected.take("upper_exclusive").is_some_and(|exclusive| exclusive == json!(true));
    if let Some(bounds) = expected.take("bounds") {
        let pairs: Vec<(f64, f64)> = serde_json::from_value(bounds.clone()).map_err(|error| error.to_string())?;
        if pairs.len() != attempts.len() {
            return Err("as many bounds as attempts".into());
        }
        for (attempt, (low, high)) in attempts.iter().zip(pairs) {
            let drawn: Vec<f64> = draws().map(|random| wait(*attempt, random).as_secs_f64()).collect();
            let (least, most) = span(&drawn);
            let within = least >= low - 1e-9 && if exclusive { most < high } else { most <= high + 1e-9 };
            // All of the room is used.
            let wide = (most - least) > 0.9 * (high - low);
            expected.judge("bounds", &json!([low, high]), &json!([least, most]), within && wide);
        }
    }
    // The pool's own schedule is the same, up to the longest wait that it takes.
    for attempt in &attempts {
        let capped =
            Backoff::polynomial(Duration::from_secs(1), 4, max.min(LONG)).map_err(|error| error.to_string())?;
        let own = Retry::new(2).backoff(capped).delay(*attempt, 0);
        if own != plain.delay(attempt.saturating_sub(1), 0).min(LONG) {
            return Err(format!("after {attempt} failures a pool waits {own:?}"));
        }
    }
    Ok(())
}

/// Their random numbers are below 1: so are these.
fn draws() -> impl Iterator<Item = u64> {
    let mut random = Random::new(7);
    [0, u64::MAX >> 1].into_iter().chain((0..DRAWS).map(move |_| random.next()))
}

fn span(drawn: &[f64]) -> (f64, f64) {
    drawn.iter().fold((f64::INFINITY, 0.0), |(least, most), wait| (f64::min(least, *wait), f64::max(most, *wait)))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
fn percent(share: f64) -> Result<u8, String> {
    if (0.0..=1.0).contains(&share) { Ok((share * 100.0).round() as u8) } else { Err(format!("{share} is no share")) }
}

/// Whole milliseconds, rounded down.
pub(super) fn bullmq(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        r#type: String,
        delay_ms: u64,
        #[serde(default)]
        jitter: f64,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        attempts_made: u32,
        #[serde(alias = "r", alias = "random")]
        rand: Option<f64>,
    }
    let Rules { r#type, delay_ms, jitter } = case.config()?;
    let Inputs { attempts_made, rand } = case.inputs()?;
    let delay = Duration::from_millis(delay_ms);
    let backoff = match r#type.as_str() {
        "fixed" => Backoff::fixed(delay),
        "exponential" => Backoff::exponential(delay, 2.0, LONG).map_err(|error| error.to_string())?,
        other => return Err(format!("no backoff is called {other}")),
    };
    let retry = Retry::new(2).backoff(backoff.jitter(Jitter::Below(percent(jitter)?)));
    let wait = |random: u64| u64::try_from(retry.delay(attempts_made, random).as_millis()).unwrap_or(u64::MAX);
    expected.see("delay_ms", wait(share_of_all(rand.unwrap_or(0.0))));
    for field in ["bounds", "bounds_ms", "range_ms", "delay_ms_range"] {
        if let Some(bounds) = expected.take(field) {
            let (low, high): (f64, f64) = serde_json::from_value(bounds.clone()).map_err(|error| error.to_string())?;
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of days")]
            let drawn: Vec<f64> = draws().map(|random| wait(random) as f64).collect();
            let (least, most) = span(&drawn);
            expected.judge(field, &bounds, &json!([least, most]), least >= low && most <= high);
        }
    }
    Ok(())
}

/// The number that is as far up among all as `share` is below 1; what is written as a decimal is not below itself.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^64, and beyond it the last")]
fn share_of_all(share: f64) -> u64 {
    (share * 18_446_744_073_709_551_616.0).ceil() as u64
}

pub(super) fn sidekiq(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        rand_range: (u32, u32),
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        retry_count: u32,
        rand: u32,
    }
    let Rules { rand_range: (first, last) } = case.config()?;
    let Inputs { retry_count, rand } = case.inputs()?;
    expected.see("delay_s", Retry::sidekiq_delay(retry_count, rand).as_secs());
    // What a pool draws is of that range, both ends included.
    let retry = Retry::new(2).sidekiq();
    let failures = retry_count + 1;
    let ends = [0, u64::MAX].map(|random| retry.delay(failures, random));
    let whole = [first, last].map(|rand| Retry::sidekiq_delay(retry_count, rand));
    if ends != whole {
        return Err(format!("a pool waits {ends:?}, not {whole:?}"));
    }
    if !(first..=last).contains(&rand) {
        return Err(Value::from(rand).to_string() + " is not drawn");
    }
    Ok(())
}
