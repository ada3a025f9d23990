//! Plays the steps of a vector on its subjects, and compares.

use seawall_core::time::{ManualTime, Timestamp};
use serde_json::{Value, json};

use super::ask::{Ask, Passed, Seen, count, duration, nanos};
use super::case::{Case, Does, Op, Step};
use super::rules::Subjects;
use crate::miss::{Bound, Miss};

/// Greedy takers of a limit that does not limit would never come to an end.
const MOST_TAKES: u64 = 10_000_000;

pub(super) struct Stage<'a> {
    time: &'a ManualTime,
    subjects: Subjects<'a>,
    /// The vector's time at which the clock began.
    origin: i64,
    /// Whoever was refused last comes back at this time, if the vector's time is as near to it as its tolerance.
    promise: Option<u64>,
    tolerance: i64,
    rejected: u64,
    /// The turn for which the greedy taker waits, and how many it has had.
    greedy: (Option<u64>, u64),
}

impl<'a> Stage<'a> {
    pub(super) fn new(time: &'a ManualTime, case: &Case, origin: i64, subjects: Subjects<'a>) -> Self {
        let tolerance = nanos(case.told_tolerance);
        Self { time, subjects, origin, promise: None, tolerance, rejected: 0, greedy: (None, 0) }
    }

    /// Takes all steps, and tells what did not come as it should: as the vector says, or, where that must not be copied, as the
    /// model says.
    pub(super) fn play(&mut self, case: &Case, model: Option<&[Seen]>) -> Vec<Miss> {
        let mut misses = Vec::new();
        for (i, step) in (0..).zip(&case.steps) {
            let seen = match self.take(step) {
                Ok(seen) => seen,
                Err(why) => {
                    // What comes after a step that could not be taken says nothing.
                    misses.push(Miss { step: Some(i), field: "op".into(), expected: step.text.clone(), got: why });
                    return misses;
                }
            };
            let right = usize::try_from(i).ok().and_then(|i| model?.get(i));
            misses.extend(compare(i, step, &seen, right, case.tolerance));
        }
        if let Some(expected) = case.total_rejected.filter(|expected| *expected != self.rejected) {
            let (expected, got) = (expected.to_string(), self.rejected.to_string());
            misses.push(Miss { step: None, field: "total_rejected".into(), expected, got });
        }
        misses
    }

    /// What every step shows, up to one that cannot be taken.
    pub(super) fn show(&mut self, case: &Case) -> Vec<Seen> {
        case.steps.iter().map_while(|step| self.take(step).ok()).collect()
    }

    fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// On the clock, of the vector's time.
    fn at(&self, ms: f64) -> u64 {
        u64::try_from(nanos(ms) - self.origin).unwrap_or(0)
    }

    /// Time does not step back.
    fn move_to(&mut self, ms: f64) {
        let at = self.at(ms);
        let near = |promise: &u64| promise.checked_sub(at).is_some_and(|by| by.cast_signed() <= self.tolerance);
        let at = self.promise.filter(near).unwrap_or(at);
        self.time.advance_to(Timestamp::from_nanos(at));
    }

    fn take(&mut self, step: &Step) -> Result<Seen, String> {
        let does = &step.does;
        if let Some(at) = does.at_ms {
            self.move_to(at);
        }
        if let Some(limit) = does.set_limit {
            self.ask(does, &Ask::SetLimit(limit))?;
        }
        let mut seen = match does.op {
            Op::Burst => self.burst(does)?,
            Op::Drive => self.drive(does)?,
            Op::GreedyTake => self.take_greedily(does)?,
            Op::Gc => self.keys()?,
            _ => self.ask(does, &does.ask()?)?,
        };
        if let (Some(denominator), Some(fraction)) = (does.fraction_denominator, seen.remove("fraction")) {
            let fraction = fraction.as_f64().unwrap_or(f64::NAN) * f64::from(denominator);
            seen.insert("fraction_numerator", json!(fraction.round()));
        }
        if let Some(turn) = count(&seen, "act_at_ns").and_then(|turn| i64::try_from(turn).ok()) {
            #[expect(clippy::cast_precision_loss, reason = "times in vectors are days at most")]
            seen.insert("act_at_ms", json!((turn + self.origin) as f64 / 1e6));
        }
        Ok(seen)
    }

