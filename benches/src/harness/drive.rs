//! The loops around a call: the same for ours and for every peer.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Runtime};
use tower::Service;

use super::subject::{Lane, Tally};

/// A lane that makes one synchronous call after the other; `call` tells whether it was admitted.
pub fn drive_sync(mut call: impl FnMut() -> bool + 'static) -> Lane {
    Box::new(move |calls| {
        let mut admitted = 0;
        for _ in 0..calls {
            admitted += u64::from(call());
        }
        Tally { admitted, refused: calls - admitted }
    })
}

/// Runs a future that is never pending, without a runtime.
///
/// # Panics
///
/// If the future is pending.
pub fn poll_to_end<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a path that never waits was pending"),
    }
}

/// A lane that makes one call after the other through a tower service: readiness, then the call, each time.
///
/// It runs inside a current-thread tokio runtime with a timer, because some peers sleep when they contend. All calls of a
/// round share one `block_on`.
pub fn serve<S>(mut service: S) -> Lane
where
    S: Service<u64> + 'static,
    S::Response: 'static,
{
    let runtime = runtime();
    Box::new(move |calls| {
        runtime.block_on(async {
            let mut admitted = 0;
            for request in 0..calls {
                let ready = poll_fn(|context| service.poll_ready(context)).await;
                let answered = match ready {
                    Ok(()) => service.call(black_box(request)).await.map(black_box).is_ok(),
                    Err(_) => false,
                };
                admitted += u64::from(answered);
            }
            Tally { admitted, refused: calls - admitted }
        })
    })
}

/// A current-thread runtime with a timer.
fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a current-thread runtime needs no resources that can be exhausted here")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{pending, ready};

    use tower::service_fn;

    use super::*;

    #[test]
    fn a_lane_counts_both_endings() {
        let mut turn = 0;
        let mut lane = drive_sync(move || {
            turn += 1;
            turn % 3 == 0
        });
        let tally = lane(9);
        assert_eq!((tally.admitted, tally.refused), (3, 6));
    }

    #[test]
    fn a_service_gets_every_call() {
        let mut lane = serve(service_fn(|request| ready(if request < 4 { Ok(request) } else { Err(()) })));
        let tally = lane(10);
        assert_eq!((tally.admitted, tally.refused), (4, 6));
        let mut lane = serve(service_fn(|request: u64| ready(Ok::<_, Infallible>(request))));
        assert_eq!(lane(10).admitted, 10);
    }

    #[test]
    #[should_panic(expected = "was pending")]
    fn a_pending_future_is_a_fault_of_the_contest() {
        poll_to_end(pending::<()>());
    }
}
