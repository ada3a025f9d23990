//! Payments as the service makes them: each within its time, and none while the provider is known to be down.

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use seawall_circuit_breaker::{CircuitBreaker, Open};
use seawall_core::Report;
use seawall_core::time::Clock;

use super::client::{Charge, ChargeError, Client, Receipt};
use crate::clock::{Elapsed, timeout};
use crate::metrics::{Attempt, PaymentFigures};

/// Pays through a timeout and a circuit breaker.
///
/// There is no retry here: the caller's order is accepted with its payment pending, and [`Redrive`](super::Redrive)
/// collects it later, at its own pace.
#[derive(Clone, Debug)]
pub(crate) struct Payments {
    client: Client,
    breaker: CircuitBreaker,
    limit: Duration,
    clock: Clock,
    figures: PaymentFigures,
}

/// Why an order is not paid yet.
#[derive(Debug)]
pub(crate) enum Unpaid {
    /// The provider was not asked: too many payments failed lately.
    Open(Open),
    /// The provider did not answer in time. It may have collected all the same.
    TimedOut(Duration),
    /// The provider gave no receipt.
    Failed(ChargeError),
}

impl Payments {
    /// Payments with `client`, each within `limit`.
    pub(crate) fn new(
        client: Client,
        breaker: CircuitBreaker,
        limit: Duration,
        clock: Clock,
        figures: PaymentFigures,
    ) -> Self {
        Self { client, breaker, limit, clock, figures }
    }

    /// The longest that a payment takes.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// What decides whether the provider is asked.
    pub(crate) fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Has the provider collect `charge`, which it does once however often it is asked.
    pub(crate) async fn collect(&self, charge: &Charge) -> Result<Receipt, Unpaid> {
        let result = match self.breaker.run_classified(self.charge_in_time(charge), judge).await {
            Ok(result) => result,
            Err(open) => Err(Unpaid::Open(open)),
        };
        self.figures.note(match &result {
            Ok(_) => Attempt::Succeeded,
            Err(Unpaid::Open(_)) => Attempt::Refused,
            Err(Unpaid::TimedOut(_)) => Attempt::TimedOut,
            Err(Unpaid::Failed(_)) => Attempt::Failed,
        });
        result
    }

    async fn charge_in_time(&self, charge: &Charge) -> Result<Receipt, Unpaid> {
        match timeout(&self.clock, self.limit, self.client.charge(charge)).await {
            Ok(result) => result.map_err(Unpaid::Failed),
            Err(Elapsed) => Err(Unpaid::TimedOut(self.limit)),
        }
    }
}

/// What a payment's end tells about the provider: one that finds fault with the request is at least there.
fn judge(result: &Result<Receipt, Unpaid>) -> Report<'_> {
    match result {
        Ok(_) => Report::success(),
        Err(error @ Unpaid::Failed(ChargeError::Refused(status))) if faults_the_request(*status) => {
            Report::ignored().because(error)
        }
        Err(error) => Report::failure().because(error),
    }
}

fn faults_the_request(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT && status != StatusCode::TOO_MANY_REQUESTS
}

impl fmt::Display for Unpaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(open) => open.fmt(f),
            Self::TimedOut(limit) => {
                write!(f, "the payment provider did not answer within {}", humantime::format_duration(*limit))
            }
            Self::Failed(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use seawall_core::Outcome;

    use super::*;

    fn outcome(status: u16) -> Outcome {
        let status = StatusCode::from_u16(status).expect("a status code");
        judge(&Err(Unpaid::Failed(ChargeError::Refused(status)))).outcome()
    }

    #[test]
    fn only_what_speaks_against_the_provider_is_a_failure() {
        for status in [500, 503, 408, 429, 302] {
            assert_eq!(outcome(status), Outcome::Failure, "{status}");
        }
        for status in [400, 404, 409, 422] {
            assert_eq!(outcome(status), Outcome::Ignored, "{status}");
        }
        assert_eq!(judge(&Err(Unpaid::TimedOut(Duration::from_secs(1)))).outcome(), Outcome::Failure);
        assert_eq!(judge(&Ok(Receipt { charge_id: "charge-1".to_owned() })).outcome(), Outcome::Success);
    }
}
