//! What the contract demands, computed exactly and in another way than the limiters do: tokens and windows, not arrival times.
//!
//! - Time does not step back: what a moment has brought is brought once.
//! - Who is refused is not charged, unless the limiter counts refusals.
//! - More cells than there ever are at once are refused for ever.
//! - What is given back is never more than what was taken and is not yet refilled; so the limit is never exceeded.

mod bucket;
mod window;

use seawall_core::time::{Clock, Timestamp};
use serde_json::{Value, json};

use self::bucket::Bucket;
use self::window::{Counts, Window};
use super::ask::{Seen, Subject};
use super::case::Case;
use super::limits::{Shape, Spec};
use super::rules::{Rules, Subjects};
use super::stage::Stage;

/// What every step has to show; nothing for an algorithm that has no model.
pub(super) fn play(rules: &Rules, case: &Case) -> Option<Vec<Seen>> {
    let keys = case.keys();
    let subjects = keys.iter().map(|key| Some((key.as_str(), model(rules)?))).collect::<Option<Subjects<'_>>>()?;
    let (_, time) = Clock::manual();
    Some(Stage::new(&time, case, rules.origin(case), subjects).show(case))
}

fn model(rules: &Rules) -> Option<Box<dyn Subject>> {
    match rules {
        Rules::One(Spec { shape: Shape::Bucket(bucket), lacking, .. }) => {
            Some(Box::new(Bucket::new(*bucket, *lacking)))
        }
        Rules::One(Spec { shape: Shape::FixedWindow { limit, window, alignment }, drains, .. }) => {
            let counts = Counts { refused: false, rest: *drains };
            Some(Box::new(Window::new(*limit, window.as_nanos(), *alignment, counts)))
        }
        Rules::CountingWindow { limit, window, alignment } => {
            let counts = Counts { refused: true, rest: false };
            Some(Box::new(Window::new(*limit, window.as_nanos(), *alignment, counts)))
        }
        _ => None,
    }
}

fn at(now: Timestamp) -> i128 {
    i128::from(now.as_nanos())
}

#[expect(clippy::cast_precision_loss, reason = "times in vectors are days at most")]
fn ms(nanos: i128) -> Value {
    json!(nanos as f64 / 1e6)
}

fn seen(allowed: bool, remaining: i128) -> Seen {
    Seen::from([("allowed", json!(allowed)), ("remaining", json!(i64::try_from(remaining).unwrap_or(i64::MAX)))])
}
