//! What is done to a breaker by hand, and what can be seen of it.

use std::sync::Arc;
use std::time::Duration;

use seawall_core::time::Timestamp;
use seawall_core::{ConfigError, Ending, Name, Report};

use super::{Breaker, Totals, error_text};
use crate::error::NotOpen;
use crate::event::State;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::state::{Events, Machine};
use crate::text::Text;

impl Breaker {
    /// Records the outcome of a call that this breaker did not admit: one that was made before, or by other means. In
    /// half-open it takes a probe's place if one is free, and in a stage of a recovery it always counts; when the circuit is open it changes nothing.
    pub fn record<'a>(&self, report: impl Into<Report<'a>>, took: Duration) {
        let ending = Ending::Finished(report.into());
        let (at, error) = (self.clock.now(), error_text(&ending));
        self.locked(|locked, events| {
            if locked.machine.record(&ending, took, at, events) {
                locked.note(&ending, error);
            }
        });
    }

    /// Opens the circuit as if a rule were met, for the configured interval.
    pub fn trip(&self) {
        self.by_hand(|machine, now, events| machine.trip(None, now, events));
    }

    /// Opens the circuit for `interval`; then probes decide.
    pub fn isolate(&self, interval: Duration) {
        self.by_hand(|machine, now, events| machine.trip(Some(interval), now, events));
    }

    /// Ends the open interval: the next calls are probes.
    ///
    /// # Errors
    /// If the circuit is not open; then nothing has changed.
    pub fn half_open(&self) -> Result<(), NotOpen> {
        self.by_hand(Machine::half_open).map_err(|state| NotOpen { state })
    }

    /// Refuses every call until another manual change.
    pub fn force_open(&self) {
        self.by_hand(|machine, now, events| machine.hold(State::ForcedOpen, now, events));
    }

    /// Closes the circuit and forgets what its window had counted. The open interval goes on growing where it was.
    pub fn force_closed(&self) {
        self.by_hand(Machine::force_closed);
    }

    /// Lets every call pass and records nothing, until another manual change.
    pub fn disable(&self) {
        self.by_hand(|machine, now, events| machine.hold(State::Disabled, now, events));
    }

    /// Lets every call pass, and tells what would have opened the circuit, until another manual change.
    pub fn metrics_only(&self) {
        self.by_hand(|machine, now, events| machine.hold(State::MetricsOnly, now, events));
    }

    /// Closes the circuit and forgets everything but the totals, in whatever state it is.
    pub fn reset(&self) {
        self.by_hand(Machine::reset);
    }

    /// Goes where `snapshot` was, `elapsed` after it was taken: a circuit that was open stays open for the rest of its interval.
    ///
    /// What was counted while closed counts on as if it were of now, unless the window, or the period, is over; so does a moving
    /// average that counts, while one that has not seen a whole window begins anew. A half-open
    /// circuit begins its probes, or its stage, anew, because the calls that were out are gone. Totals are not restored: they
    /// are what this breaker saw. Observers are told, with [`Cause::Restored`](crate::Cause::Restored).
    ///
    /// # Errors
    /// If the snapshot is of another name, or its figures are of no calls that could be. Then nothing has changed.
    ///
    /// ```
    /// use seawall_circuit_breaker::{CircuitBreaker, Config, State};
    /// use std::time::Duration;
    ///
    /// let before = CircuitBreaker::new(Config::classic().name("payment"))?;
    /// before.trip();
    /// let saved = before.snapshot();
    ///
    /// let after = CircuitBreaker::new(Config::classic().name("payment"))?;
    /// after.restore(&saved, Duration::from_secs(5))?;
    /// assert_eq!(after.state(), State::Open);
    /// # Ok::<(), seawall_core::ConfigError>(())
    /// ```
    pub fn restore(&self, snapshot: &Snapshot, elapsed: Duration) -> Result<(), ConfigError> {
        self.check_name(snapshot.name)?;
        snapshot.check()?;
        let error = snapshot.last_error.as_ref().map(|error| Text::of(error));
        let now = self.clock.now();
        self.locked(|locked, events| {
            locked.machine.restore(snapshot, elapsed, now, events);
            locked.last_error = error;
        });
        Ok(())
    }

    fn check_name(&self, name: Name) -> Result<(), ConfigError> {
        if name == self.name {
            return Ok(());
        }
        let valid = format!("{:?}: a running breaker keeps its name", self.name);
        Err(ConfigError::new("name", format!("{name:?}"), valid))
    }

    fn by_hand<R>(&self, change: impl FnOnce(&mut Machine, Timestamp, &mut Events) -> R) -> R {
        let now = self.clock.now();
        self.locked(|locked, events| change(&mut locked.machine, now, events))
    }

    pub(crate) fn reconfigure(&self, settings: Arc<Settings>) -> Result<(), ConfigError> {
        self.check_name(settings.name)?;
        self.by_hand(|machine, now, events| machine.reconfigure(settings, now, events));
        Ok(())
    }

    /// Which breaker this is.
    pub const fn name(&self) -> Name {
        self.name
    }

    /// Where the circuit is, with all that time has brought.
    pub fn state(&self) -> State {
        self.by_hand(|machine, now, events| {
            machine.tick(now, events);
            machine.state()
        })
    }

    /// All that is known of the circuit, at one moment.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_with_totals().0
    }

    /// The same, with what was counted, and how many times each state was entered.
    pub(crate) fn snapshot_with_totals(&self) -> (Snapshot, Totals) {
        let now = self.clock.now();
        self.locked(|locked, events| {
            locked.machine.tick(now, events);
            let mut totals = locked.totals;
            let refused = self.sum(|lane| lane.refused.get());
            totals.refused = refused - locked.refused_for_others;
            let refused_in_state = if events.is_empty() { refused - locked.refused_before } else { 0 };
            let last_error = locked.last_error.as_ref().map(|text| text.as_str().to_owned());
            for event in events.iter().filter(|event| event.from != event.to) {
                totals.transitions[event.to as usize] += 1;
            }
            let snapshot = Snapshot::new(&mut locked.machine, self.name, now, totals, refused_in_state, last_error);
            (snapshot, totals)
        })
    }
}
