//! Whatever an attempt does and however long it takes: attempts, waits and time stay within their bounds.

use std::cell::RefCell;
use std::time::Duration;

use proptest::prelude::*;
use seawall_core::random::Random;
use seawall_core::time::Timestamp;
use seawall_core::{Deadline, Jitter};
use seawall_retry::{Attempt, Config, Retry, Verdict};
use seawall_testkit::exec::Executor;

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
struct Plan {
    max_attempts: u32,
    shape: u8,
    initial: u32,
    more: u32,
    jitter: Jitter,
    attempt_timeout: Option<u32>,
    within: Option<u32>,
    until: Option<u32>,
    max_hint: u32,
}

impl Plan {
    fn max(&self) -> Duration {
        (self.initial + self.more) * MS
    }

    fn config(&self) -> Config {
        let (initial, max) = (self.initial * MS, self.max());
        let config = Config::default().without_budget().max_attempts(self.max_attempts).max_hint(self.max_hint * MS);
        let config = match self.shape {
            0 => config.fixed(initial),
            1 => config.linear(initial, 3 * MS, max),
            2 => config.exponential(initial, 2.0, max),
            _ => config.decorrelated(initial.max(MS), max.max(MS)),
        };
        let config = config.jitter(self.jitter);
        let config = self.attempt_timeout.map_or(config.clone(), |timeout| config.attempt_timeout(timeout * MS));
        self.within.map_or(config.clone(), |within| config.within(within * MS))
    }

    /// When the call must be over.
    fn end(&self) -> Option<Timestamp> {
        self.within.into_iter().chain(self.until).min().map(|ms| Timestamp::ZERO + ms * MS)
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    let jitter =
        prop_oneof![Just(Jitter::None), Just(Jitter::Equal), Just(Jitter::Full), (0_u8..=100).prop_map(Jitter::Spread)];
    let limit = |most: u32| prop::option::of(1..most);
    (1_u32..6, 0_u8..4, 0_u32..30, 0_u32..60, jitter, limit(20), limit(100), limit(100), 0_u32..40).prop_map(
        |(max_attempts, shape, initial, more, jitter, attempt_timeout, within, until, max_hint)| Plan {
            max_attempts,
            shape,
            initial,
            more,
            jitter,
            attempt_timeout,
            within,
            until,
            max_hint,
        },
    )
}

/// What an attempt does: how long it takes, and what it is worth.
type Act = (u32, Verdict);

fn act() -> impl Strategy<Value = Act> {
    let verdict = prop_oneof![
        1 => Just(Verdict::good()),
        1 => Just(Verdict::is_final()),
        5 => Just(Verdict::again()),
        1 => Just(Verdict::refused()),
        2 => (0_u32..60).prop_map(|ms| Verdict::again().after(ms * MS)),
    ];
    (0_u32..25, verdict)
}

#[derive(Clone, Copy, Debug)]
struct Made {
    began: Timestamp,
    ended: Option<Timestamp>,
    verdict: Verdict,
    promised: Option<Timestamp>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn attempts_waits_and_time_stay_within_their_bounds(plan in plan(), acts in prop::collection::vec(act(), 6), seed: u64) {
        let executor = Executor::new(seed);
        let retry = Retry::seeded(plan.config(), executor.clock(), Random::new(seed)).expect("valid");
        let made = RefCell::new(Vec::<Made>::new());
        let attempt = |attempt: Attempt| {
            let (takes, verdict) = acts[attempt.number as usize - 1];
            let clock = executor.clock();
            let promised = attempt.deadline.map(Deadline::time);
            made.borrow_mut().push(Made { began: clock.now(), ended: None, verdict, promised });
            let made = &made;
            async move {
                clock.sleep(takes * MS).await;
                made.borrow_mut().last_mut().expect("it began").ended = Some(clock.now());
                verdict
            }
        };
        let until = plan.until.map(|ms| Deadline::at(Timestamp::ZERO + ms * MS));
        let result = executor.block_on(retry.run_judged(attempt, |verdict: &Verdict| *verdict, until));
        let (made, over) = (made.into_inner(), executor.now());

        prop_assert!(made.len() <= plan.max_attempts as usize);
        if let Some(end) = plan.end() {
            prop_assert!(over <= end, "it was over at {over:?}, not by {end:?}");
        }
        for (one, next) in made.iter().zip(made.iter().skip(1)) {
            let stopped = one.ended.or(one.promised).expect("it ended, or was cut off");
            let wait = next.began.saturating_duration_since(stopped);
            let hint = one.ended.and(one.verdict.wait()).unwrap_or_default();
            prop_assert!(wait >= hint && wait <= plan.max().max(MS).max(hint), "waited {wait:?} between {one:?} and {next:?}");
            prop_assert!(one.ended.is_none() || one.verdict.wants_another());
        }
        let last = made.last().expect("no deadline had passed before");
        match &result {
            Ok(verdict) => {
                prop_assert_eq!(*verdict, last.verdict);
                prop_assert_eq!(last.ended, Some(over), "the result of the last attempt, at once");
            }
            Err(timed_out) => {
                prop_assert_eq!(last.promised, Some(over));
                prop_assert_eq!(timed_out.after(), over.saturating_duration_since(last.began));
                prop_assert_eq!(timed_out.is_deadline(), Some(over) == plan.end() );
            }
        }
        for attempt in &made {
            if let (Some(ended), Some(promised)) = (attempt.ended, attempt.promised) {
                prop_assert!(ended <= promised, "an attempt outlived what it was promised");
            }
        }
    }
}
