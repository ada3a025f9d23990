//! Something outside the process, and how it is called.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use seawall_bulkhead::Claim;
use seawall_circuit_breaker::CircuitBreaker;
use seawall_core::time::{Clock, Now};
use seawall_core::{Both, Deadline, Outcome, Permit, Policy, Rejection, Report, Shared, all};
use seawall_retry::{TimedOut, Timeout};

use crate::bulkheads::{Claims, Entrance};

/// A dependency: each call of it within its time, so many at once, and none while its circuit is open.
///
/// Breaker and bulkhead are one decision: nobody waits for room while the circuit is open, and no probe is held by one who waits.
///
/// ```
/// use order_service::breakers::{Dependency, Preset, Unanswered};
/// use order_service::bulkheads::Entrance;
/// use seawall_bulkhead::{Claim, Config};
/// use seawall_circuit_breaker::CircuitBreaker;
/// use seawall_core::{Outcome, time::Clock};
/// use seawall_retry::{Timeout, TimeoutConfig};
///
/// # async fn ask() -> Result<u32, std::io::Error> { Ok(7) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = Clock::system();
/// let breaker = CircuitBreaker::with_clock(Preset::External.breaker().name("weather"), clock.clone())?;
/// let timeout = Timeout::with_clock(TimeoutConfig::new(Preset::External.timeout()).name("weather"), clock.clone())?;
/// let entrance = Entrance::new(Config::new(10).name("weather").queue(100), clock.clone())?;
/// let weather = Dependency::new(breaker, entrance, timeout, clock);
/// match weather.call(Claim::new(), ask(), |_error| Outcome::Failure).await {
///     Ok(degrees) => println!("{degrees} degrees"),
///     Err(Unanswered::Refused(rejection)) => println!("not asked: {rejection}"),
///     Err(other) => println!("asked in vain: {other}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Dependency {
    breaker: CircuitBreaker,
    entrance: Entrance,
    door: Shared<Door>,
    timeout: Timeout,
    clock: Clock,
}

/// Breaker and bulkhead as one.
type Door = Both<CircuitBreaker, Claims>;

/// A call that may be made.
struct Admitted<'a> {
    permit: Permit<&'a Door>,
    /// Whether there was no room for it at first.
    waited: bool,
}

/// Until when a call is waited for, where that is sooner than its own time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// As long as anybody should have to wait: a dependency that has not answered by then has failed.
    Patience(Deadline),
    /// As long as this caller wants to wait, which tells nothing about the dependency.
    Caller(Deadline),
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered<E> {
    /// It was not asked: too many calls failed lately, somebody keeps the circuit open, or too many calls of it are under way.
    Refused(Rejection),
    /// It did not answer in time. It may have done all the same what it was asked.
    TimedOut(TimedOut),
    /// It answered with an error, or could not be reached.
    Failed(E),
}

impl Dependency {
    /// A dependency whose calls are limited by `timeout`, wait for room at `entrance`, and are refused while `breaker` is open.
    /// All go by `clock`.
    pub fn new(breaker: CircuitBreaker, entrance: Entrance, timeout: Timeout, clock: Clock) -> Self {
        let door = all((breaker.clone(), entrance.claims().clone()));
        Self { breaker, entrance, door, timeout, clock }
    }

    /// What refuses its calls.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.timeout.duration()
    }

    /// Makes one call that claims so much. `judge` says what the dependency's own errors tell about it: one that finds fault with
    /// the question works. A call that takes too long is a failure; the wait for room is no part of it.
    ///
    /// # Errors
    /// When the call was refused, and was then not polled; when it took too long, and was dropped; or its own.
    ///
    /// # Cancel safety
    /// Dropping the future before its end leaves the line, or counts as an abandoned call.
    pub async fn call<T, E: fmt::Display>(
        &self,
        claim: Claim,
        call: impl Future<Output = Result<T, E>>,
        judge: impl Fn(&E) -> Outcome,
    ) -> Result<T, Unanswered<E>> {
        let Admitted { permit, .. } = self.admit(&claim).await.map_err(Unanswered::Refused)?;
        let answer = answered(self.timeout.run(call).await);
        permit.finish(report(&answer, &judge));
        answer
    }

    /// The same for somebody who does not wait for ever, neither for room nor for the answer. One who had to wait for room gave the
    /// dependency less time than is its due: that it was late then tells nothing about it.
    ///
    /// # Errors
    /// As in [`call`](Self::call).
    pub async fn call_until<T, E: fmt::Display>(
        &self,
        until: Until,
        claim: Claim,
        call: impl Future<Output = Result<T, E>>,
        judge: impl Fn(&E) -> Outcome,
    ) -> Result<T, Unanswered<E>> {
        let (Until::Patience(deadline) | Until::Caller(deadline)) = until;
        let claim = claim.earlier(Some(deadline.time()));
        let Admitted { permit, waited } = self.admit(&claim).await.map_err(Unanswered::Refused)?;
        let had_less = waited || matches!(until, Until::Caller(_));
        let answer = answered(self.timeout.run_until(deadline, call).await);
        let tells_nothing = matches!(&answer, Err(Unanswered::TimedOut(late)) if had_less && late.is_deadline());
        permit.finish(if tells_nothing { Report::ignored() } else { report(&answer, &judge) });
        answer
    }

    /// Waits for room, no longer than the bulkhead lets anybody wait.
    async fn admit<'a>(&'a self, claim: &'a Claim) -> Result<Admitted<'a>, Rejection> {
        let mut turn = pin!(self.door.with(claim).admit_within(self.entrance.max_wait()));
        let mut waited = false;
        let admitted = poll_fn(|cx| {
            let polled = turn.as_mut().poll(cx);
            waited |= polled.is_pending();
            polled
        });
        let permit = admitted.await?;
        Ok(Admitted { permit, waited })
    }

    /// Makes a call for somebody who only watches, and waits less than callers do: its end tells the circuit nothing, and it needs
    /// no room, so that a flood of callers blinds nobody who looks after the service.
    ///
    /// # Errors
    /// As in [`call`](Self::call).
    pub async fn look<T, E>(
        &self,
        patience: Duration,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Unanswered<E>> {
        self.ready().map_err(Unanswered::Refused)?;
        answered(self.timeout.run_until(Deadline::after(&self.clock, patience), call).await)
    }

    /// Whether the circuit would refuse every call now.
    ///
    /// # Errors
    /// The refusal.
    pub fn ready(&self) -> Result<(), Rejection> {
        self.breaker.peek(&Now::new(Some(&self.clock))).map_err(Into::into)
    }
}

