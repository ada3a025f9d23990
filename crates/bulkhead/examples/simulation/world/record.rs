use std::time::Duration;

use seawall_core::time::Timestamp;

/// What happened in one run.
pub(crate) struct Run {
    /// One for each [`Bin::LENGTH`] of it.
    pub(crate) bins: Vec<Bin>,
    /// Names everything that happened, in its order and at its time.
    pub(crate) trace: u64,
}

/// What happened in a short stretch of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bin {
    pub(crate) asked: u32,
    pub(crate) admitted: u32,
    /// Calls that were answered while their caller waited.
    pub(crate) good: u32,
    /// Admitted calls whose caller waited in vain.
    pub(crate) lost: u32,
    /// The limit at the end of it.
    pub(crate) limit: u32,
    /// The most in flight when a call ended.
    pub(crate) in_flight: u32,
    /// How long the admitted calls took that ended in it, as their callers see it, the wait for a turn included.
    took: Vec<Duration>,
}

impl Bin {
    pub(crate) const LENGTH: Duration = Duration::from_millis(250);
}

/// What several bins say together.
pub(crate) struct Figures {
    pub(crate) asked: u32,
    pub(crate) admitted: u32,
    pub(crate) lost: u32,
    /// Answers in time, a second.
    pub(crate) goodput: f64,
    /// The mean limit.
    pub(crate) limit: f64,
    took: Vec<Duration>,
}

impl Figures {
    pub(crate) fn of(bins: &[Bin]) -> Self {
        let sum = |what: fn(&Bin) -> u32| bins.iter().map(what).sum::<u32>();
        #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
        let count = bins.len() as f64;
        let mut took: Vec<Duration> = bins.iter().flat_map(|bin| bin.took.iter().copied()).collect();
        took.sort_unstable();
        Self {
            asked: sum(|bin| bin.asked),
            admitted: sum(|bin| bin.admitted),
            lost: sum(|bin| bin.lost),
            goodput: f64::from(sum(|bin| bin.good)) / (count * Bin::LENGTH.as_secs_f64()),
            limit: bins.iter().map(|bin| f64::from(bin.limit)).sum::<f64>() / count,
            took,
        }
    }

    /// How long admitted calls took at this share of those that ended, ordered by that.
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
    /// What happened from `begin` to `end`, in whole bins.
    pub(crate) fn between(&self, begin: Duration, end: Duration) -> Figures {
        Figures::of(self.bins(begin, end))
    }

    /// The bins from `begin` to `end`.
    pub(crate) fn bins(&self, begin: Duration, end: Duration) -> &[Bin] {
        let place = |at: Duration| {
            usize::try_from(at.as_nanos() / Bin::LENGTH.as_nanos()).expect("a short run").min(self.bins.len())
        };
        &self.bins[place(begin)..place(end)]
    }
}

/// Writes down what happens.
pub(super) struct Recorder {
    run: Run,
    now: Timestamp,
}

impl Recorder {
    pub(super) fn new() -> Self {
        // The offset basis of FNV-1a.
        let trace = 0xcbf2_9ce4_8422_2325;
        Self { run: Run { bins: vec![Bin::default()], trace }, now: Timestamp::ZERO }
    }

    /// Time comes to `now`, with this limit until then.
    pub(super) fn reach(&mut self, now: Timestamp, limit: u32) {
        self.now = now;
        while self.run.bins.len() as u128 * Bin::LENGTH.as_nanos() <= u128::from(now.as_nanos()) {
            self.bin().limit = limit;
            self.run.bins.push(Bin::default());
        }
    }

    fn bin(&mut self) -> &mut Bin {
        self.run.bins.last_mut().expect("there is one from the beginning")
    }

    pub(super) fn asked(&mut self) {
        self.bin().asked += 1;
    }

    pub(super) fn admitted(&mut self, call: usize) {
        self.bin().admitted += 1;
        self.trace(&[1, call as u64]);
    }

    pub(super) fn refused(&mut self, call: usize) {
        self.trace(&[2, call as u64]);
    }

    pub(super) fn ended(&mut self, call: usize, in_time: bool, took: Duration, in_flight: u32) {
        let bin = self.bin();
        *(if in_time { &mut bin.good } else { &mut bin.lost }) += 1;
        bin.in_flight = bin.in_flight.max(in_flight);
        // Who was turned away at once did not take long to get nothing: that is no latency.
        bin.took.extend((!took.is_zero()).then_some(took));
        self.trace(&[3, call as u64, u64::from(in_time), in_flight.into()]);
    }

    /// Each word changes all that come after it, differently at each place.
    fn trace(&mut self, what: &[u64]) {
        for word in std::iter::once(&self.now.as_nanos()).chain(what) {
            self.run.trace = (self.run.trace.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    /// The bin that has just begun is none of the run any more.
    pub(super) fn conclude(mut self) -> Run {
        self.run.bins.pop();
        self.run
    }
}
