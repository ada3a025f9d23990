//! What a circuit would do, tried on a circuit of its own.

use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Config, State, Window};
use seawall_core::Outcome;
use seawall_core::time::{Clock, Timestamp};

/// Longer than any call of a vector.
pub(crate) const NEVER_SLOW: Duration = Duration::from_secs(300 * 24 * 3600);

/// One recorded call.
#[derive(Clone, Copy)]
pub(crate) struct Recorded {
    pub(crate) at: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// Whether a circuit that took all these calls without opening would now open under `rules`.
pub(crate) fn would_open(history: &[Recorded], rules: Config, window: Window) -> Result<bool, String> {
    let quiet = Config::empty().window(window).slow_calls(NEVER_SLOW, 1.0);
    let (clock, time) = Clock::manual();
    let breaker = CircuitBreaker::with_clock(quiet, clock).map_err(|error| error.to_string())?;
    for call in history {
        time.advance_to(call.at);
        breaker.record(call.outcome, call.took);
    }
    breaker.reconfigure(rules).map_err(|error| error.to_string())?;
    Ok(breaker.state() == State::Open)
}

/// Whether a circuit opens at `threshold` that saw `throughput` calls of which the share `ratio` failed.
pub(crate) fn opens_at(throughput: u64, minimum: u64, ratio: f64, threshold: f64) -> Result<bool, String> {
    // Shares need not be whole numbers of calls: as many times the calls, and the minimum, as make them so.
    #[expect(clippy::cast_precision_loss, reason = "the counts of vectors are small")]
    let failed = |times: u64| (throughput * times) as f64 * ratio;
    let whole = |times: &u64| (failed(*times) - failed(*times).round()).abs() < 1e-9;
    let times = (1..=1_000).find(whole).ok_or("a share that is no fraction of at most 1000 times the calls")?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was found to be a whole number of calls"
    )]
    let (calls, failed) = (throughput * times, failed(times).round() as u64);
    let narrow = |calls: u64| u32::try_from(calls).map_err(|error| error.to_string());
    let (size, minimum) = (narrow(calls.max(minimum * times))?, narrow(minimum * times)?);

    let config = Config::empty().window(Window::count(size).minimum_calls(minimum)).failure_rate(threshold);
    let (clock, _time) = Clock::manual();
    let breaker = CircuitBreaker::with_clock(config, clock).map_err(|error| error.to_string())?;
    for call in 0..calls {
        // The failures come last, when the rate is highest at the end.
        let outcome = if call < calls - failed { Outcome::Success } else { Outcome::Failure };
        breaker.record(outcome, Duration::ZERO);
    }
    Ok(breaker.state() == State::Open)
}
