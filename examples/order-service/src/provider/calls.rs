//! Calls of a provider as the service makes them: each within its time, made again while there is a budget for that, and none
//! while the provider is known to be down, and so many at once.

use std::time::Duration;

use axum::http::StatusCode;
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Deadline, Outcome};
use seawall_retry::{Budget, Config as RetryConfig, Paying, Retry, Verdict};

use super::client::CallError;
use crate::breakers::{Dependency, Unanswered, Until};
use crate::bulkheads::Purpose;
use crate::metrics::{Attempt, AttemptFigures};

/// Calls through deadline, retry, circuit breaker and bulkhead, and timeout, in this order from outside.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    dependency: Dependency,
    retry: Retry,
    patience: Duration,
    clock: Clock,
    figures: AttemptFigures,
}

/// Why there is no answer.
pub(crate) type Unanswerable = Unanswered<CallError>;

impl Calls {
    /// Calls of `dependency`, which `retry` makes again for a caller who waits at most `patience`. All go by `clock`.
    pub(crate) fn new(
        dependency: Dependency,
        retry: Retry,
        patience: Duration,
        clock: Clock,
        figures: AttemptFigures,
    ) -> Self {
        let patience = patience.min(dependency.timeout());
        Self { dependency, retry, patience, clock, figures }
    }

    /// The longest that one call takes.
    pub(crate) fn timeout(&self) -> Duration {
        self.dependency.timeout()
    }

    /// The longest that a caller waits.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Asks once, for somebody who comes back later by himself: a retry inside a retry would multiply the load.
    pub(crate) async fn once<T, F>(&self, ask: impl FnOnce(Deadline) -> F) -> Result<T, Unanswerable>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let until = Deadline::after(&self.clock, self.dependency.timeout());
        self.noted(self.dependency.call(Purpose::Showing.unhurried(), ask(until), judge).await)
    }

    /// Asks for a caller who waits until `deadline`, and no longer than the service's patience in any case. A provider that
    /// needs more than that is as good as down for callers, so giving up then counts as a failure: soon nobody waits any
    /// more. A caller's own deadline tells nothing about the provider.
    pub(crate) async fn for_caller<T, F>(
        &self,
        purpose: Purpose,
        deadline: Option<Deadline>,
        ask: impl Fn(Deadline) -> F,
    ) -> Result<T, Unanswerable>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let patience = Deadline::after(&self.clock, self.patience);
        let whole = patience.earlier(deadline);
        let claim = purpose.claim(deadline);
        let attempt = async |attempt_ends: Deadline| {
            let is_callers = whole < patience && attempt_ends == whole;
            let until = if is_callers { Until::Caller(attempt_ends) } else { Until::Patience(attempt_ends) };
            self.noted(self.dependency.call_until(until, claim, ask(attempt_ends), judge).await)
        };
        let result = self.retry.run_judged(|made| attempt(made.deadline.unwrap_or(whole)), verdict, Some(whole)).await;
        result.unwrap_or_else(|timed_out| Err(Unanswered::TimedOut(timed_out)))
    }

    fn noted<T>(&self, result: Result<T, Unanswerable>) -> Result<T, Unanswerable> {
        self.figures.note(match &result {
            Ok(_) => Attempt::Succeeded,
            Err(Unanswered::Refused(_)) => Attempt::Refused,
            Err(Unanswered::TimedOut(_)) => Attempt::TimedOut,
            Err(Unanswered::Failed(_)) => Attempt::Failed,
        });
        result
    }
}

/// Whether another attempt may do better. One that the breaker refuses is no load, and comes no sooner than it says. Whoever found
/// no room has waited for it already, and leaves it to others.
fn verdict<T>(result: &Result<T, Unanswerable>) -> Verdict {
    match result {
        Ok(_) => Verdict::good(),
        Err(Unanswered::Refused(rejection)) if rejection.pattern() == "bulkhead" => Verdict::is_final(),
        Err(Unanswered::Refused(rejection)) => Verdict::of_rejection(rejection),
        Err(Unanswered::TimedOut(_)) => Verdict::again(),
        Err(Unanswered::Failed(error)) if judge(error) == Outcome::Failure => Verdict::again(),
        Err(Unanswered::Failed(_)) => Verdict::is_final(),
    }
}

/// What an error tells about the provider: one that finds fault with the request is at least there.
fn judge(error: &CallError) -> Outcome {
    match error {
        CallError::Late(_) => Outcome::Ignored,
        CallError::Refused(status) if faults_the_request(*status) => Outcome::Ignored,
        _ => Outcome::Failure,
    }
}

fn faults_the_request(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT && status != StatusCode::TOO_MANY_REQUESTS
}

/// `config` for the retry of the provider `name`, which the file need not say and cannot change.
pub(crate) fn named(config: RetryConfig, name: &'static str) -> Result<RetryConfig, ConfigError> {
    let given = Retry::new(config.clone())?.name();
    let unnamed = Retry::new(RetryConfig::default())?.name();
    if given.as_str() == name || given == unnamed {
        Ok(config.name(name))
    } else {
        Err(ConfigError::new("name", given, format!("{name}, or left out")))
    }
}

/// `config` with its own budget made, under the name of the provider, so that its figures can be exported.
pub(crate) fn pay_from(
    config: RetryConfig,
    name: &str,
    clock: &Clock,
) -> Result<(RetryConfig, Option<Budget>), ConfigError> {
    // A configuration shows its parts only in the form that it has in files.
    let written = serde_json::to_value(&config)
        .ok()
        .and_then(|mut written| written.get_mut("budget").map(serde_json::Value::take));
    match written.map(serde_json::from_value) {
        Some(Ok(Paying::Own(own))) => {
            let budget = Budget::with_clock(own.name(name), clock.clone())?;
            Ok((config.budget(budget.clone()), Some(budget)))
        }
        _ => Ok((config, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16) -> Outcome {
        let status = StatusCode::from_u16(status).expect("a status code");
        judge(&CallError::Refused(status))
    }

    #[test]
    fn only_what_speaks_against_the_provider_is_a_failure() {
        for status in [500, 503, 504, 408, 429, 302] {
            assert_eq!(outcome(status), Outcome::Failure, "{status}");
        }
        for status in [400, 404, 409, 422] {
            assert_eq!(outcome(status), Outcome::Ignored, "{status}");
        }
        assert_eq!(judge(&CallError::Unreachable("nobody is there".into())), Outcome::Failure);
    }

    #[test]
    fn the_budget_of_a_file_is_made_and_none_stays_none() {
        let clock = Clock::system();
        let (_, budget) = pay_from(RetryConfig::default(), "payment", &clock).expect("a good budget");
        assert_eq!(budget.map(|budget| budget.name().to_string()).as_deref(), Some("payment"));
        let (_, budget) = pay_from(RetryConfig::default().without_budget(), "payment", &clock).expect("no budget");
        assert!(budget.is_none());
    }
}
