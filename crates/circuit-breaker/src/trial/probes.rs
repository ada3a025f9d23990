use std::time::Duration;

use seawall_core::time::Timestamp;

use super::Verdict;
use crate::figures::Figures;
use crate::settings::{AbandonedAs, DecidedBy, Probing, Settings};
use crate::state::Call;
use crate::window::Mark;

/// The calls that a half-open circuit lets through, and what they showed.
///
/// There are exactly so many permits. A call that showed nothing gives its permit back; any other has used it up, so the
/// decision is settled at the latest with the last permit.
pub(crate) struct Probes {
    permits: u64,
    /// Calls that are running. They may be more than the permits, if a smaller configuration came meanwhile.
    out: u64,
    max: Option<Duration>,
    /// Since when there is something to wait for: a probe that is out, one that was dropped and the probe in its stead, or whoever
    /// asked for this state by hand.
    awaited_since: Option<Timestamp>,
    figures: Figures,
    /// Calls that count towards closing: they succeeded and were not slow.
    good: u64,
}

impl Probes {
    pub(crate) fn new(probing: &Probing, awaited_since: Option<Timestamp>) -> Self {
        Self { permits: probing.probes, out: 0, max: probing.max, awaited_since, figures: Figures::default(), good: 0 }
    }

    pub(crate) const fn permits(&self) -> u64 {
        self.permits
    }

    pub(crate) const fn left(&self) -> u64 {
        self.permits.saturating_sub(self.figures.calls + self.out)
    }

    /// When the circuit stops waiting for probes that hang.
    pub(crate) fn give_up(&self) -> Timestamp {
        self.awaited_since.zip(self.max).map_or(Timestamp::NEVER, |(since, max)| since + max)
    }

    /// The clock has stepped back: what was waited for goes on from there.
    pub(crate) fn follow_back(&mut self, by: Duration) {
        self.awaited_since = self.awaited_since.map(|since| since - by);
    }

    pub(crate) const fn figures(&self) -> Figures {
        self.figures
    }

    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        let free = self.left() > 0;
        if free {
            self.out += 1;
            self.awaited_since.get_or_insert(now);
        }
        free
    }

    pub(crate) fn settle(&mut self, call: Call, settings: &Settings) -> Verdict {
        self.out = self.out.saturating_sub(1);
        // Whoever was dropped has shown nothing: the circuit waits on, for whoever comes next.
        if self.out == 0 && !matches!(call, Call::Abandoned) {
            self.awaited_since = None;
        }
        match call {
            Call::Judged { failed, slow } => {
                self.figures.mark(Mark { failed, slow, abandoned: false });
                self.good += u64::from(!failed && !slow);
            }
            Call::Abandoned => self.figures.mark(Mark { abandoned: true, ..Mark::default() }),
            Call::Void => {}
        }
        self.verdict(settings)
    }

    fn verdict(&self, settings: &Settings) -> Verdict {
        let Figures { calls, failed, slow, abandoned, .. } = self.figures;
        if let AbandonedAs::Rate(rate) = settings.abandoned
            && abandoned >= self.permits
            && rate.is_reached_by(abandoned, abandoned + calls)
        {
            return Verdict::Fails;
        }
        let open = self.permits.saturating_sub(calls);
        if settings.half_open.wait_for_all && open > 0 {
            return Verdict::Undecided;
        }
        match settings.half_open.decided_by {
            DecidedBy::Successes(needed) if self.good >= needed => Verdict::Works,
            DecidedBy::Successes(needed) if self.good + open < needed => Verdict::Fails,
            DecidedBy::Successes(_) => Verdict::Undecided,
            DecidedBy::Rates => {
                let rules =
                    [settings.failure_rate.map(|rate| (rate, failed)), settings.slow.map(|rule| (rule.rate, slow))];
                let reached =
                    |more| rules.iter().flatten().any(|(rate, part)| rate.is_reached_by(part + more, self.permits));
                if reached(0) {
                    Verdict::Fails
                } else if reached(open) {
                    Verdict::Undecided
                } else {
                    Verdict::Works
                }
            }
        }
    }

    /// Takes over another number of permits and another time; who is out stays out.
    pub(crate) fn resize(&mut self, settings: &Settings) -> Verdict {
        let probing = &settings.half_open;
        self.permits = probing.probes;
        self.max = probing.max;
        self.verdict(settings)
    }
}
