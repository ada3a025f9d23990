//! The peers that are tower layers, around the same service as ours.

use std::sync::Arc;

use tokio::time::{Sleep, sleep};
use tower::hedge::{self, Hedge};
use tower::retry::budget::{Budget, TpsBudget};
use tower::retry::{Policy, Retry};
use tower::timeout::Timeout;
use tower::{Layer, Service};
use tower_resilience_hedge::HedgeLayer;
use tower_resilience_retry::{RetryBudgetBuilder, RetryConfigBuilder, RetryLayer};
use tower_resilience_timelimiter::TimeLimiterLayer;

use super::operation::{
    ATTEMPTS, FOREVER, FREE_PER_SECOND, Failure, QUANTILE, RATIO, TTL, WAIT, WARM_UP, failing_service, service,
};
use crate::harness::{Subject, serve};

/// tower's retry: so many attempts.
pub(super) fn retry_attempts() -> Subject {
    subject(Retry::new(Attempts { left: ATTEMPTS - 1 }, service()))
}

/// tower's retry, paid from its own budget.
pub(super) fn retry_budget() -> Subject {
    let budget = Arc::new(TpsBudget::new(TTL, FREE_PER_SECOND, RATIO));
    subject(Retry::new(Paid { attempts: Attempts { left: ATTEMPTS - 1 }, budget }, service()))
}

/// The same, failing, with a budget that has nothing.
pub(super) fn retry_budget_empty() -> Subject {
    let budget = Arc::new(TpsBudget::new(TTL, 0, 0.0));
    subject(Retry::new(Paid { attempts: Attempts { left: ATTEMPTS - 1 }, budget }, failing_service()))
}

/// tower's timeout.
pub(super) fn timeout() -> Subject {
    subject(Timeout::new(service(), FOREVER))
}

/// tower's hedge. It counts durations in whole milliseconds, behind a mutex.
pub(super) fn hedge() -> Subject {
    Subject::new(|_| serve(Hedge::new(service(), Always, WARM_UP.into(), QUANTILE, TTL)))
}

/// tower-resilience's retry.
pub(super) fn resilience_retry() -> Subject {
    subject(resilience().build().layer(service()))
}

/// tower-resilience's retry, paid from a bucket of tokens.
pub(super) fn resilience_retry_budget() -> Subject {
    let free = f64::from(FREE_PER_SECOND);
    let budget =
        RetryBudgetBuilder::new().token_bucket().tokens_per_second(free).build().expect("the settings are valid");
    subject(resilience().budget(budget).build().layer(service()))
}

/// tower-resilience's time limiter, which drops a call whose time is over.
pub(super) fn resilience_timelimiter() -> Subject {
    let layer = TimeLimiterLayer::builder().timeout_duration(FOREVER).cancel_running_future(true).build();
    subject(layer.layer(service()))
}

/// tower-resilience's hedge.
pub(super) fn resilience_hedge() -> Subject {
    subject(HedgeLayer::builder().delay(FOREVER).max_hedged_attempts(2).build().layer(service()))
}

fn resilience() -> RetryConfigBuilder<u64, u64, Failure> {
    RetryLayer::<u64, u64, Failure>::builder().max_attempts(ATTEMPTS as usize).fixed_backoff(WAIT)
}

fn subject<S>(service: S) -> Subject
where
    S: Service<u64> + Clone + Send + Sync + 'static,
    S::Response: 'static,
{
    Subject::new(move |_| serve(service.clone()))
}

/// So many attempts, and a wait before each but the first.
#[derive(Clone, Copy)]
struct Attempts {
    left: u32,
}

impl<Req: Clone, Res, E> Policy<Req, Res, E> for Attempts {
    type Future = Sleep;

    fn retry(&mut self, _request: &mut Req, result: &mut Result<Res, E>) -> Option<Sleep> {
        if result.is_ok() || self.left == 0 {
            return None;
        }
        self.left -= 1;
        Some(sleep(WAIT))
    }

    fn clone_request(&mut self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }
}

/// The same, each paid for.
#[derive(Clone)]
struct Paid {
    attempts: Attempts,
    budget: Arc<TpsBudget>,
}

impl<Req: Clone, Res, E> Policy<Req, Res, E> for Paid {
    type Future = Sleep;

    fn retry(&mut self, request: &mut Req, result: &mut Result<Res, E>) -> Option<Sleep> {
        if result.is_ok() {
            self.budget.deposit();
            return None;
        }
        if !self.budget.withdraw() {
            return None;
        }
        self.attempts.retry(request, result)
    }

    fn clone_request(&mut self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }
}

/// Every call may be hedged.
#[derive(Clone, Copy)]
struct Always;

impl<Req: Clone> hedge::Policy<Req> for Always {
    fn clone_request(&self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }

    fn can_retry(&self, _request: &Req) -> bool {
        true
    }
}
