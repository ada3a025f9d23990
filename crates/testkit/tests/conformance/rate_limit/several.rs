//! Several limits for one call.

use seawall_core::time::Timestamp;
use seawall_rate_limit::{Layered, LayeredRateLimiter, Layers, RateLimiter, Rule};
use serde_json::{Value, json};

use super::ask::{Ask, Seen, Subject, maybe_ms, ms};
use super::door::Door;
use super::limits::Spec;
use super::one::One;

/// A second limiter for what the first refuses.
pub(super) struct Pools<'a> {
    primary: One<'a>,
    burst: One<'a>,
}

impl<'a> Pools<'a> {
    pub(super) const fn new(primary: One<'a>, burst: One<'a>) -> Self {
        Self { primary, burst }
    }
}

impl Subject for Pools<'_> {
    fn ask(&mut self, now: Timestamp, ask: &Ask<'_>) -> Result<Seen, String> {
        match ask {
            Ask::Check { .. } | Ask::Peek { .. } => {}
            Ask::Reset => {
                self.burst.ask(now, ask)?;
                return self.primary.ask(now, ask);
            }
            _ => return ask.unknown(),
        }
        let first = self.primary.ask(now, ask)?;
        if first.get("allowed") == Some(&json!(true)) {
            return Ok(first);
        }
        let mut second = self.burst.ask(now, ask)?;
        if second.get("allowed") == Some(&json!(true)) {
            return Ok(second);
        }
        // Whichever comes first lets the call pass.
        let wait = |seen: &Seen| seen.get("retry_after_ms").and_then(Value::as_f64).unwrap_or(f64::INFINITY);
        if wait(&first) < wait(&second) {
            second.insert("retry_after_ms", first["retry_after_ms"].clone());
        }
        Ok(second)
    }
}

/// Limits of which a call takes from all or from none.
pub(super) struct Several<'a> {
    limits: Vec<(One<'a>, &'a RateLimiter)>,
    together: Box<dyn Together>,
}

/// How many cells a call takes of each limit.
struct Cells(u32);

/// [`Layers`] of any number of rules.
trait Together {
    /// Takes the cells, and gives them back if it is but a look.
    fn ask(&self, call: &Cells, looks: bool) -> Result<(), Violated>;
}

struct Violated {
    names: Vec<String>,
    retry_after: Option<std::time::Duration>,
}

impl<const N: usize> Together for LayeredRateLimiter<Cells, N> {
    fn ask(&self, call: &Cells, looks: bool) -> Result<(), Violated> {
        match self.with(call).try_admit() {
            Ok(permit) => {
                let taken = permit.token().map_or(0, |taken: &Layered<N>| taken.grants().flatten().count());
                assert_eq!(taken, N, "a call concerns every limit");
                if looks {
                    permit.cancel();
                } else {
                    permit.success();
                }
                Ok(())
            }
            Err(violation) => Err(Violated {
                names: violation.violated().map(|throttled| throttled.name().to_string()).collect(),
                retry_after: violation.retry_after(),
            }),
        }
    }
}

fn together(limiters: &[&RateLimiter]) -> Result<Box<dyn Together>, String> {
    fn of<const N: usize>(limiters: [&RateLimiter; N]) -> Result<Box<dyn Together>, String> {
        let rules = limiters.map(|limiter| Rule::all(limiter).cells(|call: &Cells| call.0));
        Ok(Box::new(Layers::of(rules).map_err(|error| error.to_string())?))
    }
    match limiters {
        [a] => of([a]),
        [a, b] => of([a, b]),
        [a, b, c] => of([a, b, c]),
        [a, b, c, d] => of([a, b, c, d]),
        _ => Err(format!("{} limits at once", limiters.len())),
    }
}

impl<'a> Several<'a> {
    pub(super) fn new(specs: &[Spec], limiters: &[&'a RateLimiter]) -> Result<Self, String> {
        let limits =
            specs.iter().zip(limiters).map(|(spec, &limiter)| Ok((One::new(spec, Door::Single(limiter))?, limiter)));
        Ok(Self { limits: limits.collect::<Result<_, String>>()?, together: together(limiters)? })
    }
}

impl Subject for Several<'_> {
    fn ask(&mut self, now: Timestamp, ask: &Ask<'_>) -> Result<Seen, String> {
        let asked = match *ask {
            Ask::Check { cells, passed: None } => self.together.ask(&Cells(cells), false),
            Ask::Peek { cells } => self.together.ask(&Cells(cells), true),
            Ask::Reset => {
                self.limits.iter_mut().try_for_each(|(one, _)| one.ask(now, ask).map(|_| ()))?;
                Ok(())
            }
            _ => return ask.unknown(),
        };
        let left = || self.limits.iter().map(|(one, limiter)| (one, limiter.peek()));
        let by_limit = left().map(|(one, grant)| (one.name().to_owned(), json!(grant.remaining()))).collect();
        let reset = left().map(|(_, grant)| grant.reset_after()).max().unwrap_or_default();
        let mut seen = Seen::from([
            ("allowed", json!(asked.is_ok())),
            ("remaining", json!(left().map(|(_, grant)| grant.remaining()).min())),
            ("remaining_by_limit", Value::Object(by_limit)),
            ("reset_after_ms", ms(reset)),
            ("retry_after_ms", Value::Null),
            ("error", Value::Null),
            ("violated", json!([])),
        ]);
        if let Err(Violated { names, retry_after }) = asked {
            seen.insert("violated", json!(names));
            seen.insert("retry_after_ms", maybe_ms(retry_after));
            if retry_after.is_none() {
                seen.insert("error", json!("insufficient_capacity"));
            }
        }
        Ok(seen)
    }
}
