//! The throttle as a pure state machine: it takes the time and what was counted, and tells with which chance a call is
//! refused. Whoever draws compares a random word with that [`Chance`].

use std::sync::Arc;

use seawall_core::time::Timestamp;

use super::chance::Chance;
use super::event::{Change, Event};
use super::gate::Grant;
use super::settings::Settings;
use crate::state::Worth;
use crate::window::{self, TimeWindow};

pub(crate) struct Machine {
    settings: Arc<Settings>,
    window: TimeWindow<Counts>,
    /// How many times everything counted was forgotten: what was admitted before counts nowhere.
    generation: u32,
    /// The probability that was set by hand.
    held: Option<f64>,
    probability: f64,
    episode: Option<Episode>,
    episodes: u64,
    /// All calls that were ever refused.
    refused: u64,
}

/// From the first rise above 0 until there was none for a whole window.
struct Episode {
    since: Timestamp,
    /// Since when the probability has been 0.
    calm_since: Option<Timestamp>,
    /// What had been refused before.
    refused_before: u64,
}

/// What a bucket of the window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Calls that asked, refused ones too.
    pub(super) asked: u64,
    /// Calls that ended well.
    pub(super) accepted: u64,
    /// Calls that turned out to say nothing: as if they had not asked.
    pub(super) withdrawn: u64,
    /// Those of the asked that were refused.
    pub(super) refused: u64,
}

impl window::Counts for Counts {
    fn add(&mut self, other: &Self) {
        *self = self.plus(*other);
    }

    fn subtract(&mut self, other: &Self) {
        *self = self.minus(other);
    }
}

impl Counts {
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            asked: self.asked + other.asked,
            accepted: self.accepted + other.accepted,
            withdrawn: self.withdrawn + other.withdrawn,
            refused: self.refused + other.refused,
        }
    }

    pub(super) const fn minus(self, other: &Self) -> Self {
        Self {
            asked: self.asked - other.asked,
            accepted: self.accepted - other.accepted,
            withdrawn: self.withdrawn - other.withdrawn,
            refused: self.refused - other.refused,
        }
    }

    /// The requests of the formula. A call may be taken back when its request has left the window already.
    pub(super) const fn requests(&self) -> u64 {
        self.asked.saturating_sub(self.withdrawn)
    }
}

impl Machine {
    /// A decision may lack one in so many of the window's requests, and as many calls that were accepted or taken back.
    pub(super) const SLACK: u64 = 128;
    /// So many are as good as any number.
    const MOST: u64 = 1 << 40;

    pub(super) fn new(settings: Arc<Settings>, now: Timestamp) -> Self {
        Self {
            window: Self::window(&settings, now),
            settings,
            generation: 0,
            held: None,
            probability: 0.0,
            episode: None,
            episodes: 0,
            refused: 0,
        }
    }

    fn window(settings: &Settings, now: Timestamp) -> TimeWindow<Counts> {
        TimeWindow::new(settings.window, settings.buckets, now)
    }

    /// These happened before the next look, in the bucket that is newest.
    pub(super) fn note(&mut self, news: &Counts) {
        self.window.add(news);
        self.refused += news.refused;
    }

    /// Lets go of what is too old, and works out the probability anew.
    pub(super) fn look(&mut self, now: Timestamp) -> Option<Event> {
        if now < self.fresh_from() {
            // The clock has stepped back by more than the window. What was counted is of now: it can neither stay until
            // time has caught up, nor be forgotten.
            let counts = self.window.figures();
            self.window = Self::window(&self.settings, now);
            self.window.add(&counts);
            if let Some(episode) = &mut self.episode {
                episode.since = episode.since.min(now);
                episode.calm_since = episode.calm_since.map(|since| since.min(now));
            }
        }
        self.window.advance(now);
        self.judge(now)
    }

    fn judge(&mut self, now: Timestamp) -> Option<Event> {
        let counts = self.window.figures();
        self.probability =
            self.held.unwrap_or_else(|| self.settings.formula.probability(counts.requests(), counts.accepted));
        let throttles = self.probability > 0.0;
        match &mut self.episode {
            None if throttles => {
                self.episode = Some(Episode { since: now, calm_since: None, refused_before: self.refused });
                self.episodes += 1;
                Some(self.event(now, Change::Began))
            }
            None => None,
            Some(episode) if throttles => {
                episode.calm_since = None;
                None
            }
            Some(episode) => {
                let calm_since = *episode.calm_since.get_or_insert(now);
                let is_over = now.saturating_duration_since(calm_since) >= self.settings.window;
                is_over.then(|| {
                    let event = self.event(now, Change::Ended);
                    self.episode = None;
                    event
                })
            }
        }
    }

