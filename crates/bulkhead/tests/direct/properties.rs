//! Random schedules against a plain model: a list of those who run and a list of those who wait.

use std::task::Poll;

use proptest::prelude::*;
use seawall_bulkhead::{Bulkhead, Claiming, Config, Full, Reason};
use seawall_core::{Claim, Permit, Priority};

use crate::{Driven, SECOND, bulkhead};

#[derive(Clone, Debug)]
enum Step {
    Try(u32),
    /// Priority, permits, and in how many seconds it gives up.
    Wait(Priority, u32, u32),
    End(usize, u8),
    Give(usize),
    Resize(u32),
    Reconfigure(u32, usize),
    Pass(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let permits = || prop_oneof![4 => Just(1u32), 1 => 0..4u32];
    let priority = prop::sample::select(&Priority::ALL[..]);
    prop_oneof![
        2 => permits().prop_map(Step::Try),
        6 => (priority, permits(), 1..9u32).prop_map(|(priority, permits, within)| Step::Wait(priority, permits, within)),
        5 => (0..6usize, 0..4u8).prop_map(|(which, how)| Step::End(which, how)),
        2 => (0..6usize).prop_map(Step::Give),
        1 => (1..6u32).prop_map(Step::Resize),
        1 => (1..6u32, 0..5usize).prop_map(|(limit, queue)| Step::Reconfigure(limit, queue)),
        2 => (1..3u32).prop_map(Step::Pass),
    ]
}

#[derive(Clone, Copy)]
struct Call {
    number: usize,
    priority: Priority,
    permits: u32,
    gives_up: u32,
}

/// Of those who wait, who has been let in and who has been refused, by number.
#[derive(Default)]
struct Model {
    limit: u32,
    queue: usize,
    in_use: u32,
    waiting: Vec<Call>,
    decided: Vec<(usize, Result<u32, Reason>)>,
    now: u32,
}

impl Model {
    fn has_free(&self, permits: u32) -> bool {
        self.in_use + permits <= self.limit
    }

    fn decide(&mut self, at: usize, how: Result<(), Reason>) {
        let call = self.waiting.remove(at);
        if how.is_ok() {
            self.in_use += call.permits;
        }
        self.decided.push((call.number, how.map(|()| call.permits)));
    }

    fn first(&self) -> Option<usize> {
        (0..self.waiting.len())
            .min_by_key(|at| (std::cmp::Reverse(self.waiting[*at].priority), self.waiting[*at].number))
    }

    fn serve(&mut self) {
        while let Some(first) = self.first()
            && self.has_free(self.waiting[first].permits)
        {
            self.decide(first, Ok(()));
        }
    }

    fn resize(&mut self, limit: u32) {
        self.limit = limit;
        while let Some(at) = self.waiting.iter().position(|call| call.permits > limit) {
            self.decide(at, Err(Reason::TooLarge));
        }
        self.serve();
    }

    /// Time passes for everybody who waits, in the order of their deadlines.
    fn pass(&mut self, seconds: u32) {
        self.now += seconds;
        while let Some(at) = self.waiting.iter().position(|call| call.gives_up <= self.now) {
            self.decide(at, Err(Reason::TimedOut));
            self.serve();
        }
    }

