use std::collections::VecDeque;
use std::time::Duration;

use seawall_core::time::Timestamp;

/// The greatest of the values that are younger than a time: a queue of those that no younger one has reached, so that adding takes
/// constant time on average.
///
/// It keeps at most 64 of them; beyond, the two youngest are kept as one, of the greater value and the younger age, so that the
/// maximum is never below the true one.
///
/// ```
/// use seawall_bulkhead::limit::stats::RollingMax;
/// use seawall_core::time::Timestamp;
/// use std::time::Duration;
///
/// let at = |seconds| Timestamp::ZERO + Duration::from_secs(seconds);
/// let mut max = RollingMax::new(Duration::from_secs(300));
/// assert_eq!(max.add(at(0), 1030.0), 1030.0);
/// assert_eq!(max.add(at(299), 700.0), 1030.0);
/// assert_eq!(max.add(at(300), 650.0), 700.0);
/// ```
#[derive(Clone, Debug)]
pub struct RollingMax {
    window: Duration,
    /// The oldest and greatest first.
    greatest: VecDeque<(Timestamp, f64)>,
}

const KEPT: usize = 64;

impl RollingMax {
    /// Of the values that are younger than `window`.
    pub fn new(window: Duration) -> Self {
        Self { window, greatest: VecDeque::with_capacity(KEPT + 1) }
    }

    /// Takes a value; tells the maximum. One that came before the last is taken as of then.
    pub fn add(&mut self, at: Timestamp, value: f64) -> f64 {
        if value.is_finite() {
            let at = self.greatest.back().map_or(at, |(last, _)| at.max(*last));
            while self.greatest.back().is_some_and(|(_, kept)| *kept <= value) {
                self.greatest.pop_back();
            }
            if self.greatest.len() == KEPT
                && let Some((youngest, _)) = self.greatest.back_mut()
            {
                *youngest = at;
            } else {
                self.greatest.push_back((at, value));
            }
        }
        self.get(at).unwrap_or(value)
    }

    /// The maximum at `now`, if there is a value that is young enough.
    pub fn get(&mut self, now: Timestamp) -> Option<f64> {
        while self.greatest.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= self.window) {
            self.greatest.pop_front();
        }
        self.greatest.front().map(|(_, value)| *value)
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.greatest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_values_fall_memory_is_bounded_and_no_maximum_is_missed() {
        let mut max = RollingMax::new(Duration::from_millis(500));
        let mut all: Vec<(u64, f64)> = Vec::new();
        for i in 0..5_000_u64 {
            let value = f64::from(10_000 - u32::try_from(i).expect("few"));
            all.push((i, value));
            let found = max.add(Timestamp::ZERO + Duration::from_millis(i), value);
            let exact = all.iter().filter(|(at, _)| i - at < 500).map(|(_, v)| *v).fold(0.0, f64::max);
            assert!(found >= exact, "{found} is below {exact}");
            assert!(max.greatest.len() <= KEPT);
        }
        assert!(max.get(Timestamp::ZERO + Duration::from_secs(9)).is_none());
    }
}
