//! Many clients and one dependency, simulated: events in the order of their times on a clock that is moved by hand.
//! Nothing sleeps, nothing runs beside anything else, and what is random comes from a seed, so that a run can be
//! repeated exactly.

mod circuit;
mod client;
mod dependency;
mod protection;
mod random;
mod record;
mod scenario;
mod schedule;

use std::time::Duration;

use seawall_circuit_breaker::Event;
use seawall_core::time::{Clock, ManualTime, Timestamp};

pub(crate) use dependency::{Capacity, Condition};
pub(crate) use protection::Protection;
pub(crate) use random::Draws;
pub(crate) use record::{Bin, Run};
pub(crate) use scenario::{Phase, Scenario, Timeout, whole_seconds};

use client::{Caller, Client, End, Leave};
use dependency::{Answer, Dependency, Job};
use record::{Recorder, place};
use schedule::Schedule;

/// How long it takes to hear that a call was not even taken.
const ROUND_TRIP: Duration = Duration::from_millis(1);

/// Plays the scenario.
pub(crate) fn simulate(scenario: &Scenario, protection: Option<&Protection>, seed: u64) -> Run {
    let (clock, time) = Clock::manual();
    let jitter = |client: usize| Draws::new(!seed, client as u64);
    let clients: Vec<Client> =
        (0..scenario.clients).map(|number| Client::new(protection, jitter(number), &clock)).collect();
    let mut world = World {
        scenario,
        time,
        schedule: Schedule::new(),
        callers: clients.iter().map(Caller::new).collect(),
        draws: (0..clients.len()).map(|client| Draws::new(seed, client as u64)).collect(),
        calls: Vec::new(),
        dependency: Dependency::new(scenario.capacity, scenario.unrelated),
        recorder: Recorder::new(),
    };
    world.play();
    world.conclude()
}

struct World<'a> {
    scenario: &'a Scenario,
    time: ManualTime,
    schedule: Schedule<Step>,
    callers: Vec<Caller<'a>>,
    draws: Vec<Draws>,
    /// Every call that was ever admitted.
    calls: Vec<Call<'a>>,
    dependency: Dependency,
    recorder: Recorder,
}

struct Call<'a> {
    client: usize,
    asked: Timestamp,
    /// As long as the client waits.
    leave: Option<Leave<'a>>,
}

enum Step {
    /// Something else befalls the dependency.
    Turn(Condition),
    /// A client wants to make a call.
    Ask { client: usize },
    /// A worker of the dependency is done with a call.
    Done { call: usize, epoch: u32 },
    /// The client hears that its call has failed.
    Lost { call: usize },
    /// The client waits no longer.
    GiveUp { call: usize, end: End },
}

/// Whether a call ended with an answer, or because its client had waited long enough: how long that took says
/// something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    Yes,
    /// It was not taken, or its connection was reset.
    No,
}

impl World<'_> {
    fn play(&mut self) {
        for (at, condition) in self.scenario.turns() {
            self.schedule.enter(Timestamp::ZERO + at, Step::Turn(condition));
        }
        for client in 0..self.callers.len() {
            self.ask_later(client, Timestamp::ZERO);
        }
        let end = Timestamp::ZERO + self.scenario.length();
        while let Some((at, step)) = self.schedule.next_before(end) {
            self.advance(at);
            match step {
                Step::Turn(condition) => self.turn(condition, at),
                Step::Ask { client } => self.ask(client, at),
                Step::Done { call, epoch } => self.done(call, epoch, at),
                Step::Lost { call } => self.end(call, End::Failure, Waited::No, at),
                Step::GiveUp { call, end } => self.end(call, end, Waited::Yes, at),
            }
            self.recorder.queued(self.dependency.waiting());
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Timestamp) {
        self.time.advance_to(to);
        while self.recorder.reach(to) {
            self.recorder.begin_bin(self.states());
        }
    }

    fn states(&self) -> [u32; 3] {
        self.callers.iter().fold([0; 3], |mut states, caller| {
            states[place(caller.state())] += 1;
            states
        })
    }

    fn turn(&mut self, condition: Condition, now: Timestamp) {
        for call in self.dependency.turn(condition, now) {
            self.schedule.enter(now + ROUND_TRIP, Step::Lost { call });
        }
        self.work(now);
    }

    fn ask_later(&mut self, client: usize, now: Timestamp) {
        let gap = self.draws[client].gap(self.scenario.every);
        self.schedule.enter(now + gap, Step::Ask { client });
    }

    fn ask(&mut self, client: usize, now: Timestamp) {
        // Everything is drawn whether or not the call is admitted: the next one is the same either way.
        let call = self.calls.len();
        let job = Job::draw(call, &self.scenario.capacity, &mut self.draws[client]);
        let gives_up = self.draw_patience(client);
        self.ask_later(client, now);
        let recorder = &mut self.recorder;
        let leave = self.callers[client].ask(now, |event| recorder.changed(client, event));
        recorder.asked(client, leave.is_some());
        if leave.is_none() {
            return;
        }
        self.calls.push(Call { client, asked: now, leave });
        if let Some((after, end)) = gives_up {
            self.schedule.enter(now + after, Step::GiveUp { call, end });
        }
        if self.dependency.take(job) {
            self.work(now);
        } else {
            self.schedule.enter(now + ROUND_TRIP, Step::Lost { call });
        }
    }

    /// How long the client waits, and what it does then.
    fn draw_patience(&mut self, client: usize) -> Option<(Duration, End)> {
        let Scenario { patience, timeout, without_timeout, hasty, .. } = *self.scenario;
        let draws = &mut self.draws[client];
        let (bound, leaves) = (!draws.chance(without_timeout), draws.chance(hasty));
        let left = draws.between(Scenario::AT_ONCE.min(patience), patience);
        let end = if timeout == Timeout::Fails { End::Failure } else { End::Abandoned };
        if leaves { Some((left, End::Abandoned)) } else { bound.then_some((patience, end)) }
    }

    /// Free workers begin.
    fn work(&mut self, now: Timestamp) {
        while let Some((call, at, epoch)) = self.dependency.begin(now) {
            self.schedule.enter(at, Step::Done { call, epoch });
        }
    }

    fn done(&mut self, call: usize, epoch: u32, now: Timestamp) {
        match self.dependency.finish(call, epoch) {
            Some(Answer::Good) => self.end(call, End::Success, Waited::Yes, now),
            Some(Answer::Unrelated) => self.end(call, End::Ignored, Waited::Yes, now),
            Some(Answer::Error) => self.end(call, End::Failure, Waited::Yes, now),
            None => {}
        }
        self.work(now);
    }

    /// A call ends, unless its client has stopped waiting.
    fn end(&mut self, call: usize, end: End, waited: Waited, now: Timestamp) {
        let Call { client, asked, leave } = &mut self.calls[call];
        let (client, asked) = (*client, *asked);
        let Some(leave) = leave.take() else { return };
        let recorder = &mut self.recorder;
        self.callers[client].end(leave, end, now, |event: Event| recorder.changed(client, event));
        let took = now.saturating_duration_since(asked);
        recorder.ended(client, end, (waited == Waited::Yes).then_some(took));
    }

    fn conclude(self) -> Run {
        let Self { callers, mut recorder, .. } = self;
        let callers = callers.into_iter().enumerate();
        let accounts =
            callers.map(|(client, caller)| caller.conclude(|event| recorder.changed(client, event))).collect();
        recorder.conclude(accounts)
    }
}