    /// Asks the subject of the step's key, or all of them if it has none.
    fn ask(&mut self, does: &Does, ask: &Ask<'_>) -> Result<Seen, String> {
        let now = self.now();
        let mut seen = None;
        for (key, subject) in &mut self.subjects {
            if does.key.as_deref().is_some_and(|wanted| wanted != *key) {
                continue;
            }
            match (subject.ask(now, ask), ask) {
                (Ok(answer), _) => seen = Some(answer),
                // It is another key's reservation.
                (Err(_), Ask::Cancel { .. }) => {}
                (Err(why), _) => return Err(why),
            }
        }
        let seen = seen.ok_or("no key has it")?;
        let refused = seen.get("allowed") == Some(&json!(false));
        if refused && !matches!(ask, Ask::Peek { .. } | Ask::TakeUpTo { .. }) {
            self.rejected += 1;
        }
        if refused && let Some(wait) = seen.get("retry_after_ms").and_then(Value::as_f64) {
            self.promise = Some((now + duration(wait)).as_nanos());
        }
        Ok(seen)
    }

    /// Whether one call passes.
    fn passes(&mut self, does: &Does) -> Result<bool, String> {
        let ask = Ask::Check { cells: does.cells()?, passed: does.passed() };
        Ok(self.ask(does, &ask)?.get("allowed") == Some(&json!(true)))
    }

    fn burst(&mut self, does: &Does) -> Result<Seen, String> {
        let mut admitted = 0;
        for _ in 0..does.count.ok_or("a burst of how many?")? {
            admitted += u64::from(self.passes(does)?);
        }
        Ok(Seen::from([("admitted", json!(admitted))]))
    }

    /// Calls at even intervals: so many, or before a time.
    fn drive(&mut self, does: &Does) -> Result<Seen, String> {
        let (from, every) = (does.from_ms.ok_or("from when?")?, does.every_ms.ok_or("how often?")?);
        if does.count.is_none() && (does.until_ms.is_none() || every <= 0.0) {
            return Err("until when?".into());
        }
        let mut admitted = 0;
        for i in 0..does.count.unwrap_or(u32::MAX) {
            let at = from + f64::from(i) * every;
            if does.until_ms.is_some_and(|until| nanos(at) >= nanos(until)) {
                break;
            }
            self.move_to(at);
            admitted += u64::from(self.passes(does)?);
        }
        Ok(Seen::from([("admitted", json!(admitted))]))
    }

    /// One taker that takes as soon as it has had its turn: how many turns it has had before this time, of all such steps.
    fn take_greedily(&mut self, does: &Does) -> Result<Seen, String> {
        let until = self.at(does.until_ms.ok_or("until when?")?);
        let (mut waits, mut had) = self.greedy;
        loop {
            let turn = if let Some(turn) = waits {
                turn
            } else {
                let ask = Ask::Reserve { cells: does.cells()?, max_wait: None, name: None };
                count(&self.ask(does, &ask)?, "act_at_ns").ok_or("refused")?
            };
            waits = Some(turn);
            if turn >= until || had >= MOST_TAKES {
                break;
            }
            self.time.advance_to(Timestamp::from_nanos(turn));
            (waits, had) = (None, had + 1);
        }
        self.time.advance_to(Timestamp::from_nanos(until));
        self.greedy = (waits, had);
        Ok(Seen::from([("admitted", json!(had))]))
    }