    fn event(&self, now: Timestamp, change: Change) -> Event {
        let counts = self.window.figures();
        let (lasted, refused) = self.episode.as_ref().map_or_else(Default::default, |episode| {
            let end = episode.calm_since.unwrap_or(now);
            (end.saturating_duration_since(episode.since), self.refused - episode.refused_before)
        });
        Event {
            name: self.settings.name,
            at: now,
            change,
            episode: self.episodes,
            requests: counts.requests(),
            accepts: counts.accepted,
            probability: self.probability,
            refused,
            lasted,
        }
    }

    /// Takes over other rules, and keeps what was counted: in another window all of it is of now.
    pub(super) fn reconfigure(&mut self, settings: Arc<Settings>, now: Timestamp) -> Option<Event> {
        let has_shape = (settings.window, settings.buckets) == (self.settings.window, self.settings.buckets);
        self.settings = settings;
        if !has_shape {
            let counts = self.window.figures();
            self.window = Self::window(&self.settings, now);
            self.window.add(&counts);
        }
        self.judge(now)
    }

    /// Sets the probability by hand, or lets the counts say it again.
    pub(super) fn hold(&mut self, probability: Option<f64>, now: Timestamp) -> Option<Event> {
        self.held = probability;
        self.judge(now)
    }

    /// Forgets what the window has counted.
    pub(super) fn reset(&mut self, now: Timestamp) -> Option<Event> {
        self.window = Self::window(&self.settings, now);
        self.generation = self.generation.wrapping_add(1);
        self.judge(now)
    }

    /// Forgets everything, and tells nobody.
    pub(super) fn start_over(&mut self, now: Timestamp) {
        let generation = self.generation.wrapping_add(1);
        *self = Self { generation, ..Self::new(self.settings.clone(), now) };
    }

    /// What would be lost if everything were forgotten now. Changes nothing but what time does to the window, and tells nothing.
    pub(super) fn worth(&mut self, now: Timestamp) -> Worth {
        if self.held.is_some() {
            return Worth::Held;
        }
        if let Some(episode) = &mut self.episode {
            // Without a call the window empties, and once it has been empty for as long as it is, the episode is over.
            let empty = self.window.bucket_end() + self.settings.window;
            if now >= empty {
                episode.calm_since.get_or_insert(empty);
            }
            let over = episode.calm_since.unwrap_or(empty) + self.settings.window;
            if now < over {
                return Worth::Broken { until: over };
            }
        }
        self.window.advance(now);
        let counts = self.window.figures();
        if counts.requests() > counts.accepted { Worth::Counts } else { Worth::Nothing }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) const fn counts(&self) -> Counts {
        self.window.figures()
    }

    pub(super) const fn held(&self) -> Option<f64> {
        self.held
    }

    pub(super) const fn probability(&self) -> f64 {
        self.probability
    }

    pub(super) fn chance(&self) -> Chance {
        Chance::of(self.probability)
    }

    pub(super) const fn episodes(&self) -> u64 {
        self.episodes
    }

    /// Since when it has been throttling.
    pub(super) fn throttling_since(&self) -> Option<Timestamp> {
        self.episode.as_ref().map(|episode| episode.since)
    }

    /// Whether a call that is accepted or taken back changes the chance.
    pub(super) fn is_changed_by_relief(&self) -> bool {
        self.held.is_none() && self.probability > 0.0
    }

    /// An earlier time is one after a step back of the clock that should be looked at.
    pub(super) fn fresh_from(&self) -> Timestamp {
        let bucket = self.settings.window / self.settings.buckets;
        self.window.bucket_end() - bucket - self.settings.window
    }

    /// A later time begins a new bucket.
    pub(super) const fn fresh_until(&self) -> Timestamp {
        self.window.bucket_end()
    }

    /// How many calls may be counted that this machine does not know, so that the chance is that of at least all but one in
    /// [`SLACK`](Self::SLACK) of them. While the chance is 0, requests that keep it 0 are free.
    pub(super) fn grant(&self) -> Grant {
        if self.held.is_some() {
            return Grant { asks: Self::MOST, reliefs: Self::MOST };
        }
        let counts = self.window.figures();
        let requests = counts.requests();
        let slack = requests / Self::SLACK;
        let margin = self.settings.formula.margin(requests, counts.accepted).unwrap_or(0);
        Grant { asks: margin.max(slack).min(Self::MOST), reliefs: slack.min(Self::MOST) }
    }
}

#[cfg(test)]
mod tests;
