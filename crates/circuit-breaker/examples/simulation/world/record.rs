use std::time::Duration;

use seawall_circuit_breaker::{Event, State};
use seawall_core::time::Timestamp;

use super::client::{Account, End};

/// What happened in one run.
pub(crate) struct Run {
    /// One for each [`Bin::LENGTH`] of it.
    pub(crate) bins: Vec<Bin>,
    pub(crate) clients: Vec<Account>,
    /// Every transition, and whose it was.
    pub(crate) transitions: Vec<(usize, Event)>,
    /// Names everything that happened, in its order and at its time.
    pub(crate) trace: u64,
}

/// What happened in a short stretch of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bin {
    pub(crate) asked: u32,
    /// Calls that reached the dependency.
    pub(crate) admitted: u32,
    /// Calls that ended with an answer which served the client.
    pub(crate) good: u32,
    /// The longest queue before the dependency.
    pub(crate) queue: usize,
    /// Circuits that were closed, half-open and open at the end of it.
    pub(crate) states: [u32; 3],
    /// How long the calls took that ended in it, with an answer or for want of one.
    took: Vec<Duration>,
}

impl Bin {
    pub(crate) const LENGTH: Duration = Duration::from_secs(1);

    /// How long the call took at this share of those that ended, ordered by that.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a place among some thousands"
    )]
    pub(crate) fn took(&self, quantile: f64) -> Option<Duration> {
        let last = self.took.len().checked_sub(1)?;
        Some(self.took[(last as f64 * quantile).round() as usize])
    }
}

impl Run {
    /// What happened from `begin` on, in whole stretches.
    pub(crate) fn from(&self, begin: Duration) -> &[Bin] {
        let place = begin.as_nanos().div_ceil(Bin::LENGTH.as_nanos());
        &self.bins[usize::try_from(place).expect("a short run")..]
    }
}

/// Writes down what happens.
pub(super) struct Recorder {
    run: Run,
    now: Timestamp,
}

impl Recorder {
    pub(super) const fn new() -> Self {
        // The offset basis of FNV-1a.
        let trace = 0xcbf2_9ce4_8422_2325;
        Self {
            run: Run { bins: Vec::new(), clients: Vec::new(), transitions: Vec::new(), trace },
            now: Timestamp::ZERO,
        }
    }

    /// Time has come to `now`. Tells whether a stretch is over.
    pub(super) fn reach(&mut self, now: Timestamp) -> bool {
        self.now = now;
        self.run.bins.len() as u128 * Bin::LENGTH.as_nanos() <= u128::from(now.as_nanos())
    }

    /// A stretch is over, with the circuits in these states: the next one begins.
    pub(super) fn begin_bin(&mut self, states: [u32; 3]) {
        if let Some(bin) = self.run.bins.last_mut() {
            bin.states = states;
            bin.took.sort_unstable();
        }
        self.run.bins.push(Bin::default());
    }

    fn bin(&mut self) -> &mut Bin {
        self.run.bins.last_mut().expect("a stretch has begun")
    }

    pub(super) fn asked(&mut self, client: usize, admitted: bool) {
        let bin = self.bin();
        bin.asked += 1;
        bin.admitted += u32::from(admitted);
        self.trace(&[1, client as u64, u64::from(admitted)]);
    }

    pub(super) fn ended(&mut self, client: usize, end: End, took: Option<Duration>) {
        let bin = self.bin();
        bin.good += u32::from(matches!(end, End::Success | End::Ignored));
        bin.took.extend(took);
        self.trace(&[2, client as u64, end as u64]);
    }

    pub(super) fn queued(&mut self, waiting: usize) {
        let bin = self.bin();
        bin.queue = bin.queue.max(waiting);
    }

    pub(super) fn changed(&mut self, client: usize, event: Event) {
        self.run.transitions.push((client, event));
        self.trace(&[3, client as u64, event.at.as_nanos(), event.to as u64, event.cause as u64]);
    }

    /// Each word changes all that come after it, differently at each place.
    fn trace(&mut self, what: &[u64]) {
        for word in std::iter::once(&self.now.as_nanos()).chain(what) {
            self.run.trace = (self.run.trace.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    /// The stretch that has just begun is none of the run any more.
    pub(super) fn conclude(mut self, clients: Vec<Account>) -> Run {
        self.run.bins.pop();
        self.run.clients = clients;
        self.run
    }
}

/// The place of a state among [`Bin::states`].
pub(super) const fn place(state: State) -> usize {
    match state {
        State::Open | State::ForcedOpen => 2,
        State::HalfOpen => 1,
        _ => 0,
    }
}
