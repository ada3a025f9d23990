use std::time::Duration;

use seawall_core::Ratio;
use seawall_core::time::Timestamp;

use super::Verdict;
use crate::figures::Figures;
use crate::settings::{AbandonedAs, DecidedBy, Settings, Staged};
use crate::state::Call;
use crate::window::Mark;

/// A share of the calls that a recovering circuit lets through, and what they showed.
pub(crate) struct Stage {
    /// Its place among the stages.
    place: usize,
    share: Ratio,
    /// How many calls must have ended before it is passed.
    calls: u64,
    began: Timestamp,
    /// How long it lasts at least.
    each: Duration,
    asked: u64,
    admitted: u64,
    out: u64,
    max: Option<Duration>,
    /// Since when calls are out, or were dropped, and none has ended.
    awaited_since: Option<Timestamp>,
    figures: Figures,
    /// Calls that succeeded and were not slow.
    good: u64,
}

impl Stage {
    /// The stage at `place`, if there are so many.
    pub(crate) fn new(place: usize, settings: &Settings, now: Timestamp) -> Option<Self> {
        let Staged { shares, each, calls } = settings.recovery.as_ref()?;
        Some(Self {
            place,
            share: *shares.get(place)?,
            calls: *calls,
            began: now,
            each: *each,
            asked: 0,
            admitted: 0,
            out: 0,
            max: settings.half_open.max,
            awaited_since: None,
            figures: Figures::default(),
            good: 0,
        })
    }

    pub(crate) const fn place(&self) -> usize {
        self.place
    }

    pub(crate) const fn share(&self) -> Ratio {
        self.share
    }

    pub(crate) const fn calls(&self) -> u64 {
        self.calls
    }

    pub(crate) const fn figures(&self) -> Figures {
        self.figures
    }

    /// When it is passed at the earliest.
    pub(crate) fn until(&self) -> Timestamp {
        self.began + self.each
    }

    pub(crate) fn give_up(&self) -> Timestamp {
        self.awaited_since.zip(self.max).map_or(Timestamp::NEVER, |(since, max)| since + max)
    }

    pub(crate) fn follow_back(&mut self, by: Duration) {
        self.began = self.began - by;
        self.awaited_since = self.awaited_since.map(|since| since - by);
    }

    /// Admits a call as long as fewer than the share of those that asked were: of any n, the share of n rounded up.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        self.asked += 1;
        let below = !self.share.is_reached_by(self.admitted, self.asked);
        if below {
            self.admitted += 1;
            self.join(now);
        }
        below
    }

    pub(crate) fn join(&mut self, now: Timestamp) -> bool {
        self.out += 1;
        self.awaited_since.get_or_insert(now);
        true
    }

    pub(crate) fn settle(&mut self, call: Call, now: Timestamp, settings: &Settings) -> Verdict {
        self.out = self.out.saturating_sub(1);
        // Whoever was dropped has shown nothing: the circuit waits on, for whoever comes next.
        if !matches!(call, Call::Abandoned) {
            self.awaited_since = (self.out > 0).then_some(now);
        }
        match call {
            Call::Judged { failed, slow } => {
                self.figures.mark(Mark { failed, slow, abandoned: false });
                self.good += u64::from(!failed && !slow);
            }
            Call::Abandoned => self.figures.mark(Mark { abandoned: true, ..Mark::default() }),
            Call::Void => {}
        }
        self.verdict(now, settings)
    }

    /// What its calls show by now. Until there are enough of them, those that are missing are taken for good ones.
    pub(crate) fn verdict(&self, now: Timestamp, settings: &Settings) -> Verdict {
        let Figures { calls, failed, slow, abandoned, .. } = self.figures;
        let whole = calls.max(self.calls);
        let hanging = match settings.abandoned {
            AbandonedAs::Rate(rate) => abandoned >= self.calls && rate.is_reached_by(abandoned, abandoned + calls),
            AbandonedAs::Nothing | AbandonedAs::Failure => false,
        };
        let bad = match settings.half_open.decided_by {
            DecidedBy::Successes(needed) => {
                let best = u128::from(whole - (calls - self.good));
                best * u128::from(settings.half_open.probes) < u128::from(needed) * u128::from(whole)
            }
            DecidedBy::Rates => {
                let rules =
                    [settings.failure_rate.map(|rate| (rate, failed)), settings.slow.map(|rule| (rule.rate, slow))];
                rules.iter().flatten().any(|(rate, part)| rate.is_reached_by(*part, whole))
            }
        };
        if hanging || bad {
            Verdict::Fails
        } else if calls >= self.calls && now >= self.until() {
            Verdict::Works
        } else {
            Verdict::Undecided
        }
    }

    pub(crate) fn resize(&mut self, now: Timestamp, settings: &Settings) -> Verdict {
        let Some(staged) = &settings.recovery else {
            return Verdict::Works;
        };
        let Some(share) = staged.shares.get(self.place) else {
            return Verdict::Works;
        };
        if self.share != *share {
            // What was admitted under another share says nothing about this one.
            (self.asked, self.admitted) = (0, 0);
        }
        (self.share, self.each, self.calls, self.max) = (*share, staged.each, staged.calls, settings.half_open.max);
        self.verdict(now, settings)
    }
}
