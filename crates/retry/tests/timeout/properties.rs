use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use seawall_core::Deadline;
use seawall_core::time::Timestamp;

use crate::timeout;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/timeout/regressions.txt"))),
        ..ProptestConfig::default()
    })]

    /// Whatever the call waits for and however time moves, it is never polled a second time once its time is over,
    /// never before that given up, and polled at all only where there is time left.
    #[test]
    fn a_call_never_runs_past_its_limit_and_one_poll(
        own in 1..200_u64,
        deadline in proptest::option::of(0..250_u64),
        start in 0..100_u64,
        // How long the call waits, again and again, until it ends; `None` at the end hangs.
        waits in proptest::collection::vec(0..60_u64, 0..8),
        hangs in any::<bool>(),
        // How time moves between two looks at the executor.
        steps in proptest::collection::vec(1..90_u64, 1..8),
    ) {
        let ns = Duration::from_nanos;
        let (timeout, clock, time) = timeout(ns(own));
        time.advance(ns(start));
        let deadline = deadline.map(|at| Deadline::at(Timestamp::from_nanos(at)));
        let limit = deadline.map_or(start + own, |deadline| deadline.time().as_nanos().min(start + own));
        let late_polls = Cell::new(0);
        let mut call = Box::pin(async {
            for wait in &waits {
                clock.sleep(ns(*wait)).await;
            }
            if hangs {
                std::future::pending::<()>().await;
            }
        });
        let late_polls = &late_polls;
        let clock = &clock;
        let watched = std::future::poll_fn(move |cx| {
            late_polls.set(late_polls.get() + u32::from(clock.now().as_nanos() >= limit));
            call.as_mut().poll(cx)
        });
        let mut timed = pin!(match deadline {
            Some(deadline) => timeout.run_until(deadline, watched),
            None => timeout.run(watched),
        });

        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(flag.clone());
        let mut steps = steps.into_iter().cycle();
        let ended = loop {
            if flag.0.swap(false, Ordering::SeqCst)
                && let Poll::Ready(ended) = timed.as_mut().poll(&mut Context::from_waker(&waker))
            {
                break ended;
            }
            prop_assert!(clock.now().as_nanos() < limit, "it is out after its time, and nothing woke it");
            time.advance(ns(steps.next().expect("there is one")));
        };
        let now = clock.now().as_nanos();
        prop_assert!(late_polls.get() <= 1);
        match ended {
            Ok(()) => prop_assert!(!hangs),
            Err(timed_out) => {
                prop_assert!(now >= limit, "it was given up {} ns early", limit - now);
                prop_assert_eq!(timed_out.after(), ns(now - start));
                let at_once = deadline.is_some_and(|deadline| deadline.time().as_nanos() <= start);
                prop_assert_eq!(timed_out.after().is_zero(), at_once);
                prop_assert_eq!(timed_out.is_deadline(), deadline.is_some() && limit <= start + own
                    && deadline.map(|deadline| deadline.time().as_nanos()) == Some(limit));
                prop_assert!(!at_once || late_polls.get() == 0, "it was polled although its deadline had passed");
            }
        }
        prop_assert_eq!(time.next_wake(), None, "a timer is left");
    }
}
