//! The values with which other throttles come, for those who move from one. Each can be changed as in any configuration.
//!
//! What they count is as everywhere here: a call is a request from when it asks, and so is one that is refused.

use std::time::Duration;

use super::Config;

impl Config {
    /// The values of *Site Reliability Engineering*, chapter 21: `k` 2 over two minutes, from the first request on.
    pub fn google_sre() -> Self {
        Self::default().window(Duration::from_secs(120)).buckets(20).minimum_calls(0)
    }

    /// The values of aegis: refuses when fewer than 0.6 of 3 seconds are accepted, of at least 100.
    pub fn aegis() -> Self {
        Self::default().success_threshold(0.6).window(Duration::from_secs(3)).minimum_calls(100)
    }

    /// The values of Envoy's admission control: refuses when fewer than 0.95 of 30 seconds are accepted, at most four of
    /// five calls. Envoy's floor of requests a second is the [minimum](Self::minimum_calls) of 30 seconds.
    pub fn envoy() -> Self {
        Self::default()
            .success_threshold(0.95)
            .max_rejection(0.8)
            .window(Duration::from_secs(30))
            .buckets(30)
            .minimum_calls(0)
    }

    /// The values of failsafe-go: refuses when fewer than 0.9 of a minute are accepted, at most nine of ten calls.
    pub fn failsafe() -> Self {
        Self::default()
            .success_threshold(0.9)
            .max_rejection(0.9)
            .window(Duration::from_secs(60))
            .buckets(20)
            .minimum_calls(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::settings::Settings;

    #[test]
    fn every_preset_is_a_valid_configuration() {
        for config in [Config::default(), Config::google_sre(), Config::aegis(), Config::envoy(), Config::failsafe()] {
            let told = format!("{config:?}");
            assert!(Settings::try_from(config).is_ok(), "{told}");
        }
    }
}
