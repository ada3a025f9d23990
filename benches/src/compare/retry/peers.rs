//! The peers that are called without tower: backon, and seatbelt in its own `layered` form, which boxes no future.

use std::future::ready;
use std::sync::Arc;
use std::task::Waker;

use backon::{ConstantBuilder, Retryable};
use layered::{Execute, Layer, Service};
use seatbelt::hedging::Hedging;
use seatbelt::retry::Retry;
use seatbelt::timeout::Timeout;
use seatbelt::{RecoveryInfo, ResilienceContext};
use tick::runtime::{ClockDriver, InactiveClock};

use super::operation::{ATTEMPTS, Answer, FOREVER, Failure, WAIT, succeed};
use crate::harness::{Subject, drive_sync, poll_to_end};

/// backon has no instance: its settings are copied into each call.
pub(super) fn backon() -> Subject {
    Subject::new(|_| {
        let backoff = ConstantBuilder::default().with_delay(WAIT).with_max_times(ATTEMPTS as usize - 1);
        drive_sync(move || poll_to_end(async { (|| async { succeed() }).retry(backoff).await }).is_ok())
    })
}

/// seatbelt's retry.
pub(super) fn seatbelt_retry() -> Subject {
    let (context, driver) = context();
    let layer = Retry::layer("payment", &context)
        .clone_input()
        .recovery_with(|answer: &Answer, _| recovery(answer))
        .max_retry_attempts(ATTEMPTS - 1)
        .base_delay(WAIT);
    subject(layer.layer(Execute::new(|_: u64| ready(succeed()))), driver)
}

/// seatbelt's timeout.
pub(super) fn seatbelt_timeout() -> Subject {
    let (context, driver) = context();
    let layer = Timeout::layer("payment", &context).timeout_error(|_| Failure).timeout(FOREVER);
    subject(layer.layer(Execute::new(|_: u64| ready(succeed()))), driver)
}

/// seatbelt's hedging, after a fixed delay.
pub(super) fn seatbelt_hedging() -> Subject {
    let (context, driver) = context();
    let layer = Hedging::layer("payment", &context)
        .clone_input()
        .recovery_with(|answer: &Answer, _| recovery(answer))
        .hedging_delay(FOREVER);
    subject(layer.layer(Execute::new(|_: u64| ready(succeed()))), driver)
}

/// The clock reads the time without its driver, but counts as gone once the driver is.
fn context() -> (ResilienceContext<u64, Answer>, ClockDriver) {
    let (clock, driver) = InactiveClock::default().activate(Waker::noop().clone());
    (ResilienceContext::new(&clock), driver)
}

fn recovery(answer: &Answer) -> RecoveryInfo {
    if answer.is_ok() { RecoveryInfo::never() } else { RecoveryInfo::retry() }
}

fn subject<S>(service: S, driver: ClockDriver) -> Subject
where
    S: Service<u64, Out = Answer> + 'static,
{
    let service = Arc::new((service, driver));
    Subject::new(move |_| {
        let service = Arc::clone(&service);
        drive_sync(move || poll_to_end(service.0.execute(1)).is_ok())
    })
}
