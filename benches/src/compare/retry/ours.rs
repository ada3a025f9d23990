//! Our retry, timeout and hedge, through the front doors that users call.

use seawall_retry::{Config, Deposits, Hedge, HedgeConfig, HedgeDelay, Retry, Timeout, TimeoutConfig};
use tower::Layer;

use super::operation::{
    ATTEMPTS, FOREVER, FREE_PER_SECOND, QUANTILE, RATIO, TTL, WAIT, WARM_UP, failing_service, service, succeed,
};
use crate::harness::{Lane, Mismatch, Subject, Tally, drive_sync, poll_to_end, serve};

/// A tower layer without budget.
pub(super) fn layer_unlimited() -> Subject {
    subject(config().without_budget(), |retry| serve(retry.layer().layer(service())))
}

/// A tower layer whose further attempts are paid from deposits.
pub(super) fn layer_deposits() -> Subject {
    subject(config().budget(deposits()), |retry| serve(retry.layer().layer(service())))
}

/// The same, failing, with a budget that has nothing: not one further attempt is made.
pub(super) fn layer_budget_empty() -> Subject {
    let retry = build(config().budget(Deposits::default().ratio(0.0).per_second(0.0).ttl(TTL)));
    let audited = retry.clone();
    Subject::new(move |_| serve(retry.layer().layer(failing_service()))).audited(move |driven| {
        let total = audited.snapshot().total;
        Mismatch::check("out of budget", driven.refused, total.out_of_budget)?;
        Mismatch::check("retries", 0, total.retries)
    })
}

/// `run` without budget.
pub(super) fn direct_unlimited() -> Subject {
    subject(config().without_budget(), direct)
}

/// `run` with a budget of deposits.
pub(super) fn direct_deposits() -> Subject {
    subject(config().budget(deposits()), direct)
}

/// A tower layer that limits the time of calls.
pub(super) fn layer_timeout() -> Subject {
    timeout_subject(|timeout| serve(timeout.layer().boxed().layer(service())))
}

/// The same without a layer.
pub(super) fn direct_timeout() -> Subject {
    timeout_subject(|timeout| {
        let timeout = timeout.clone();
        drive_sync(move || matches!(poll_to_end(timeout.run(async { succeed() })), Ok(Ok(_))))
    })
}

/// A tower layer that hedges after a fixed delay.
pub(super) fn layer_hedge_fixed() -> Subject {
    hedge_subject(HedgeDelay::from(FOREVER), |hedge| serve(hedge.layer().layer(service())))
}

/// A tower layer that hedges after a delay that follows the calls.
pub(super) fn layer_hedge_measured() -> Subject {
    let delay = HedgeDelay::quantile(QUANTILE.into()).warm_up(WARM_UP);
    hedge_subject(delay, |hedge| serve(hedge.layer().layer(service())))
}

/// Without a layer, after a fixed delay.
pub(super) fn direct_hedge() -> Subject {
    hedge_subject(HedgeDelay::from(FOREVER), |hedge| {
        let hedge = hedge.clone();
        drive_sync(move || poll_to_end(hedge.run(|_| async { succeed() })).is_ok())
    })
}

fn config() -> Config {
    Config::default().name("payment").max_attempts(ATTEMPTS).fixed(WAIT)
}

fn deposits() -> Deposits {
    Deposits::default().ratio(f64::from(RATIO)).per_second(FREE_PER_SECOND.into()).ttl(TTL)
}

fn build(config: Config) -> Retry {
    Retry::new(config).expect("the settings are valid")
}

/// A retry whose first attempts are all good.
fn subject(config: Config, lane: fn(&Retry) -> Lane) -> Subject {
    let retry = build(config);
    let audited = retry.clone();
    Subject::new(move |_| lane(&retry)).audited(move |driven| {
        let total = audited.snapshot().total;
        Mismatch::check("first good", driven.admitted, total.first_good)?;
        Mismatch::check("retries", 0, total.retries)
    })
}

fn direct(retry: &Retry) -> Lane {
    let retry = retry.clone();
    drive_sync(move || matches!(poll_to_end(retry.run(|_| async { succeed() })), Ok(Ok(_))))
}

fn timeout_subject(lane: fn(&Timeout) -> Lane) -> Subject {
    let timeout = Timeout::new(TimeoutConfig::new(FOREVER).name("payment")).expect("the settings are valid");
    let audited = timeout.clone();
    Subject::new(move |_| lane(&timeout))
        .audited(move |driven: &Tally| Mismatch::check("in time", driven.admitted, audited.snapshot().total.in_time))
}

fn hedge_subject(delay: HedgeDelay, lane: fn(&Hedge) -> Lane) -> Subject {
    let config = HedgeConfig::default().name("payment").delay(delay).without_budget();
    let hedge = Hedge::new(config).expect("the settings are valid");
    let audited = hedge.clone();
    Subject::new(move |_| lane(&hedge)).audited(move |driven| {
        let total = audited.snapshot().total;
        Mismatch::check("answered by the first", driven.admitted, total.first + total.hedge)
    })
}