fn answered<T, E>(result: Result<Result<T, E>, TimedOut>) -> Result<T, Unanswered<E>> {
    result.map_err(Unanswered::TimedOut)?.map_err(Unanswered::Failed)
}

fn report<'a, T, E: fmt::Display>(result: &'a Result<T, Unanswered<E>>, judge: &impl Fn(&E) -> Outcome) -> Report<'a> {
    match result {
        Ok(_) => Report::success(),
        Err(unanswered) => match unanswered {
            Unanswered::Failed(error) => match judge(error) {
                Outcome::Success => Report::success(),
                Outcome::Failure => Report::failure().because(error),
                _ => Report::ignored().because(error),
            },
            _ => Report::failure().because(unanswered),
        },
    }
}

impl<E: fmt::Display> fmt::Display for Unanswered<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(rejection) => rejection.fmt(f),
            Self::TimedOut(error) => error.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for Unanswered<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(rejection) => Some(rejection),
            Self::TimedOut(error) => Some(error),
            Self::Failed(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt;
    use seawall_bulkhead::Config;
    use seawall_circuit_breaker::State;
    use seawall_core::time::ManualTime;
    use seawall_retry::TimeoutConfig;

    use super::*;
    use crate::breakers::Preset;

    fn external() -> (Dependency, ManualTime) {
        let (clock, time) = Clock::manual();
        let breaker = CircuitBreaker::with_clock(Preset::External.breaker(), clock.clone()).expect("a good preset");
        let timeout = Timeout::with_clock(TimeoutConfig::new(Preset::External.timeout()), clock.clone());
        let room = Config::new(2).queue(1).max_wait(Duration::from_secs(5));
        let entrance = Entrance::new(room, clock.clone()).expect("a good configuration");
        (Dependency::new(breaker, entrance, timeout.expect("a good preset"), clock), time)
    }

    fn fails(dependency: &Dependency, outcome: Outcome) -> bool {
        let call = dependency.call(Claim::new(), ready(Err::<(), _>("broken")), |_error| outcome);
        matches!(call.now_or_never(), Some(Err(Unanswered::Failed("broken"))))
    }

    #[test]
    fn a_call_has_the_preset_s_time_and_no_more() {
        let (dependency, time) = external();
        let call = dependency.call(Claim::new(), pending::<Result<(), &str>>(), |_error| Outcome::Failure);
        let mut call = std::pin::pin!(call);
        assert!((&mut call).now_or_never().is_none());
        time.advance(Duration::from_millis(119_999));
        assert!((&mut call).now_or_never().is_none());
        time.advance(Duration::from_millis(1));
        let ended = (&mut call).now_or_never().expect("the time is over");
        assert!(matches!(ended, Err(Unanswered::TimedOut(late)) if late.after() == Duration::from_mins(2)));
        assert_eq!(dependency.breaker().snapshot().last_error.as_deref(), Some("`timeout` did not end within 120s"));
    }

    #[test]
    fn five_calls_in_a_row_that_time_out_or_fail_open_the_circuit() {
        let (dependency, time) = external();
        for _ in 0..4 {
            assert!(fails(&dependency, Outcome::Failure));
        }
        let until = Until::Patience(Deadline::after(&dependency.clock, Duration::ZERO));
        let call = dependency.call_until(until, Claim::new(), pending::<Result<(), &str>>(), |_error| Outcome::Failure);
        assert!(matches!(call.now_or_never(), Some(Err(Unanswered::TimedOut(_)))));
        assert_eq!(dependency.breaker().state(), State::Open);

        let refused =
            dependency.call(Claim::new(), async { panic!("polled") as Result<(), &str> }, |_error| Outcome::Failure);
        assert!(matches!(refused.now_or_never(), Some(Err(Unanswered::Refused(_)))));
        assert!(dependency.ready().is_err());
        time.advance(Duration::from_mins(1));
        assert!(dependency.ready().is_ok());
    }

    #[test]
    fn a_caller_s_own_deadline_opens_nothing() {
        let (dependency, time) = external();
        for _ in 0..50 {
            let until = Until::Caller(Deadline::after(&dependency.clock, Duration::from_millis(1)));
            let call =
                dependency.call_until(until, Claim::new(), pending::<Result<(), &str>>(), |_error| Outcome::Failure);
            let mut call = std::pin::pin!(call);
            assert!((&mut call).now_or_never().is_none());
            time.advance(Duration::from_millis(1));
            assert!(matches!((&mut call).now_or_never(), Some(Err(Unanswered::TimedOut(late))) if late.is_deadline()));
        }
        assert_eq!(dependency.breaker().state(), State::Closed);
    }

    #[test]
    fn beyond_its_room_and_its_line_a_call_is_refused_and_the_circuit_is_told_nothing() {
        let (dependency, time) = external();
        let call = || Box::pin(dependency.call(Claim::new(), pending::<Result<(), &str>>(), |_error| Outcome::Failure));
        let (mut one, mut other, mut third) = (call(), call(), call());
        assert!([&mut one, &mut other, &mut third].into_iter().all(|call| call.now_or_never().is_none()));
        let Some(Err(Unanswered::Refused(full))) = call().now_or_never() else { panic!("there is no room") };
        assert_eq!((full.pattern(), full.reason()), ("bulkhead", "full"));
        time.advance(Duration::from_secs(5));
        let Some(Err(Unanswered::Refused(late))) = (&mut third).now_or_never() else { panic!("it waits no longer") };
        assert_eq!(late.reason(), "timed_out");
        let total = dependency.breaker().snapshot().total;
        assert_eq!((total.failures, total.successes), (0, 0));
        // Whoever hangs up makes room.
        drop(one);
        assert!(dependency.call(Claim::new(), ready(Ok::<_, &str>(())), |_| Outcome::Failure).now_or_never().is_some());
    }

    #[test]
    fn an_open_circuit_lets_nobody_wait_for_room() {
        let (dependency, _time) = external();
        let call = || Box::pin(dependency.call(Claim::new(), pending::<Result<(), &str>>(), |_error| Outcome::Failure));
        let (mut one, mut other) = (call(), call());
        assert!([&mut one, &mut other].into_iter().all(|call| call.now_or_never().is_none()));
        dependency.breaker().force_open();
        let Some(Err(Unanswered::Refused(open))) = call().now_or_never() else { panic!("the circuit is open") };
        assert_eq!(open.pattern(), "circuit_breaker");
        assert_eq!(dependency.entrance.bulkhead().queued(), 0);
    }

    #[test]
    fn what_is_late_because_it_waited_for_room_opens_nothing() {
        let (dependency, time) = external();
        let after = |millis| Deadline::after(&dependency.clock, Duration::from_millis(millis));
        let ask = |until| {
            let call = pending::<Result<(), &str>>();
            Box::pin(dependency.call_until(until, Claim::new(), call, |_error| Outcome::Failure))
        };
        for _ in 0..8 {
            let (mut one, mut other) = (ask(Until::Caller(after(1_000))), ask(Until::Caller(after(1_000))));
            let mut waits = ask(Until::Patience(after(5_000)));
            assert!([&mut one, &mut other, &mut waits].into_iter().all(|call| call.now_or_never().is_none()));
            time.advance(Duration::from_secs(1));
            assert!([&mut one, &mut other].into_iter().all(|call| call.now_or_never().is_some()));
            assert!((&mut waits).now_or_never().is_none(), "its turn has come");
            time.advance(Duration::from_secs(4));
            assert!(matches!((&mut waits).now_or_never(), Some(Err(Unanswered::TimedOut(_)))));
        }
        assert_eq!(dependency.breaker().state(), State::Closed);
    }

    #[test]
    fn an_error_that_finds_fault_with_the_question_opens_nothing() {
        for outcome in [Outcome::Success, Outcome::Ignored] {
            let (dependency, _time) = external();
            assert!((0..50).all(|_| fails(&dependency, outcome)));
            assert_eq!(dependency.breaker().state(), State::Closed, "{outcome:?}");
        }
    }

    #[test]
    fn a_look_is_refused_as_a_call_is_and_counts_nowhere() {
        let (dependency, _time) = external();
        for _ in 0..50 {
            let look = dependency.look(Duration::ZERO, pending::<Result<(), &str>>());
            assert!(matches!(look.now_or_never(), Some(Err(Unanswered::TimedOut(_)))));
        }
        assert_eq!(dependency.breaker().state(), State::Closed);
        dependency.breaker().force_open();
        let look = dependency.look(Duration::ZERO, async { panic!("polled") as Result<(), &str> });
        assert!(matches!(look.now_or_never(), Some(Err(Unanswered::Refused(_)))));
    }
}
