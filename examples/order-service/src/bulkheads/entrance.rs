//! The way through a bulkhead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seawall_bulkhead::{Bulkhead, Claim, Claiming, Config};
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Rejection, Shared};

/// Calls that say for themselves how much they matter and until when they wait.
pub(crate) type Claims = Shared<Claiming<fn(&Claim) -> Claim>>;

/// The way through a bulkhead, for calls that each have a priority and a deadline of their own. Clones share the bulkhead.
///
/// A request's deadline is far away, and the bulkhead itself lets a call wait until then: no longer than its `max_wait` does one
/// wait who comes through here, and one whose turn is expected later is refused at once.
#[derive(Clone, Debug)]
pub struct Entrance {
    claims: Claims,
    /// Nanoseconds.
    max_wait: Arc<AtomicU64>,
}

impl Entrance {
    /// The way through a new bulkhead.
    ///
    /// # Errors
    /// Names the field of `config` whose value cannot be.
    pub fn new(config: Config, clock: Clock) -> Result<Self, ConfigError> {
        let max_wait = nanos(config.get_max_wait());
        let bulkhead = Bulkhead::with_clock(config, clock)?;
        Ok(Self { claims: Claiming::directly(&bulkhead), max_wait: Arc::new(AtomicU64::new(max_wait)) })
    }

    /// The bulkhead.
    pub fn bulkhead(&self) -> &Bulkhead {
        self.claims.bulkhead()
    }

    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// How long a call waits at most.
    pub fn max_wait(&self) -> Duration {
        Duration::from_nanos(self.max_wait.load(Ordering::Relaxed))
    }

    /// Takes over `config`; those who wait already do so as long as they were told.
    pub(super) fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        let max_wait = nanos(config.get_max_wait());
        self.bulkhead().reconfigure(config)?;
        self.max_wait.store(max_wait, Ordering::Relaxed);
        Ok(())
    }

    /// Does `work` once there is room for it.
    ///
    /// # Errors
    /// When there is none in time; `work` was then not polled.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the line, or gives the permit back.
    pub async fn run<F: Future>(&self, claim: Claim, work: F) -> Result<F::Output, Rejection> {
        let permit = self.claims.with(&claim).admit_within(self.max_wait()).await?;
        let done = work.await;
        permit.success();
        Ok(done)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures_util::FutureExt;
    use seawall_core::time::Timestamp;

    use super::*;

    fn entrance() -> (Entrance, seawall_core::time::ManualTime) {
        let (clock, time) = Clock::manual();
        let config = Config::new(1).queue(4).max_wait(Duration::from_secs(1));
        (Entrance::new(config, clock).expect("a good configuration"), time)
    }

    #[test]
    fn a_deadline_that_is_far_away_lets_nobody_wait_longer_than_the_bulkhead_does() {
        let (entrance, time) = entrance();
        let _held = entrance.bulkhead().try_admit().expect("it is empty");
        for claim in [Claim::new(), Claim::new().until(Some(Timestamp::NEVER))] {
            let mut waiting = Box::pin(entrance.run(claim, ready(())));
            assert!((&mut waiting).now_or_never().is_none());
            time.advance(Duration::from_millis(999));
            assert!((&mut waiting).now_or_never().is_none());
            time.advance(Duration::from_millis(1));
            let refused = (&mut waiting).now_or_never().expect("its time is over").expect_err("no room");
            assert_eq!(refused.reason(), "timed_out");
        }
    }

    #[test]
    fn a_turn_that_is_expected_after_the_deadline_is_not_waited_for() {
        const CLAIM: Claim = Claim::new();
        let (entrance, time) = entrance();
        let mut held = entrance.claims().with(&CLAIM).try_admit().ok();
        let late = |now: Timestamp| Claim::new().until(Some(now + Duration::from_millis(300)));
        let mut line: Vec<_> =
            (0..2).map(|_| Box::pin(entrance.claims().with(&CLAIM).admit_within(Duration::from_mins(1)))).collect();
        assert!(line.iter_mut().all(|turn| turn.as_mut().now_or_never().is_none()));
        for _ in 0..10 {
            time.advance(Duration::from_millis(200));
            drop(held.take());
            let turn = line.remove(0).now_or_never().expect("its turn has come");
            held = turn.ok();
            let mut next = Box::pin(entrance.claims().with(&CLAIM).admit_within(Duration::from_mins(1)));
            assert!(next.as_mut().now_or_never().is_none());
            line.push(next);
        }
        let refused = entrance.run(late(time.now()), async { panic!("polled") }).now_or_never();
        assert_eq!(refused.expect("at once").expect_err("two turns of 200ms").reason(), "too_late");
    }

    #[test]
    fn another_longest_wait_holds_for_those_who_come_then() {
        let (entrance, time) = entrance();
        let _held = entrance.bulkhead().try_admit().expect("it is empty");
        let mut before = Box::pin(entrance.run(Claim::new(), ready(())));
        assert!((&mut before).now_or_never().is_none());
        let config = Config::new(1).queue(4).max_wait(Duration::from_millis(10));
        entrance.reconfigure(config).expect("a good configuration");
        let mut after = Box::pin(entrance.run(Claim::new(), ready(())));
        assert!((&mut after).now_or_never().is_none());
        time.advance(Duration::from_millis(10));
        assert!((&mut after).now_or_never().is_some_and(|ended| ended.is_err()));
        assert!((&mut before).now_or_never().is_none());

        let error = entrance.reconfigure(Config::new(0).max_wait(Duration::from_secs(9))).expect_err("no limit");
        assert_eq!(error.field(), "limit");
        assert_eq!((entrance.max_wait(), entrance.bulkhead().limit()), (Duration::from_millis(10), 1));
    }
}
