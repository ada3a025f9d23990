//! tokio's semaphore, tower's concurrency limit and tower-resilience's bulkhead.

use std::future::pending;
use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::sync::Semaphore;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{Layer, Service, service_fn};
use tower_resilience_bulkhead::BulkheadLayer;

use super::super::service::{Failure, service};
use super::ours::PLENTY;
use crate::harness::{Lane, Mismatch, Subject, drive_sync, serve};

/// A permit is taken and dropped.
pub(super) fn tokio_try() -> Subject {
    semaphore(PLENTY as usize, |semaphore| drive_sync(move || semaphore.try_acquire().is_ok()))
}

/// A permit that owns its semaphore is taken and dropped.
pub(super) fn tokio_owned() -> Subject {
    semaphore(PLENTY as usize, |semaphore| drive_sync(move || semaphore.clone().try_acquire_owned().is_ok()))
}

/// Three permits are taken at once and dropped.
pub(super) fn tokio_three() -> Subject {
    semaphore(PLENTY as usize, |semaphore| drive_sync(move || semaphore.try_acquire_many(3).is_ok()))
}

/// Everything is in use.
pub(super) fn tokio_refuses() -> Subject {
    semaphore(0, |semaphore| drive_sync(move || semaphore.try_acquire().is_ok()))
}

fn semaphore(permits: usize, lane: fn(Arc<Semaphore>) -> Lane) -> Subject {
    let semaphore = Arc::new(Semaphore::new(permits));
    let audited = semaphore.clone();
    Subject::new(move |_| lane(semaphore.clone()))
        .audited(move |_| Mismatch::check("free", permits, audited.available_permits()))
}

/// tower's layer, whose services share one semaphore as ours do.
pub(super) fn tower_limit() -> Subject {
    let semaphore = Arc::new(Semaphore::new(PLENTY as usize));
    let layer = GlobalConcurrencyLimitLayer::with_semaphore(semaphore.clone());
    Subject::new(move |_| serve(layer.layer(service())))
        .audited(move |_| Mismatch::check("free", PLENTY as usize, semaphore.available_permits()))
}

/// tower-resilience, which refuses when full.
pub(super) fn resilience_layer() -> Subject {
    let layer = BulkheadLayer::builder().max_concurrent_calls(PLENTY as usize).reject_when_full();
    let (layer, handle) = layer.build_with_handle().expect("the settings are valid");
    let service = layer.layer(service());
    Subject::new(move |_| serve(service.clone()))
        .audited(move |_| Mismatch::check("in flight", 0, handle.active_calls()))
}

/// tower-resilience, whose only permit is held by a call that never ends.
pub(super) fn resilience_refuses() -> Subject {
    let layer = BulkheadLayer::builder().max_concurrent_calls(1).reject_when_full();
    let (layer, _) = layer.build_with_handle().expect("the settings are valid");
    let mut held = layer.layer(service_fn(|_: u64| pending::<Result<u64, Failure>>()));
    let mut call = held.call(0);
    // It asks for a timer, even though it refuses at once.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    std::mem::forget(call);
    let service = layer.layer(service());
    Subject::new(move |_| serve(service.clone()))
}
