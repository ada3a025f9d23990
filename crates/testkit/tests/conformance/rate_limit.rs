//! `rate-limit.json`: what passes when, what is left, and what whoever is refused is told.
//!
//! A vector's algorithm and configuration become limiters of this project: one for each key, or a composition of several, and each
//! limiter both by itself and as one key of many; from there on every operation means the same for all, and goes through public methods on a manual clock. Time is monotonic here:
//! where a vector steps back, the clock stays. A vector with a `deviation` tells what the quoted system does wrongly: its
//! expectations are replaced by those of a [model](model) of the contract.

mod ask;
mod case;
mod config;
mod counting;
mod door;
mod limits;
mod model;
mod one;
mod rules;
mod several;
mod stage;
mod threshold;

use crate::miss::Miss;
use crate::vector::Vector;

use self::case::Case;
use self::door::Of;
use self::rules::Rules;
use self::stage::Stage;

pub(crate) fn run(vector: &Vector) -> Vec<Miss> {
    let case = match Case::read(vector) {
        Ok(case) => case,
        Err(why) => return vec![Miss::before_all("vector", why)],
    };
    let rules = match Rules::read(&case) {
        Ok(rules) => rules,
        Err(why) => return vec![Miss::before_all("config", why)],
    };
    let model = if case.deviates { model::play(&rules, &case) } else { None };
    let mut all = Vec::new();
    for of in rules.played_on(&case) {
        let played = rules.limiters(*of, &case).and_then(|limiters| {
            let subjects = rules.subjects(&limiters)?;
            Ok(Stage::new(&limiters.time, &case, rules.origin(&case), subjects).play(&case, model.as_deref()))
        });
        for mut miss in played.unwrap_or_else(|why| vec![Miss::before_all("config", why)]) {
            if *of == Of::OneKeyOfMany {
                miss.got.push_str(" from a limiter of many keys");
            }
            all.push(miss);
        }
    }
    all
}
