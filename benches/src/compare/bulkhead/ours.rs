//! Our bulkhead, through the front doors that users call.

use seawall_bulkhead::{Bulkhead, Claim, Claiming, Config};
use tower::Layer;

use super::super::service::service;
use crate::harness::{Lane, Mismatch, Subject, drive_sync, serve};

/// More permits than are ever used at once.
pub(super) const PLENTY: u32 = 1_000;

/// A permit is taken and dropped.
pub(super) fn admit() -> Subject {
    admitting(build(PLENTY), |bulkhead| {
        let bulkhead = bulkhead.clone();
        drive_sync(move || bulkhead.try_admit().is_ok())
    })
}

/// A permit that owns its bulkhead is taken and dropped.
pub(super) fn admit_owned() -> Subject {
    admitting(build(PLENTY), |bulkhead| {
        let bulkhead = bulkhead.clone();
        drive_sync(move || bulkhead.try_admit_owned().is_ok())
    })
}

/// Three permits are taken at once and dropped.
pub(super) fn admit_three() -> Subject {
    admitting(build(PLENTY), |bulkhead| {
        let claims = Claiming::directly(bulkhead);
        drive_sync(move || claims.with(&Claim::new().permits(3)).try_admit().is_ok())
    })
}

/// Everything is in use.
pub(super) fn refuse() -> Subject {
    refusing(|bulkhead| {
        let bulkhead = bulkhead.clone();
        drive_sync(move || bulkhead.try_admit().is_ok())
    })
}

/// A tower layer with plenty of permits.
pub(super) fn layer() -> Subject {
    admitting(build(PLENTY), layered)
}

/// A tower layer whose permits are all in use.
pub(super) fn layer_refuses() -> Subject {
    refusing(layered)
}

fn layered(bulkhead: &Bulkhead) -> Lane {
    serve(bulkhead.layer().layer(service()))
}

fn build(limit: u32) -> Bulkhead {
    Bulkhead::new(Config::new(limit).name("database")).expect("the settings are valid")
}

pub(super) fn admitting(bulkhead: Bulkhead, lane: fn(&Bulkhead) -> Lane) -> Subject {
    let audited = bulkhead.clone();
    Subject::new(move |_| lane(&bulkhead)).audited(move |driven| {
        let books = audited.snapshot();
        Mismatch::check("admitted", driven.admitted, books.admitted)?;
        Mismatch::check("in flight", 0, books.in_flight)
    })
}

/// Of a bulkhead whose only permit is out for good.
fn refusing(lane: fn(&Bulkhead) -> Lane) -> Subject {
    let bulkhead = build(1);
    std::mem::forget(bulkhead.try_admit().expect("nothing is in flight"));
    let audited = bulkhead.clone();
    Subject::new(move |_| lane(&bulkhead))
        .audited(move |driven| Mismatch::check("refused", driven.refused, audited.snapshot().refused.full))
}
