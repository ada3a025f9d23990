use std::time::Duration;

use seawall_core::time::Timestamp;

/// An exponentially weighted moving average over time: what was known weighs `e^(−Δt / decay)`, a new value the rest (as in
/// linkerd's balancer and Finagle's peak EWMA).
///
/// ```
/// use seawall_bulkhead::limit::stats::Ewma;
/// use seawall_core::time::Timestamp;
/// use std::time::Duration;
///
/// let at = |seconds| Timestamp::ZERO + Duration::from_secs(seconds);
/// let mut load = Ewma::new(Duration::from_secs(10));
/// load.add_peak(at(1), 10.0);
/// load.add_peak(at(11), 5.0);
/// assert_eq!(load.get(), Some(5.0), "more than what is left of 10 is believed at once");
/// load.add_peak(at(12), 1.0);
/// assert!(load.get() > Some(4.5), "less is believed in time");
/// ```
#[derive(Clone, Debug)]
pub struct Ewma {
    decay: f64,
    last: Option<(Timestamp, f64)>,
}

impl Ewma {
    /// One whose past has lost 63 % of its weight after `decay`, at least 1 ms.
    pub fn new(decay: Duration) -> Self {
        Self { decay: decay.max(Duration::from_millis(1)).as_secs_f64(), last: None }
    }

    /// Takes a value. One that is not later than the last is left out.
    pub fn add(&mut self, at: Timestamp, value: f64) {
        if !value.is_finite() {
            return;
        }
        let Some((last, average)) = self.last else {
            self.last = Some((at, value));
            return;
        };
        if at > last {
            let kept = self.kept(last, at);
            self.last = Some((at, average * kept + value * (1.0 - kept)));
        }
    }

    /// Takes a value, which replaces the average if it is above what time has left of that.
    pub fn add_peak(&mut self, at: Timestamp, value: f64) {
        if value.is_finite() && self.get_at(at).is_some_and(|left| left < value) {
            self.last = Some((at, value));
        } else {
            self.add(at, value);
        }
    }

    /// The average when the last value came, once there is one.
    pub fn get(&self) -> Option<f64> {
        self.last.map(|(_, average)| average)
    }

    /// What time has left of the average.
    pub fn get_at(&self, now: Timestamp) -> Option<f64> {
        self.last.map(|(last, average)| average * self.kept(last, now))
    }

    fn kept(&self, last: Timestamp, now: Timestamp) -> f64 {
        (-now.saturating_duration_since(last).as_secs_f64() / self.decay).exp()
    }
}
