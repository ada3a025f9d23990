//! Payments as the service makes them: each within its time, and none while the provider is known to be down.

use std::time::Duration;

use axum::http::StatusCode;
use seawall_core::Outcome;

use super::client::{Charge, ChargeError, Client, Receipt};
use crate::breakers::{Dependency, Unanswered};
use crate::metrics::{Attempt, PaymentFigures};

/// Pays through a timeout and a circuit breaker.
///
/// There is no retry here: the caller's order is accepted with its payment pending, and [`Redrive`](super::Redrive)
/// collects it later, at its own pace.
#[derive(Clone, Debug)]
pub(crate) struct Payments {
    client: Client,
    provider: Dependency,
    patience: Duration,
    figures: PaymentFigures,
}

/// Why an order is not paid yet.
pub(crate) type Unpaid = Unanswered<ChargeError>;

impl Payments {
    /// Payments with `client`, behind the protection of `provider`. A caller waits at most `patience` for one.
    pub(crate) fn new(client: Client, provider: Dependency, patience: Duration, figures: PaymentFigures) -> Self {
        let patience = patience.min(provider.timeout());
        Self { client, provider, patience, figures }
    }

    /// The longest that a payment takes.
    pub(crate) fn timeout(&self) -> Duration {
        self.provider.timeout()
    }

    /// The longest that a caller waits for one.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Has the provider collect `charge`, which it does once however often it is asked.
    pub(crate) async fn collect(&self, charge: &Charge) -> Result<Receipt, Unpaid> {
        self.collect_within(self.timeout(), charge).await
    }

    /// The same for a caller who waits. A provider that answers later than callers wait is as good as down for them, so
    /// giving up counts as a failure: soon nobody waits any more.
    pub(crate) async fn collect_for_caller(&self, charge: &Charge) -> Result<Receipt, Unpaid> {
        self.collect_within(self.patience, charge).await
    }

    async fn collect_within(&self, limit: Duration, charge: &Charge) -> Result<Receipt, Unpaid> {
        let result = self.provider.call_within(limit, self.client.charge(charge), judge).await;
        self.figures.note(match &result {
            Ok(_) => Attempt::Succeeded,
            Err(Unanswered::Refused(_)) => Attempt::Refused,
            Err(Unanswered::TimedOut(_)) => Attempt::TimedOut,
            Err(Unanswered::Failed(_)) => Attempt::Failed,
        });
        result
    }
}

/// What an error tells about the provider: one that finds fault with the request is at least there.
fn judge(error: &ChargeError) -> Outcome {
    match error {
        ChargeError::Refused(status) if faults_the_request(*status) => Outcome::Ignored,
        _ => Outcome::Failure,
    }
}

fn faults_the_request(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT && status != StatusCode::TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16) -> Outcome {
        let status = StatusCode::from_u16(status).expect("a status code");
        judge(&ChargeError::Refused(status))
    }

    #[test]
    fn only_what_speaks_against_the_provider_is_a_failure() {
        for status in [500, 503, 408, 429, 302] {
            assert_eq!(outcome(status), Outcome::Failure, "{status}");
        }
        for status in [400, 404, 409, 422] {
            assert_eq!(outcome(status), Outcome::Ignored, "{status}");
        }
        assert_eq!(judge(&ChargeError::Unreachable("nobody is there".into())), Outcome::Failure);
    }
}
