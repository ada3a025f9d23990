//! Random lives of a partitioned bulkhead against a model that is plain to see through.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use seawall_bulkhead::partitions::{Claims, Config, Full, Overrun, Partitions, Reason};
use seawall_bulkhead::{Claim, PartitionedBulkhead, Priority};
use seawall_core::time::Clock;
use seawall_core::{Permit, Shared};

type Call = (&'static str, u32, Priority);
type Doors = Shared<Claims<fn(&Call) -> (&str, Claim)>>;
type Held<'a> = Permit<&'a Claims<fn(&Call) -> (&str, Claim)>>;
type Admitting<'a> = Pin<Box<dyn Future<Output = Result<Held<'a>, Full>> + 'a>>;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Debug)]
enum Step {
    Try(Call),
    Wait(Call),
    End(prop::sample::Index),
    Leave(prop::sample::Index),
    Resize(u32),
    Reconfigure(Vec<u32>, Overrun, usize),
}

fn call() -> impl Strategy<Value = Call> {
    let permits = prop_oneof![6 => Just(1_u32), 2 => 0_u32..4, 1 => 4_u32..12];
    (prop::sample::select(&NAMES[..]), permits, prop::sample::select(&Priority::ALL[..]))
}

fn overrun() -> impl Strategy<Value = Overrun> {
    prop_oneof![3 => Just(Overrun::Never), 1 => Just(Overrun::Allowed)]
}

fn shares() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0_u32..5, 4).prop_filter("one partition at least", |parts| parts.iter().any(|part| *part > 0))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => call().prop_map(Step::Try),
        8 => call().prop_map(Step::Wait),
        9 => any::<prop::sample::Index>().prop_map(Step::End),
        2 => any::<prop::sample::Index>().prop_map(Step::Leave),
        1 => (4_u32..12).prop_map(Step::Resize),
        1 => (shares(), overrun(), 0_usize..6).prop_map(|(parts, overrun, queue)| Step::Reconfigure(parts, overrun, queue)),
    ]
}

fn config(parts: &[u32], limit: u32, overrun: Overrun, queue: usize) -> Config {
    let all: u32 = parts.iter().sum();
    let known = NAMES.into_iter().zip(parts).filter(|(_, part)| **part > 0);
    let config = known
        .fold(Config::new(limit), |config, (name, part)| config.partition(name, f64::from(*part) / f64::from(all)));
    config.overrun(overrun).queue(queue)
}

/// The same in the plainest way: lists, and a search of everything for each decision.
#[derive(Debug)]
struct Model {
    limit: u32,
    overrun: Overrun,
    queue: usize,
    /// By name: none where it is not configured.
    parts: Vec<u32>,
    /// Who is in flight: their number, partition and permits.
    out: Vec<(usize, usize, u32)>,
    /// In order of arrival.
    line: Vec<(usize, usize, u32, Priority)>,
    /// What became of those who waited.
    ended: Vec<(usize, Result<(), Reason>)>,
}

impl Model {
    fn share(&self, part: usize) -> u32 {
        let all: u32 = self.parts.iter().sum();
        if self.parts[part] == 0 { 0 } else { (self.limit * self.parts[part]).div_ceil(all).max(1) }
    }

    fn held(&self, part: usize) -> u32 {
        self.out.iter().filter(|(_, of, _)| *of == part).map(|(_, _, permits)| permits).sum()
    }

    fn total(&self) -> u32 {
        (0..4).map(|part| self.held(part)).sum()
    }

    fn fill(&self, part: usize) -> f64 {
        if self.share(part) == 0 { f64::INFINITY } else { f64::from(self.held(part)) / f64::from(self.share(part)) }
    }

    fn is_own(&self, part: usize, permits: u32) -> bool {
        self.overrun == Overrun::Allowed && self.held(part) + permits <= self.share(part)
    }

    fn fits(&self, permits: u32) -> bool {
        self.total() + permits <= self.limit
    }

