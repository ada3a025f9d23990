//! Something outside the process, and how it is called.

use std::fmt;
use std::time::Duration;

use seawall_circuit_breaker::CircuitBreaker;
use seawall_core::time::{Clock, Now};
use seawall_core::{Deadline, Outcome, Policy, Rejection, Report};
use seawall_retry::{TimedOut, Timeout};

/// A dependency: each call of it within its time, and none while its circuit is open.
///
/// ```
/// use order_service::breakers::{Dependency, Preset, Unanswered};
/// use seawall_circuit_breaker::CircuitBreaker;
/// use seawall_core::{Outcome, time::Clock};
/// use seawall_retry::{Timeout, TimeoutConfig};
///
/// # async fn ask() -> Result<u32, std::io::Error> { Ok(7) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = Clock::system();
/// let breaker = CircuitBreaker::with_clock(Preset::External.breaker().name("weather"), clock.clone())?;
/// let timeout = Timeout::with_clock(TimeoutConfig::new(Preset::External.timeout()).name("weather"), clock.clone())?;
/// let weather = Dependency::new(breaker, timeout, clock);
/// match weather.call(ask(), |_error| Outcome::Failure).await {
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
    timeout: Timeout,
    clock: Clock,
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
    /// It was not asked: too many calls failed lately, or somebody keeps the circuit open.
    Refused(Rejection),
    /// It did not answer in time. It may have done all the same what it was asked.
    TimedOut(TimedOut),
    /// It answered with an error, or could not be reached.
    Failed(E),
}

impl Dependency {
    /// A dependency whose calls are limited by `timeout` and refused while `breaker` is open. Both go by `clock`.
    pub fn new(breaker: CircuitBreaker, timeout: Timeout, clock: Clock) -> Self {
        Self { breaker, timeout, clock }
    }

    /// What refuses its calls.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.timeout.duration()
    }

    /// Makes one call. `judge` says what the dependency's own errors tell about it: one that finds fault with the question
    /// works. A call that takes too long is a failure.
    ///
    /// # Errors
    /// When the call was refused, and was then not polled; when it took too long, and was dropped; or its own.
    ///
    /// # Cancel safety
    /// Dropping the future before its end counts as an abandoned call.
    pub async fn call<T, E: fmt::Display>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        judge: impl Fn(&E) -> Outcome,
    ) -> Result<T, Unanswered<E>> {
        let in_time = async { answered(self.timeout.run(call).await) };
        let answer = self.breaker.run_classified(in_time, |result| report(result, &judge)).await;
        answer.unwrap_or_else(|refused| Err(Unanswered::Refused(refused.into())))
    }

    /// The same for somebody who does not wait for ever.
    ///
    /// # Errors
    /// As in [`call`](Self::call).
    pub async fn call_until<T, E: fmt::Display>(
        &self,
        until: Until,
        call: impl Future<Output = Result<T, E>>,
        judge: impl Fn(&E) -> Outcome,
    ) -> Result<T, Unanswered<E>> {
        let (Until::Patience(deadline) | Until::Caller(deadline)) = until;
        let in_time = async { answered(self.timeout.run_until(deadline, call).await) };
        let tells_nothing = |result: &Result<T, Unanswered<E>>| matches!((result, until), (Err(Unanswered::TimedOut(late)), Until::Caller(_)) if late.is_deadline());
        let judged = self.breaker.run_classified(in_time, |result| {
            if tells_nothing(result) { Report::ignored() } else { report(result, &judge) }
        });
        judged.await.unwrap_or_else(|refused| Err(Unanswered::Refused(refused.into())))
    }

    /// Makes a call for somebody who only watches, and waits less than callers do: its end tells the circuit nothing.
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

    /// Whether every call would be refused now.
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
    use seawall_circuit_breaker::State;
    use seawall_core::time::ManualTime;
    use seawall_retry::TimeoutConfig;

    use super::*;
    use crate::breakers::Preset;

    fn external() -> (Dependency, ManualTime) {
        let (clock, time) = Clock::manual();
        let breaker = CircuitBreaker::with_clock(Preset::External.breaker(), clock.clone()).expect("a good preset");
        let timeout = Timeout::with_clock(TimeoutConfig::new(Preset::External.timeout()), clock.clone());
        (Dependency::new(breaker, timeout.expect("a good preset"), clock), time)
    }

    fn fails(dependency: &Dependency, outcome: Outcome) -> bool {
        let call = dependency.call(ready(Err::<(), _>("broken")), |_error| outcome);
        matches!(call.now_or_never(), Some(Err(Unanswered::Failed("broken"))))
    }

    #[test]
    fn a_call_has_the_preset_s_time_and_no_more() {
        let (dependency, time) = external();
        let call = dependency.call(pending::<Result<(), &str>>(), |_error| Outcome::Failure);
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
        let call = dependency.call_until(until, pending::<Result<(), &str>>(), |_error| Outcome::Failure);
        assert!(matches!(call.now_or_never(), Some(Err(Unanswered::TimedOut(_)))));
        assert_eq!(dependency.breaker().state(), State::Open);

        let refused = dependency.call(async { panic!("polled") as Result<(), &str> }, |_error| Outcome::Failure);
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
            let call = dependency.call_until(until, pending::<Result<(), &str>>(), |_error| Outcome::Failure);
            let mut call = std::pin::pin!(call);
            assert!((&mut call).now_or_never().is_none());
            time.advance(Duration::from_millis(1));
            assert!(matches!((&mut call).now_or_never(), Some(Err(Unanswered::TimedOut(late))) if late.is_deadline()));
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
