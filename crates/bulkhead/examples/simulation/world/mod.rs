//! Callers that do not wait for each other, a service with a knee, and a door before it, simulated: events in the order of
//! their times. Nothing sleeps, nothing runs beside anything else, and what is random comes from a seed, so that a run can be
//! repeated exactly.

mod door;
mod random;
mod record;
mod scenario;
mod service;
pub(crate) mod settings;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use seawall_bulkhead::limit::Signal;
use seawall_core::time::Timestamp;

pub(crate) use door::{Answer, Door, Fixed, Pure, Real};
pub(crate) use random::Draws;
pub(crate) use record::{Bin, Figures, Run};
pub(crate) use scenario::{Phase, Scenario};
pub(crate) use service::{Noise, Shape};

use record::Recorder;
use service::Service;

/// Plays the scenario with this door before the service.
pub(crate) fn simulate(scenario: &Scenario, door: impl Door, seed: u64) -> Run {
    let mut world = World {
        scenario,
        door,
        service: Service::new(scenario.service),
        calls: Vec::new(),
        give_ups: BinaryHeap::new(),
        arrivals: Draws::new(seed, 1),
        seed,
        recorder: Recorder::new(),
    };
    let mut begin = Timestamp::ZERO;
    for phase in &scenario.phases {
        begin = world.play(phase, begin);
    }
    world.reach(begin);
    world.recorder.conclude()
}

struct World<'a, D> {
    scenario: &'a Scenario,
    door: D,
    service: Service,
    /// Every call that came.
    calls: Vec<Call>,
    /// When callers give up, the next one first.
    give_ups: BinaryHeap<Reverse<(Timestamp, usize)>>,
    arrivals: Draws,
    seed: u64,
    recorder: Recorder,
}

struct Call {
    came: Timestamp,
    /// How many times as long it takes as calls of the first phase do, noise apart.
    slowness: f64,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Waits,
    /// Admitted then, and its caller waits for the answer.
    Runs(Timestamp),
    /// Refused, answered, or given up.
    Over,
}

/// What happens next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    CallEnds,
    CallerGivesUp,
    CallComes,
    PhaseEnds,
}

impl<D: Door> World<'_, D> {
    /// Plays a phase that begins at `begin`; tells when it ends.
    fn play(&mut self, phase: &Phase, begin: Timestamp) -> Timestamp {
        let end = begin + phase.lasts;
        self.service.work_until(begin);
        self.service.set_capacity(phase.capacity);
        let mean = Duration::from_secs_f64(1.0 / (self.scenario.service.capacity() * phase.load));
        // Arrivals have no memory: the next one is drawn anew.
        let mut comes = begin + self.arrivals.gap(mean);
        loop {
            let ends = self.service.next_end().unwrap_or(Timestamp::NEVER);
            let gives_up = self.give_ups.peek().map_or(Timestamp::NEVER, |Reverse((at, _))| *at);
            let events = [
                (ends, Next::CallEnds),
                (gives_up, Next::CallerGivesUp),
                (comes, Next::CallComes),
                (end, Next::PhaseEnds),
            ];
            let (now, next) = events.into_iter().min().expect("four events");
            if next == Next::PhaseEnds {
                return end;
            }
            self.reach(now);
            match next {
                Next::CallEnds => self.call_ends(now),
                Next::CallerGivesUp => self.caller_gives_up(now),
                _ => {
                    self.call_comes(now, phase);
                    comes = now + self.arrivals.gap(mean);
                }
            }
            for (call, admitted) in self.door.turns(now) {
                self.decided(now, call, admitted);
            }
        }
    }

    fn reach(&mut self, now: Timestamp) {
        self.recorder.reach(now, self.door.limit());
        self.service.work_until(now);
    }

    fn call_comes(&mut self, now: Timestamp, phase: &Phase) {
        let call = self.calls.len();
        self.calls.push(Call { came: now, slowness: phase.slowness, state: State::Waits });
        self.recorder.asked();
        match self.door.ask(now, call) {
            Answer::Waits => self.give_ups.push(Reverse((now + self.scenario.patience, call))),
            Answer::Admitted => {
                self.give_ups.push(Reverse((now + self.scenario.patience, call)));
                self.decided(now, call, true);
            }
            Answer::Refused => self.decided(now, call, false),
        }
    }

    /// A call is admitted or refused.
    fn decided(&mut self, now: Timestamp, call: usize, admitted: bool) {
        let Call { slowness, state, .. } = &mut self.calls[call];
        if !admitted {
            *state = State::Over;
            self.recorder.refused(call);
            return;
        }
        *state = State::Runs(now);
        self.recorder.admitted(call);
        if self.service.is_full() {
            self.over(now, call, Signal::Dropped);
        } else {
            // What a call costs is its own stream: who else was admitted makes no difference.
            let shape = &self.scenario.service;
            let work = shape.noise.draw(&mut Draws::new(!self.seed, call as u64)) * *slowness;
            self.service.begin(call, shape.base.mul_f64(work));
        }
    }

    fn call_ends(&mut self, now: Timestamp) {
        let call = self.service.end().expect("it was next");
        if let State::Runs(_) = self.calls[call].state {
            self.over(now, call, Signal::Completed);
        }
    }

    /// The service is not told: it works on.
    fn caller_gives_up(&mut self, now: Timestamp) {
        let Reverse((_, call)) = self.give_ups.pop().expect("it was next");
        match self.calls[call].state {
            State::Waits => {
                self.door.leave(now, call);
                self.decided(now, call, false);
            }
            State::Runs(_) => self.over(now, call, Signal::Dropped),
            State::Over => {}
        }
    }

    /// An admitted call is over for its caller and the door.
    fn over(&mut self, now: Timestamp, call: usize, signal: Signal) {
        let Call { came, state, .. } = &mut self.calls[call];
        let State::Runs(since) = std::mem::replace(state, State::Over) else { return };
        let in_time = signal == Signal::Completed;
        self.recorder.ended(call, in_time, now.saturating_duration_since(*came), self.door.in_flight());
        self.door.end(now, call, now.saturating_duration_since(since), signal);
    }
}