    /// The keys that still owe something: of the others nothing has to be remembered.
    fn keys(&mut self) -> Result<Seen, String> {
        let now = self.now();
        let mut keys = Vec::new();
        for (key, subject) in &mut self.subjects {
            let seen = subject.ask(now, &Ask::Peek { cells: 0 })?;
            if seen.get("reset_after_ms").and_then(Value::as_f64) > Some(0.0) {
                keys.push(*key);
            }
        }
        Ok(Seen::from([("keys", json!(keys))]))
    }
}

impl Does {
    fn cells(&self) -> Result<u32, String> {
        u32::try_from(self.cost).map_err(|error| format!("{} cells: {error}", self.cost))
    }

    fn passed(&self) -> Option<Passed> {
        Some(Passed { now: self.pass_qps?, before: self.previous_pass_qps? })
    }

    fn ask(&self) -> Result<Ask<'_>, String> {
        let name = self.reference.as_deref();
        let turn = |max_wait| Ok(Ask::Reserve { cells: self.cells()?, max_wait, name });
        match self.op {
            // Of cells, a negative number cannot be asked for.
            Op::Check if self.cost < 0 => match u32::try_from(self.cost.unsigned_abs()) {
                Ok(cells) => Ok(Ask::Refund { cells }),
                Err(error) => Err(error.to_string()),
            },
            Op::Check => Ok(Ask::Check { cells: self.cells()?, passed: self.passed() }),
            Op::Peek => Ok(Ask::Peek { cells: self.cells()? }),
            Op::TakeUpTo => Ok(Ask::TakeUpTo { cells: self.cells()? }),
            Op::Refund => Ok(Ask::Refund { cells: self.cells()? }),
            Op::Reset => Ok(Ask::Reset),
            Op::Acquire => turn(Some(std::time::Duration::MAX)),
            Op::TryAcquire => turn(Some(self.timeout_ms.map_or(std::time::Duration::ZERO, duration))),
            Op::Reserve => turn(self.max_delay_ms.map(duration)),
            Op::Cancel => Ok(Ask::Cancel { name: name.ok_or("what is to be cancelled?")? }),
            Op::SetRate => Ok(Ask::SetRate(self.rate())),
            Op::Gc | Op::Burst | Op::Drive | Op::GreedyTake => Err("more than one question".into()),
        }
    }
}

/// What is not as expected. What a model shows is expected instead of what the vector says, and all of it.
fn compare(i: u64, step: &Step, seen: &Seen, model: Option<&Seen>, tolerance: f64) -> Vec<Miss> {
    let mut misses = Vec::new();
    let mut miss = |name: &str, expected: String, got: Option<&Value>| {
        let got = got.map_or_else(|| "nothing: it is not a field of this step here".into(), Value::to_string);
        misses.push(Miss { step: Some(i), field: name.to_owned(), expected, got });
    };
    let within = |name: &str| if name.ends_with("_ms") { tolerance } else { super::case::ONE_NANO };
    for (name, right) in model.into_iter().flatten() {
        let got = seen.get(name);
        if got.is_none_or(|got| !Bound::Equal.holds(right, got, within(name))) {
            let peer =
                step.expected.get(*name).map_or_else(String::new, |said| format!(" (the quoted system: {said})"));
            miss(name, format!("{right} by the contract{peer}"), got);
        }
    }
    for (name, expected) in &step.expected {
        let (field, bound) = Bound::of(name);
        if model.is_some_and(|model| model.contains_key(field)) {
            continue;
        }
        let holds = match (name.as_str(), expected) {
            ("granted_between_ms", Value::Array(ends)) => seen.get("act_at_ms").is_some_and(|turn| {
                let ends = [Bound::AtLeast, Bound::AtMost].iter().zip(ends);
                ends.len() == 2 && ends.into_iter().all(|(bound, end)| bound.holds(end, turn, within(name)))
            }),
            _ => seen.get(field).is_some_and(|got| bound.holds(expected, got, within(field))),
        };
        if !holds {
            miss(name, expected.to_string(), seen.get(field));
        }
    }
    misses
}
