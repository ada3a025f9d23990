use std::time::Duration;

use super::dependency::{Capacity, Condition};

const SECOND: Duration = Duration::from_secs(1);

/// Who calls, how, and what befalls the dependency.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Processes, each with a breaker of its own.
    pub(crate) clients: usize,
    /// The mean time between two calls of a client. They come whether or not earlier ones have ended.
    pub(crate) every: Duration,
    /// How long a client waits for an answer.
    pub(crate) patience: Duration,
    /// What a client does then.
    pub(crate) timeout: Timeout,
    /// The share of calls that are made without a timeout.
    pub(crate) without_timeout: f64,
    /// The share of calls whose user goes away if the answer takes longer than [`Self::AT_ONCE`].
    pub(crate) hasty: f64,
    /// The share of calls that are answered with an error of the caller's own making.
    pub(crate) unrelated: f64,
    pub(crate) capacity: Capacity,
    pub(crate) phases: Vec<Phase>,
}

/// Where the timeout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// Inside of the breaker, which sees a failure.
    Fails,
    /// Around the breaker: the call is dropped.
    Drops,
}

#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) lasts: Duration,
    pub(crate) course: Course,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Course {
    Steady(Condition),
    /// Crashes and restarts by turns, each so long.
    Flapping(Duration),
}

impl Phase {
    pub(crate) const fn new(name: &'static str, lasts: Duration, condition: Condition) -> Self {
        Self { name, lasts, course: Course::Steady(condition) }
    }

    pub(crate) const fn flapping(name: &'static str, lasts: Duration, each: Duration) -> Self {
        Self { name, lasts, course: Course::Flapping(each) }
    }

    pub(crate) fn is_well(&self) -> bool {
        self.course == Course::Steady(Condition::Well)
    }
}

impl Scenario {
    /// A hasty user waits at least so long.
    pub(crate) const AT_ONCE: Duration = Duration::from_millis(300);

    /// Every fault in turn, and then none. The dependency can do more than the clients need, but much less when it is
    /// cold or its queue is long.
    pub(crate) fn story(clients: u32, well_again: u32) -> Self {
        Self {
            clients: clients as usize,
            every: SECOND / 8,
            patience: SECOND,
            timeout: Timeout::Fails,
            without_timeout: 0.0,
            hasty: 0.02,
            unrelated: 0.01,
            capacity: Capacity::for_clients(clients),
            phases: vec![
                Phase::new("well", 30 * SECOND, Condition::Well),
                Phase::new("slow", 40 * SECOND, Condition::Slow(4.0)),
                Phase::new("errors", 40 * SECOND, Condition::Failing(0.7)),
                Phase::new("down", 50 * SECOND, Condition::Refusing),
                Phase::flapping("flapping", 50 * SECOND, 10 * SECOND),
                Phase::new("well again", well_again * SECOND, Condition::Well),
            ],
        }
    }

    /// How many calls a second all clients want to make.
    pub(crate) fn load(&self) -> f64 {
        f64::from(u32::try_from(self.clients).expect("few clients")) / self.every.as_secs_f64()
    }

    /// Lets the last phase last at least so long, in whole seconds.
    pub(crate) fn lengthen(&mut self, by: Duration) {
        if let Some(last) = self.phases.last_mut() {
            last.lasts = whole_seconds(by);
        }
    }

    /// How long it all lasts.
    pub(crate) fn length(&self) -> Duration {
        self.phases.iter().map(|phase| phase.lasts).sum()
    }

    /// Each phase, and when it begins.
    pub(crate) fn timetable(&self) -> impl Iterator<Item = (Duration, &Phase)> {
        self.phases.iter().scan(Duration::ZERO, |begin, phase| {
            let at = *begin;
            *begin += phase.lasts;
            Some((at, phase))
        })
    }

    /// When the last fault is over.
    pub(crate) fn faults_end(&self) -> Duration {
        let ends = self.timetable().filter(|(_, phase)| !phase.is_well()).map(|(begin, phase)| begin + phase.lasts);
        ends.last().unwrap_or_default()
    }

    /// What the dependency does from when on.
    pub(super) fn turns(&self) -> Vec<(Duration, Condition)> {
        let mut turns = Vec::new();
        for (begin, phase) in self.timetable() {
            match phase.course {
                Course::Steady(condition) => turns.push((begin, condition)),
                Course::Flapping(each) => {
                    let mut at = begin;
                    let mut up = false;
                    while at < begin + phase.lasts {
                        turns.push((at, if up { Condition::Well } else { Condition::Refusing }));
                        (at, up) = (at + each, !up);
                    }
                }
            }
        }
        turns
    }
}

/// Not less than `time`.
pub(crate) const fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + 1)
}
