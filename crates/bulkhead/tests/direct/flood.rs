//! Many threads at once: no permit is lost or made, and nobody waits for ever.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use seawall_bulkhead::{Bulkhead, Claiming, CoDel, Config, Order};
use seawall_core::{Claim, Priority};

use crate::SECOND;

const THREADS: u32 = 8;
const CALLS: u32 = 2_000;

fn flood(config: Config) {
    let bulkhead = Bulkhead::new(config).expect("valid");
    let claims = Claiming::directly(&bulkhead);
    let in_use = AtomicU32::new(0);
    let (asked, admitted, refused) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (bulkhead, claims, in_use) = (&bulkhead, &claims, &in_use);
            let (asked, admitted, refused) = (&asked, &admitted, &refused);
            scope.spawn(move || {
                for call in 0..CALLS {
                    let draw = thread.wrapping_mul(2_654_435_761).wrapping_add(call.wrapping_mul(40_503)) >> 7;
                    let permits = 1 + draw % 2;
                    let priority = Priority::ALL[usize::try_from(draw % 4).expect("small")];
                    let claim = Claim::new().permits(permits).priority(priority);
                    asked.fetch_add(1, Ordering::Relaxed);
                    let admission = match draw % 5 {
                        0 => claims.with(&claim).try_admit(),
                        1 => claims.with(&claim).admit_blocking(Duration::from_micros(50)),
                        _ => claims.with(&claim).admit_blocking(60 * SECOND),
                    };
                    match admission {
                        Ok(permit) => {
                            let used = in_use.fetch_add(permits, Ordering::SeqCst) + permits;
                            assert!(used <= 4, "{used} permits are in use, and there never were more than four");
                            admitted.fetch_add(1, Ordering::Relaxed);
                            if draw % 7 == 0 {
                                std::thread::yield_now();
                            }
                            in_use.fetch_sub(permits, Ordering::SeqCst);
                            permit.success();
                        }
                        Err(full) => {
                            assert!(full.reason() != seawall_bulkhead::Reason::TooLarge, "{full}");
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    if call % 50 == 0 {
                        bulkhead.resize(2 + draw % 3).expect("valid");
                    }
                }
            });
        }
    });
    bulkhead.resize(3).expect("valid");
    let snapshot = bulkhead.snapshot();
    assert_eq!((snapshot.in_flight, snapshot.queued, bulkhead.available()), (0, 0, 3), "{snapshot:?}");
    assert_eq!(snapshot.admitted, admitted.into_inner());
    assert_eq!(snapshot.refused.total(), refused.into_inner());
    assert_eq!(snapshot.admitted + snapshot.refused.total(), asked.into_inner());
}

#[test]
fn permits_are_conserved_and_every_call_ends() {
    flood(Config::new(4).queue(3));
    flood(Config::new(4).queue(usize::MAX).aging(Duration::from_micros(10)));
    let micros = Duration::from_micros;
    let lifo = Order::AdaptiveLifo { after: micros(20) };
    flood(Config::new(4).queue(100).order(lifo).codel(CoDel::new(micros(5), micros(20))));
}
