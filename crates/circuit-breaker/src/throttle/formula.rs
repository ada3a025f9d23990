use seawall_core::{ConfigError, Ratio};

/// The probability with which a call is refused, as a function of what the window has counted.
///
/// ```text
/// excess      = max(0, requests - k * accepts) / (requests + 1)
/// probability = min(max_rejection, excess ^ (1 / aggression))       0 while requests < minimum_calls
/// ```
///
/// With `max_rejection` 1 and `aggression` 1 it is that of client-side throttling in Google's *Site Reliability
/// Engineering*, chapter 21. `k` says how many requests may be made for each that is accepted: at 2, refusing begins when
/// fewer than half of the requests are accepted, and what reaches the dependency tends to twice what it accepts.
///
/// It is a pure function, to be asked of any figures; a [`Throttle`](crate::Throttle) tells [its own](crate::Throttle::formula).
///
/// ```
/// use seawall_circuit_breaker::throttle::Formula;
///
/// let formula = Formula::new(2.0)?;
/// assert_eq!(formula.probability(100, 50), 0.0);
/// assert_eq!(formula.probability(100, 25), 50.0 / 101.0);
/// assert_eq!(formula.probability(100, 0), 100.0 / 101.0);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Formula {
    k: f64,
    max_rejection: f64,
    aggression: f64,
    minimum_calls: u64,
}

impl Formula {
    pub(super) const MOST_K: f64 = 1_000.0;
    pub(super) const LEAST_THRESHOLD: f64 = 0.001;
    const MOST_AGGRESSION: f64 = 100.0;
    /// Decimals are not exact in binary: 90 of 100 must be a share of 0.9. An excess that is a smaller share of the requests
    /// is an error of rounding.
    const ROUNDING: f64 = 1e-12;

    /// The formula with this `k`: 1 to 1 000.
    ///
    /// A [`Config`](super::Config) asks for more than 1: where refused calls count as requests, a throttle that asks that
    /// all of them be accepted never gets out of its own refusals.
    ///
    /// # Errors
    /// If `k` is outside of that, or not a number.
    pub fn new(k: f64) -> Result<Self, ConfigError> {
        if (1.0..=Self::MOST_K).contains(&k) {
            Ok(Self { k, max_rejection: 1.0, aggression: 1.0, minimum_calls: 0 })
        } else {
            Err(ConfigError::new("k", k, "a number from 1 to 1000"))
        }
    }

    /// The formula that refuses when a smaller share of the requests than `threshold` is accepted: `k` is `1 / threshold`.
    /// 0.001 to 1.
    ///
    /// # Errors
    /// If `threshold` is outside of that, or not a number.
    pub fn of_threshold(threshold: f64) -> Result<Self, ConfigError> {
        if (Self::LEAST_THRESHOLD..=1.0).contains(&threshold) {
            Self::new((1.0 / threshold).min(Self::MOST_K))
        } else {
            Err(ConfigError::new("success_threshold", threshold, "a number from 0.001 to 1"))
        }
    }

    /// The same, never above this.
    #[must_use]
    pub const fn max_rejection(mut self, most: Ratio) -> Self {
        self.max_rejection = most.get();
        self
    }

    /// The same, but 0 below so many requests.
    #[must_use]
    pub const fn minimum_calls(mut self, calls: u64) -> Self {
        self.minimum_calls = calls;
        self
    }

    /// The same, with the excess to the power of `1 / aggression`: 1 to 100. The higher, the more a small excess counts.
    ///
    /// # Errors
    /// If `aggression` is outside of that, or not a number.
    pub fn aggression(mut self, aggression: f64) -> Result<Self, ConfigError> {
        if (1.0..=Self::MOST_AGGRESSION).contains(&aggression) {
            self.aggression = aggression;
            Ok(self)
        } else {
            Err(ConfigError::new("aggression", aggression, "a number from 1 to 100"))
        }
    }

    /// How many requests may be made for each that is accepted.
    pub const fn k(&self) -> f64 {
        self.k
    }

