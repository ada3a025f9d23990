//! The values with which other breakers come, for those who move from one. Each can be changed as in any configuration; what
//! those breakers have no value for, such as an end for probes that hang, is as in every configuration here.

use std::time::Duration;

use crate::config::{Abandoned, Config, HalfOpen, Window};

impl Config {
    /// The values of resilience4j 2: half of the last 100 calls failing, or all of them taking more than a minute, open the
    /// circuit for a minute; ten probes are awaited and judged by the same rates.
    pub fn resilience4j() -> Self {
        Self::empty()
            .window(Window::count(100).minimum_calls(100))
            .failure_rate(0.5)
            .slow_calls(Duration::from_secs(60), 1.0)
            .open_for(Duration::from_secs(60))
            .half_open(HalfOpen::probes(10).by_rates().wait_for_all())
            .abandoned(Abandoned::Ignore)
    }

    /// The values of Polly 8: a tenth of the calls of 30 seconds failing, of at least 100, opens the circuit for 5 seconds; one
    /// probe decides.
    pub fn polly() -> Self {
        Self::empty()
            .window(Window::time(Duration::from_secs(30)).minimum_calls(100))
            .failure_rate(0.1)
            .open_for(Duration::from_secs(5))
            .half_open(HalfOpen::probes(1))
    }

    /// The values of Hystrix: half of the calls of 10 seconds failing, of at least 20, opens the circuit for 5 seconds; one
    /// probe decides, and opens again if it is dropped.
    pub fn hystrix() -> Self {
        Self::empty()
            .window(Window::time(Duration::from_secs(10)).minimum_calls(20))
            .failure_rate(0.5)
            .open_for(Duration::from_secs(5))
            .half_open(HalfOpen::probes(1))
    }

    /// The values of gobreaker 2: the sixth failure in a row opens the circuit for a minute; one probe decides.
    pub fn gobreaker() -> Self {
        Self::empty().consecutive_failures(6).open_for(Duration::from_secs(60)).half_open(HalfOpen::probes(1))
    }

    /// The values of Failsafe: the first failure opens the circuit for a minute; one probe decides.
    pub fn failsafe() -> Self {
        Self::empty().consecutive_failures(1).open_for(Duration::from_secs(60)).half_open(HalfOpen::probes(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn every_preset_is_a_valid_configuration() {
        for config in
            [Config::resilience4j(), Config::polly(), Config::hystrix(), Config::gobreaker(), Config::failsafe()]
        {
            let told = format!("{config:?}");
            assert!(Settings::try_from(config).is_ok(), "{told}");
        }
    }
}
