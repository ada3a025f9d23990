//! What the machine charges anyway: the floors that targets given in nanoseconds are turned into ratios to.
//!
//! A target of 28 ns where the floor took 20 ns when the target was set becomes 28 / 20 of the floor of this very run: the
//! machine's speed cancels out.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quanta::Clock;

use super::drive::drive_sync;
use super::subject::{Lane, Mismatch, Subject};

/// One reading of the time-stamp counter.
pub fn tsc_read() -> Subject {
    Subject::new(|_| {
        let clock = Clock::new();
        drive_sync(move || {
            black_box(clock.raw());
            true
        })
    })
}

/// One uncontended read-modify-write on a cache line of the thread's own.
pub fn atomic_add() -> Subject {
    striped(|stripe| {
        drive_sync(move || {
            stripe.0.fetch_add(1, Ordering::Relaxed);
            true
        })
    })
}

/// What a call cannot do without if it is to know its own duration and to be counted: two readings, and an addition by the
/// only thread that ever writes its stripe, which needs no read-modify-write.
pub fn two_tsc_reads_and_striped_add() -> Subject {
    striped(|stripe| {
        let clock = Clock::new();
        drive_sync(move || {
            let began = clock.raw();
            let ended = clock.raw();
            stripe.add_alone(u64::from(ended >= began));
            true
        })
    })
}

/// The same with a read-modify-write, which also delays the reading of the counter that comes next.
pub fn two_tsc_reads_and_atomic_add() -> Subject {
    striped(|stripe| {
        let clock = Clock::new();
        drive_sync(move || {
            let began = clock.raw();
            let ended = clock.raw();
            stripe.0.fetch_add(u64::from(ended >= began), Ordering::Relaxed);
            true
        })
    })
}

/// Two lines: adjacent lines are fetched in pairs.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Stripe(AtomicU64);

impl Stripe {
    /// For the only thread that writes.
    fn add_alone(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }
}

/// A subject with one stripe per lane and their sum as its books.
fn striped(lane: impl Fn(Arc<Stripe>) -> Lane + Send + Sync + 'static) -> Subject {
    let stripes: [Arc<Stripe>; 2] = Default::default();
    let books = stripes.clone();
    Subject::new(move |thread| lane(Arc::clone(&stripes[thread]))).audited(move |driven| {
        let counted = books.iter().map(|stripe| stripe.0.load(Ordering::Relaxed)).sum();
        Mismatch::check("additions", driven.calls(), counted)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Tally;
    use super::*;

    #[test]
    fn additions_are_audited() {
        for build in [atomic_add, two_tsc_reads_and_striped_add, two_tsc_reads_and_atomic_add] {
            let subject = build();
            let driven: Tally = [subject.lane(0)(1_000), subject.lane(1)(500)].into_iter().sum();
            assert_eq!(driven.admitted, 1_500);
            assert_eq!(subject.audit(&driven), Ok(()));
            assert!(subject.audit(&Tally::default()).is_err());
        }
    }
}
