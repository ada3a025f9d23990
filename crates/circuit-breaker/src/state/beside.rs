//! What only some configurations ask for, kept beside the window: a moving average, and how long calls took.

use std::time::Duration;

use seawall_core::time::Timestamp;

use super::{Call, Machine, Phase};
use crate::durations::Durations;
use crate::ema::Ema;
use crate::figures::Figures;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::window::{Counts, RateWindow, TookWindow};

/// In a box of its own and apart from the paths of a breaker that has none of it, which is neither larger nor slower for it.
pub(crate) struct Beside {
    ema: Option<Ema>,
    timing: Option<Timing>,
}

/// How long calls took.
struct Timing {
    window: TookWindow,
    /// Of the probes, or of the stage.
    trial: Durations,
    /// What belongs to the figures that ended the last generation.
    frozen: Durations,
}

impl Beside {
    /// Nothing yet, beside this window.
    pub(super) fn new(settings: &Settings, window: Option<&RateWindow>, now: Timestamp) -> Option<Box<Self>> {
        let ema = settings.success_rate_ema.map(|rule| Ema::new(rule, now));
        let timing = Timing::new(settings, window);
        (ema.is_some() || timing.is_some()).then(|| Box::new(Self { ema, timing }))
    }

    /// Lets go of what the window has let go of. What follows asks for it; otherwise time passes here unseen.
    #[cold]
    pub(super) fn keep_up_with(&mut self, window: Option<&RateWindow>) {
        if let (Some(timing), Some(window)) = (&mut self.timing, window) {
            timing.window.advance(window.newest());
        }
    }

    /// A call of this generation ended.
    #[cold]
    pub(super) fn hear(&mut self, phase: &Phase, call: Call, took: Option<Duration>, now: Timestamp) {
        if let (Some(ema), Phase::Closed | Phase::MetricsOnly, Call::Judged { failed, .. }) =
            (&mut self.ema, phase, call)
        {
            ema.observe(!failed, now);
        }
        if let Some(timing) = &mut self.timing {
            timing.hear(phase, call, took);
        }
    }

    /// `n` calls succeeded that are known by their number alone.
    #[cold]
    pub(super) fn absorb(&mut self, n: u64) {
        if let Some(ema) = &mut self.ema {
            ema.succeed(n);
        }
        if let Some(timing) = &mut self.timing {
            timing.window.push_unknown(n);
        }
    }

    pub(super) fn rate(&self) -> Option<f64> {
        self.ema.as_ref().and_then(Ema::rate)
    }

    /// Whether the average is too low, after a failure.
    #[cold]
    pub(super) fn is_met(&self) -> bool {
        self.ema.as_ref().is_some_and(Ema::is_met)
    }

    /// Whether anything of it would be lost.
    pub(super) fn holds_any(&self, now: Timestamp) -> bool {
        self.ema.as_ref().is_some_and(|ema| ema.holds_any(now))
    }

    #[cold]
    pub(super) fn clear(&mut self, now: Timestamp) {
        if let Some(ema) = &mut self.ema {
            ema.clear(now);
        }
        if let Some(timing) = &mut self.timing {
            timing.window.clear(now);
        }
    }

    /// The generation ends whose phase this is.
    #[cold]
    pub(super) fn freeze(&mut self, phase: &Phase) {
        if let Some(timing) = &mut self.timing {
            timing.frozen = timing.of(phase);
            timing.trial = Durations::default();
        }
    }

    pub(super) fn freeze_as(&mut self, durations: Durations) {
        if let Some(timing) = &mut self.timing {
            timing.frozen = durations;
        }
    }

    /// The same under another configuration, whose window took over what it could of the calls `before`.
    pub(super) fn reconfigured(
        self: Box<Self>,
        settings: &Settings,
        (before, same): (&Figures, bool),
        window: Option<&RateWindow>,
        now: Timestamp,
    ) -> Option<Box<Self>> {
        let Self { ema: old, timing } = *self;
        let ema = settings.success_rate_ema.map(|rule| match old {
            Some(old) => old.reconfigured(rule, now),
            None => Ema::new(rule, now),
        });
        let timing = match timing.filter(|_| settings.durations) {
            Some(timing) if same => Some(timing),
            Some(timing) => timing.resized(settings, before, window),
            None => Timing::new(settings, window),
        };
        (ema.is_some() || timing.is_some()).then(|| Box::new(Self { ema, timing }))
    }

    /// Goes on with what the snapshot tells of the window's calls, which this window took over.
    pub(super) fn restore_window(&mut self, snapshot: &Snapshot, window: &RateWindow) {
        if let (Some(timing), Some(durations)) = (&mut self.timing, snapshot.durations) {
            timing.window.fill_with(durations, &snapshot.figures, &window.figures());
        }
    }

    /// Goes on with the snapshot's average.
    pub(super) fn restore_average(&mut self, snapshot: &Snapshot, elapsed: Duration) {
        if let (Some(ema), Some(rate)) = (&mut self.ema, snapshot.success_rate_ema) {
            ema.restore(rate, elapsed);
        }
    }
}

impl Timing {
    fn new(settings: &Settings, window: Option<&RateWindow>) -> Option<Self> {
        let config = settings.window.filter(|_| settings.durations)?;
        let window = TookWindow::new(config, window?.newest());
        Some(Self { window, trial: Durations::default(), frozen: Durations::default() })
    }

    fn hear(&mut self, phase: &Phase, call: Call, took: Option<Duration>) {
        match (phase, call) {
            (Phase::Closed | Phase::MetricsOnly, Call::Judged { .. }) => self.window.push(took),
            (Phase::Closed | Phase::MetricsOnly, Call::Abandoned) => self.window.push(None),
            (Phase::HalfOpen { .. }, Call::Judged { .. }) => {
                if let Some(took) = took {
                    self.trial.add(&Durations::of(took));
                }
            }
            _ => {}
        }
    }

    fn of(&self, phase: &Phase) -> Durations {
        match phase {
            Phase::Closed | Phase::MetricsOnly => self.window.sum(),
            Phase::HalfOpen { .. } => self.trial,
            _ => self.frozen,
        }
    }

    fn resized(self, settings: &Settings, before: &Figures, window: Option<&RateWindow>) -> Option<Self> {
        let (config, window) = (settings.window?, window?);
        Some(Self { window: self.window.resized(config, before, &window.figures(), window.newest()), ..self })
    }
}

impl Machine {
    /// How long the calls of [`figures`](Self::figures) took, where that is kept.
    pub(crate) fn durations(&mut self) -> Option<Durations> {
        let beside = self.beside.as_mut()?;
        beside.keep_up_with(self.window.as_ref());
        beside.timing.as_ref().map(|timing| timing.of(&self.phase))
    }

    /// The moving average of the success rate, where that is a rule and counts.
    pub(crate) fn success_rate_ema(&self) -> Option<f64> {
        self.beside.as_ref().and_then(|beside| beside.rate())
    }
}