    fn heads(&self) -> Vec<usize> {
        let head = |part| {
            let of_part = (0..self.line.len()).filter(|at| self.line[*at].1 == part);
            of_part.min_by_key(|at| (std::cmp::Reverse(self.line[*at].3), *at))
        };
        let mut heads: Vec<usize> = (0..4).filter_map(head).collect();
        heads.sort_by(|a, b| {
            let (of_a, of_b) = (self.line[*a].1, self.line[*b].1);
            self.fill(of_a).total_cmp(&self.fill(of_b)).then(self.line[*a].0.cmp(&self.line[*b].0))
        });
        heads
    }

    fn passes(&self, part: usize, permits: u32) -> bool {
        if permits > self.limit || self.line.iter().any(|waiter| waiter.1 == part) {
            return false;
        }
        let is_first = self.line.iter().all(|waiter| self.fill(part) < self.fill(waiter.1));
        self.is_own(part, permits) || (self.fits(permits) && is_first)
    }

    fn serve(&mut self) {
        while let Some(at) = (0..self.line.len()).find(|at| self.line[*at].2 > self.limit) {
            let (id, ..) = self.line.remove(at);
            self.ended.push((id, Err(Reason::TooLarge)));
        }
        loop {
            let heads = self.heads();
            let first = heads.first().copied().filter(|at| self.fits(self.line[*at].2));
            let own = || heads.iter().copied().find(|at| self.is_own(self.line[*at].1, self.line[*at].2));
            let Some(at) = first.or_else(own) else { return };
            let (id, part, permits, _) = self.line.remove(at);
            self.out.push((id, part, permits));
            self.ended.push((id, Ok(())));
        }
    }

    fn wanted(&self, part: usize) -> u32 {
        self.held(part) + self.line.iter().filter(|waiter| waiter.1 == part).map(|waiter| waiter.2).sum::<u32>()
    }

    /// `None`: it waits.
    fn arrive(&mut self, id: usize, (name, permits, priority): Call, waits: bool) -> Option<Result<(), Reason>> {
        let part = NAMES.iter().position(|known| *known == name).expect("one of them");
        if self.parts[part] == 0 {
            return Some(Err(Reason::UnknownPartition));
        }
        if self.passes(part, permits) {
            self.out.push((id, part, permits));
            return Some(Ok(()));
        }
        if permits > self.limit {
            return Some(Err(Reason::TooLarge));
        }
        if !waits {
            return Some(Err(Reason::Full));
        }
        if self.line.len() >= self.queue {
            let Some(at) = self.gives_way(part, permits, priority) else { return Some(Err(Reason::Full)) };
            let (other, ..) = self.line.remove(at);
            self.ended.push((other, Err(Reason::Displaced)));
        }
        self.line.push((id, part, permits, priority));
        self.serve();
        None
    }

    fn gives_way(&self, part: usize, permits: u32, priority: Priority) -> Option<usize> {
        if self.queue == 0 {
            return None;
        }
        let last = |of: usize, below: Option<Priority>| {
            let those = (0..self.line.len()).filter(|at| self.line[*at].1 == of);
            let those = those.filter(|at| below.is_none_or(|below| self.line[*at].3 < below));
            those.min_by_key(|at| (self.line[*at].3, std::cmp::Reverse(*at)))
        };
        if self.wanted(part) + permits <= self.share(part) {
            let over = |of: &usize| *of != part && last(*of, None).is_some() && self.wanted(*of) > self.share(*of);
            let excess = |of: &usize| {
                if self.share(*of) == 0 {
                    f64::INFINITY
                } else {
                    f64::from(self.wanted(*of)) / f64::from(self.share(*of))
                }
            };
            let fullest = (0..4).filter(over).map(|of| excess(&of)).fold(0.0, f64::max);
            let newest = (0..4).filter(over).filter(|of| excess(of) >= fullest).filter_map(|of| last(of, None)).max();
            if newest.is_some() {
                return newest;
            }
        }
        last(part, Some(priority))
    }
}