    /// With which probability the next call is refused after so many requests, of which so many were accepted: 0 to 1.
    /// Without `max_rejection` it stays below 1, so that some call always finds out whether the dependency is back.
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53 are exact, and windows are far smaller")]
    pub fn probability(&self, requests: u64, accepts: u64) -> f64 {
        if requests < self.minimum_calls {
            return 0.0;
        }
        let (requests, accepts) = (requests as f64, accepts as f64);
        let excess = requests - self.k * accepts;
        if excess <= requests * Self::ROUNDING {
            return 0.0;
        }
        let excess = excess / (requests + 1.0);
        let probability = if self.aggression > 1.0 { excess.powf(1.0 / self.aggression) } else { excess };
        probability.min(self.max_rejection)
    }

    /// How many more requests can be made, none of them accepted, before the probability is above 0 for the next one; `None`
    /// if it is already.
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53 are exact, and windows are far smaller")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    pub(super) fn margin(&self, requests: u64, accepts: u64) -> Option<u64> {
        let allowed = (self.k * accepts as f64 * (1.0 + Self::ROUNDING)) as u64;
        let most = allowed.max(self.minimum_calls.saturating_sub(1));
        if self.probability(requests, accepts) > 0.0 { None } else { Some(most.saturating_sub(requests)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_decimals_mean_is_not_exceeded_by_rounding() {
        for percent in 1..=100_u32 {
            let formula = Formula::of_threshold(f64::from(percent) / 100.0).expect("a share");
            for hundreds in 1..=1_000 {
                let (requests, accepts) = (100 * hundreds, u64::from(percent) * hundreds);
                assert!(formula.probability(requests, accepts) <= 0.0, "{accepts} of {requests}");
                assert!(formula.probability(requests, accepts - 1) > 0.0, "{} of {requests}", accepts - 1);
            }
        }
    }

    #[test]
    fn neither_is_what_they_allow() {
        // In binary, 2.3 times 2 570 is a little less than 5 911.
        let formula = Formula::new(2.3).expect("valid");
        assert_eq!(formula.margin(0, 2_570), Some(5_911));
        assert_eq!(formula.margin(5_911, 2_570), Some(0));
        assert_eq!(formula.margin(5_912, 2_570), None);
    }

    #[test]
    fn some_call_always_passes_to_find_out() {
        let formula = Formula::new(2.0).and_then(|formula| formula.aggression(100.0)).expect("valid");
        assert!(formula.probability(1_000_000_000_000, 0) < 1.0);
    }

    #[test]
    fn a_value_outside_names_itself_and_what_is_valid() {
        let invalid = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e9];
        for value in invalid {
            for error in [
                Formula::new(value).expect_err("invalid"),
                Formula::of_threshold(value).expect_err("invalid"),
                Formula::new(2.0).and_then(|formula| formula.aggression(value)).expect_err("invalid"),
            ] {
                assert!(["k", "success_threshold", "aggression"].contains(&error.field()), "{error}");
                assert_eq!(error.value(), value.to_string());
                assert!(error.valid().contains("to 1"), "{error}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_a_probability_that_grows_with_requests_and_falls_with_accepts(
            requests in 0..1_000_000_u64, accepts in 0..1_000_000_u64,
            k in 1.0..1_000.0, aggression in 1.0..100.0, minimum in 0..1_000_u64, most in 0.01..1.0,
        ) {
            let formula = Formula::new(k).and_then(|formula| formula.aggression(aggression)).expect("valid");
            let formula = formula.minimum_calls(minimum).max_rejection(Ratio::new(most).expect("valid"));
            let probability = formula.probability(requests, accepts);
            prop_assert!((0.0..=most).contains(&probability));
            prop_assert!(formula.probability(requests + 1, accepts) >= probability);
            prop_assert!(formula.probability(requests, accepts + 1) <= probability);
        }

        #[test]
        fn the_margin_is_the_last_request_that_changes_nothing(
            requests in 0..10_000_u64, accepts in 0..10_000_u64, tenths in 10..50_u32, minimum in 0..1_000_u64,
        ) {
            let formula = Formula::new(f64::from(tenths) / 10.0).expect("valid").minimum_calls(minimum);
            match formula.margin(requests, accepts) {
                None => prop_assert!(formula.probability(requests, accepts) > 0.0),
                Some(margin) => {
                    prop_assert!(formula.probability(requests + margin, accepts) <= 0.0);
                    prop_assert!(formula.probability(requests + margin + 1, accepts) > 0.0);
                }
            }
        }
    }
}