    /// Whether it is let in at once, waits, or why not. A line whose pace nobody knows foretells nothing.
    fn wait(&mut self, call: Call) -> Option<Result<u32, Reason>> {
        if self.waiting.is_empty() && self.has_free(call.permits) {
            self.in_use += call.permits;
            return Some(Ok(call.permits));
        }
        if call.permits > self.limit {
            return Some(Err(Reason::TooLarge));
        }
        if self.waiting.len() >= self.queue {
            let lower = (0..self.waiting.len()).filter(|at| self.waiting[*at].priority < call.priority);
            let newest_of_the_lowest =
                lower.min_by_key(|at| (self.waiting[*at].priority, std::cmp::Reverse(self.waiting[*at].number)));
            match newest_of_the_lowest {
                Some(at) if self.queue > 0 => self.decide(at, Err(Reason::Displaced)),
                _ => return Some(Err(Reason::Full)),
            }
        }
        self.waiting.push(call);
        // It may be the first, and ask for less than those who wait for more than is free.
        self.serve();
        self.waiting.iter().all(|waiting| waiting.number != call.number).then(|| {
            self.decided.retain(|decided| decided.0 != call.number);
            Ok(call.permits)
        })
    }
}

type Admission<'a> = Driven<'a, Result<Permit<&'a Claims>, Full>>;
type Claims = Claiming<fn(&Claim) -> Claim>;

fn config(limit: u32, queue: usize) -> Config {
    Config::new(limit).queue(queue)
}

fn run(limit: u32, queue: usize, steps: &[Step]) -> Result<(), TestCaseError> {
    let (bulkhead, time): (Bulkhead, _) = bulkhead(config(limit, queue));
    let claims = Claiming::directly(&bulkhead);
    let asked: Vec<Claim> = steps
        .iter()
        .map(|step| match step {
            Step::Try(permits) => Claim::new().permits(*permits),
            Step::Wait(priority, permits, _) => Claim::new().priority(*priority).permits(*permits),
            _ => Claim::new(),
        })
        .collect();
    let mut model = Model { limit, queue, ..Model::default() };
    let mut running: Vec<(Permit<&Claims>, u32)> = Vec::new();
    let mut waiting: Vec<(usize, Admission<'_>)> = Vec::new();
    let mut refused = 0;
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Try(permits) => {
                let expected = if model.waiting.is_empty() && model.has_free(permits) {
                    model.in_use += permits;
                    Ok(permits)
                } else {
                    refused += 1;
                    Err(if permits > model.limit { Reason::TooLarge } else { Reason::Full })
                };
                let tried = claims.with(&asked[number]).try_admit();
                prop_assert_eq!(tried.as_ref().map(|_| permits).map_err(Full::reason), expected);
                running.extend(tried.ok().map(|permit| (permit, permits)));
            }
            Step::Wait(priority, permits, within) => {
                let call = Call { number, priority, permits, gives_up: model.now + within };
                let expected = model.wait(call);
                let mut driven = Driven {
                    future: Box::pin(claims.with(&asked[number]).admit_within(within * SECOND)),
                    woken: std::sync::Arc::default(),
                };
                match driven.poll() {
                    Poll::Pending => {
                        prop_assert_eq!(expected, None);
                        waiting.push((number, driven));
                    }
                    // What was foretold is the subject of another test: here it is known late and seldom.
                    Poll::Ready(Err(full)) if full.reason() == Reason::TooLate => return Ok(()),
                    Poll::Ready(answer) => {
                        prop_assert_eq!(
                            answer.as_ref().map(|_| permits).map_err(Full::reason),
                            expected.expect("it waits")
                        );
                        refused += u64::from(answer.is_err());
                        running.extend(answer.ok().map(|permit| (permit, permits)));
                    }
                }
            }
            Step::End(which, how) if which < running.len() => {
                let (permit, permits) = running.remove(which);
                match how {
                    0 => permit.success(),
                    1 => permit.failure(),
                    2 => permit.cancel(),
                    _ => drop(permit),
                }
                model.in_use -= permits;
                model.serve();
            }
            Step::Give(which) if which < waiting.len() => {
                let (number, driven) = waiting.remove(which);
                drop(driven);
                model.waiting.retain(|call| call.number != number);
                model.serve();
            }
            Step::Resize(limit) => {
                bulkhead.resize(limit).expect("valid");
                model.resize(limit);
            }
            Step::Reconfigure(limit, queue) => {
                bulkhead.reconfigure(config(limit, queue)).expect("valid");
                model.queue = queue;
                model.resize(limit);
            }
            Step::Pass(seconds) => {
                for _ in 0..seconds {
                    time.advance(SECOND);
                    model.pass(1);
                    // Whoever gives up says so itself.
                    settle(&mut waiting, &mut running, &mut model, &mut refused)?;
                }
            }
            Step::End(..) | Step::Give(_) => {}
        }
        settle(&mut waiting, &mut running, &mut model, &mut refused)?;
        let snapshot = bulkhead.snapshot();
        prop_assert_eq!(
            (snapshot.limit, snapshot.in_flight, snapshot.queued),
            (model.limit, model.in_use, model.waiting.len())
        );
        prop_assert_eq!(bulkhead.available(), model.limit.saturating_sub(model.in_use));
        prop_assert_eq!(snapshot.refused.total(), refused);
    }
    drop((running, waiting));
    prop_assert_eq!((bulkhead.in_flight(), bulkhead.queued(), bulkhead.available()), (0, 0, bulkhead.limit()));
    Ok(())
}

/// Everybody of whom the model has decided was woken, and finds it.
fn settle<'a>(
    waiting: &mut Vec<(usize, Admission<'a>)>,
    running: &mut Vec<(Permit<&'a Claims>, u32)>,
    model: &mut Model,
    refused: &mut u64,
) -> Result<(), TestCaseError> {
    for (number, expected) in std::mem::take(&mut model.decided) {
        // One that was given up has nobody who asks.
        let Some(at) = waiting.iter().position(|one| one.0 == number) else { continue };
        let (_, mut driven) = waiting.remove(at);
        prop_assert!(driven.is_woken(), "{} was not woken for {:?}", number, expected);
        let Poll::Ready(answer) = driven.poll() else { return Err(TestCaseError::fail("woken for nothing")) };
        prop_assert_eq!(answer.as_ref().map(|_| expected.unwrap_or(0)).map_err(Full::reason), expected);
        *refused += u64::from(answer.is_err());
        running.extend(answer.ok().zip(expected.ok()));
    }
    Ok(())
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn it_does_what_two_lists_would(limit in 1..5u32, queue in 0..5usize, steps in prop::collection::vec(step(), 1..80)) {
        run(limit, queue, &steps)?;
    }
}