fn reason_of<T>(got: &Result<T, Full>) -> Result<(), Reason> {
    got.as_ref().map(|_| ()).map_err(Full::reason)
}

/// Every call ends, those of the others too when their turn has come; tells who still waits.
fn end_all<'a>(
    mut held: Vec<(usize, Held<'a>)>,
    mut waiting: Vec<(usize, Admitting<'a>)>,
) -> Vec<(usize, Admitting<'a>)> {
    while let Some((_, permit)) = held.pop() {
        drop(permit);
        let mut still = Vec::new();
        for (id, mut admitting) in waiting {
            match admitting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => still.push((id, admitting)),
                Poll::Ready(got) => held.push((id, got.expect("nothing is full any more"))),
            }
        }
        waiting = still;
    }
    waiting
}

fn live(parts: &[u32], overrun: Overrun, queue: usize, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (clock, _time) = Clock::manual();
    let limit = 8;
    let bulkhead = PartitionedBulkhead::with_clock(config(parts, limit, overrun, queue), clock).expect("valid");
    let doors: Doors = Claims::by(&bulkhead, |call| (call.0, Claim::new().permits(call.1).priority(call.2)));
    let calls: Vec<Call> = steps
        .iter()
        .map(|step| if let Step::Try(call) | Step::Wait(call) = step { *call } else { ("a", 1, Priority::Normal) })
        .collect();
    let mut model = Model { limit, overrun, queue, parts: parts.to_vec(), out: vec![], line: vec![], ended: vec![] };
    let mut held: Vec<(usize, Held<'_>)> = Vec::new();
    let mut waiting: Vec<(usize, Admitting<'_>)> = Vec::new();
    let mut steady = true;
    for (id, step) in steps.into_iter().enumerate() {
        match step {
            Step::Try(_) => {
                let told = model.arrive(id, calls[id], false).expect("it does not wait");
                let got = doors.with(&calls[id]).try_admit();
                prop_assert_eq!(told, reason_of(&got), "{:?}", model);
                held.extend(got.ok().map(|permit| (id, permit)));
            }
            Step::Wait(_) => {
                let told = model.arrive(id, calls[id], true);
                let mut admitting: Admitting<'_> = Box::pin(doors.with(&calls[id]).admit());
                match admitting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Pending => {
                        prop_assert_eq!(told, None, "{:?}", model);
                        waiting.push((id, admitting));
                    }
                    Poll::Ready(got) => {
                        // Its turn may come at once, because it displaced whoever stood before all.
                        let at = model.ended.iter().position(|(of, _)| *of == id);
                        let told = told.or_else(|| at.map(|at| model.ended.swap_remove(at).1));
                        prop_assert_eq!(told, Some(reason_of(&got)), "{:?}", model);
                        held.extend(got.ok().map(|permit| (id, permit)));
                    }
                }
            }
            Step::End(index) if !held.is_empty() => {
                let (id, permit) = held.swap_remove(index.index(held.len()));
                permit.success();
                model.out.retain(|out| out.0 != id);
                model.serve();
            }
            Step::Leave(index) if !waiting.is_empty() => {
                let (id, admitting) = waiting.swap_remove(index.index(waiting.len()));
                drop(admitting);
                model.line.retain(|waiter| waiter.0 != id);
                model.serve();
            }
            Step::Resize(limit) => {
                bulkhead.resize(limit).expect("four partitions at most");
                steady = limit >= model.total();
                model.limit = limit;
                model.serve();
            }
            Step::Reconfigure(parts, overrun, queue) => {
                bulkhead.reconfigure(config(&parts, model.limit, overrun, queue)).expect("valid");
                (model.parts, model.overrun, model.queue) = (parts, overrun, queue);
                model.serve();
            }
            Step::End(_) | Step::Leave(_) => {}
        }
        // Whoever had the turn takes it, whoever will not be served learns that, and nobody else.
        let mut told = std::mem::take(&mut model.ended);
        let mut still = Vec::new();
        for (id, mut admitting) in waiting {
            match admitting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => still.push((id, admitting)),
                Poll::Ready(got) => {
                    let at = told.iter().position(|(of, _)| *of == id);
                    prop_assert!(at.is_some(), "{} was not to be served: {:?} {:?}", id, got.is_ok(), model);
                    let (_, expected) = told.swap_remove(at.expect("asserted"));
                    prop_assert_eq!(expected, reason_of(&got));
                    held.extend(got.ok().map(|permit| (id, permit)));
                }
            }
        }
        waiting = still;
        prop_assert!(told.is_empty(), "these were to be told: {:?}", told);
        // The figures, and what holds whatever happened.
        let figures = bulkhead.snapshot();
        prop_assert_eq!((figures.in_flight, figures.queued), (model.total(), model.line.len()));
        for part in &figures.partitions {
            let of = NAMES.iter().position(|name| *name == part.name.as_str()).expect("one of them");
            prop_assert_eq!((part.share, part.in_flight), (model.share(of), model.held(of)), "{}", part.name);
        }
        steady |= model.total() <= model.limit;
        if model.overrun == Overrun::Allowed {
            steady = false;
        } else if steady {
            prop_assert!(figures.in_flight <= figures.limit, "{:?}", figures);
        }
    }
    let waiting = end_all(held, waiting);
    prop_assert!(waiting.is_empty(), "somebody waits for nobody");
    prop_assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (0, 0));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_life_goes_as_in_the_model(
        parts in shares(), overrun in overrun(), queue in 0_usize..6,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        live(&parts, overrun, queue, steps)?;
    }

    /// Whoever is below its share is refused only at once, with nothing to wait in; in a queue it gets the next permit.
    #[test]
    fn a_partition_below_its_share_gets_back_what_others_borrowed(
        parts in prop::collection::vec(1_u32..5, 2..=4), limit in 4_u32..20, borrowers in 0_usize..6,
    ) {
        let parts: Vec<u32> = parts.into_iter().chain([0; 4]).take(4).collect();
        let bulkhead = PartitionedBulkhead::new(config(&parts, limit, Overrun::Never, 6)).expect("valid");
        let mut held: Vec<_> = (0..limit).map(|_| bulkhead.with("b").try_admit().expect("idle")).collect();
        let mut cx = Context::from_waker(Waker::noop());
        let mut others: Vec<_> = (0..borrowers).map(|_| Box::pin(bulkhead.with("b").admit())).collect();
        prop_assert!(others.iter_mut().all(|other| other.as_mut().poll(&mut cx).is_pending()));
        let shares: Vec<u32> = bulkhead.snapshot().partitions.iter().map(|part| part.share).collect();
        let mut own = Vec::new();
        // Shares are rounded up: the other gives back only what it borrowed.
        for _ in 0..shares[0].min(limit - shares[1]) {
            let mut call = Box::pin(bulkhead.with("a").admit());
            prop_assert!(call.as_mut().poll(&mut cx).is_pending(), "it waits, and is not refused");
            drop(held.pop());
            let Poll::Ready(Ok(permit)) = call.as_mut().poll(&mut cx) else {
                panic!("the permit that was borrowed came back to another")
            };
            own.push(permit);
            prop_assert_eq!(bulkhead.in_flight(), limit);
        }
    }
}

/// That the model is asked what it is for: a reader sees here that each case does come up.
#[test]
fn the_shares_of_the_model_are_those_of_the_bulkhead() {
    let bulkhead: Shared<Partitions> =
        PartitionedBulkhead::new(config(&[3, 7, 0, 0], 10, Overrun::Never, 0)).expect("valid");
    let shares: Vec<_> = bulkhead.snapshot().partitions.iter().map(|part| part.share).collect();
    assert_eq!(shares, [3, 7]);
}
