//! The bulkhead against tokio's semaphore, tower's concurrency limit, tower-resilience and `tower-acc`.
//!
//! All sides have a thousand permits and use one or two at once, or one permit that is taken. Ours counts what it admits and
//! refuses, and can be resized while it runs; tokio's and tower's do not count.

mod adaptive;
mod ours;
mod peers;

use crate::harness::Expected::{AllAdmitted, AllRefused};
use crate::harness::{Contest, Expected, Subject, tsc_read};

fn contest(path: &'static str, expected: Expected, ours: fn() -> Subject) -> Contest {
    Contest::new("bulkhead", path, expected, ours)
}

pub(super) fn contests() -> Vec<Contest> {
    vec![
        contest("admit and drop", AllAdmitted, ours::admit).at_most(0.75, 0.25, "tokio Semaphore", peers::tokio_try),
        contest("admit and drop, owned", AllAdmitted, ours::admit_owned).at_most(
            0.7,
            0.2,
            "tokio Semaphore, owned",
            peers::tokio_owned,
        ),
        contest("admit three permits and drop", AllAdmitted, ours::admit_three)
            .against("tokio Semaphore", peers::tokio_three),
        // 15 ns where a reading of the time-stamp counter takes 10.
        contest("refuse", AllRefused, ours::refuse)
            .at_most(1.5, 1.5, "tsc-read", refused_tsc_read)
            .against("tokio Semaphore", peers::tokio_refuses),
        contest("tower layer", AllAdmitted, ours::layer)
            .at_most(1.0, 0.25, "tower ConcurrencyLimit", peers::tower_limit)
            .against("tower-resilience", peers::resilience_layer),
        contest("tower layer, refuse", AllRefused, ours::layer_refuses)
            .against("tower-resilience", peers::resilience_refuses),
        // 50 ns where a reading of the time-stamp counter takes 10.
        contest("adaptive, on sample, Vegas", AllAdmitted, adaptive::vegas_samples)
            .at_most(5.0, 5.0, "tsc-read", tsc_read),
        contest("adaptive, on sample, Gradient2", AllAdmitted, adaptive::gradient2_samples)
            .at_most(5.0, 5.0, "tsc-read", tsc_read),
        contest("adaptive, admit and finish", AllAdmitted, adaptive::admit),
        contest("adaptive, tower layer, AIMD", AllAdmitted, adaptive::layer_aimd)
            .against("tower-resilience", adaptive::resilience_aimd)
            .against("tower-acc", adaptive::acc_aimd),
        contest("adaptive, tower layer, Vegas", AllAdmitted, adaptive::layer_vegas)
            .against("tower-resilience", adaptive::resilience_vegas)
            .against("tower-acc", adaptive::acc_vegas),
    ]
}

/// The floor under a path on which every call is refused.
fn refused_tsc_read() -> Subject {
    Subject::new(|_| {
        let clock = quanta::Clock::new();
        crate::harness::drive_sync(move || {
            std::hint::black_box(clock.raw());
            false
        })
    })
}
