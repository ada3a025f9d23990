//! The database as a dependency, and the stores behind its circuits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seawall_bulkhead::Claim;
use seawall_core::{Rejection, Report};

use super::sign::{Sign, judge, sign};
use super::{Dependency, Unanswered};
use crate::bulkheads;
use crate::http::Problem;

/// Why the database gave no answer.
pub(crate) type NoData = Unanswered<sqlx::Error>;

/// The database's circuits.
///
/// Reading often works where writing does not: another process holds the file's lock, the server is a standby. Reads that
/// succeed must not hide such a failure, and it must not keep readers away. So writes have a circuit of their own, and are
/// refused besides while the one of the whole database is open. A write that succeeds counts for the whole too; one that fails
/// counts against it, unless it is writing alone that failed, or a read succeeded meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    whole: Dependency,
    writes: Dependency,
    successful_reads: Arc<AtomicU64>,
}

impl Guard {
    /// The circuit of the whole database, and the one of writes.
    pub(crate) fn new(whole: Dependency, writes: Dependency) -> Self {
        Self { whole, writes, successful_reads: Arc::default() }
    }

    async fn read<T>(&self, claim: Claim, call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, NoData> {
        let result = self.whole.call(claim, call, judge).await;
        if result.is_ok() {
            self.successful_reads.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    async fn write<T>(&self, claim: Claim, call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, NoData> {
        self.whole.ready().map_err(Unanswered::Refused)?;
        let reads = self.successful_reads.load(Ordering::Relaxed);
        let result = self.writes.call(claim, call, judge).await;
        let told = match &result {
            Ok(_) => Some(Report::success()),
            Err(error) if concerns_all(error) && self.successful_reads.load(Ordering::Relaxed) == reads => {
                Some(Report::failure().because(error))
            }
            Err(_) => None,
        };
        if let Some(report) = told {
            // How long it took is judged in its own circuit.
            self.whole.breaker().record(report, Duration::ZERO);
        }
        result
    }

    fn ready_to_write(&self) -> Result<(), Rejection> {
        self.whole.ready().and_then(|()| self.writes.ready())
    }
}

/// Whether a write that ended so speaks against reading as well.
fn concerns_all(error: &NoData) -> bool {
    match error {
        Unanswered::Refused(_) => false,
        Unanswered::TimedOut(_) => true,
        Unanswered::Failed(error) => sign(error) == Sign::Down,
    }
}

/// A store that can be asked through the database's circuits only.
#[derive(Clone, Debug)]
pub(crate) struct Guarded<S> {
    store: S,
    guard: Guard,
}

impl<S> Guarded<S> {
    /// `store` behind `guard`.
    pub(crate) fn new(store: S, guard: Guard) -> Self {
        Self { store, guard }
    }

    /// Asks the store something, for whoever claims so much.
    pub(crate) async fn read<'a, T, F>(&'a self, claim: Claim, ask: impl FnOnce(&'a S) -> F) -> Result<T, NoData>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        // On the heap: a statement's future is large, and is moved through each layer around it.
        self.guard.read(claim, Box::pin(ask(&self.store))).await
    }

    /// Has the store change something, for whoever claims so much.
    pub(crate) async fn write<'a, T, F>(&'a self, claim: Claim, change: impl FnOnce(&'a S) -> F) -> Result<T, NoData>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.guard.write(claim, Box::pin(change(&self.store))).await
    }

    /// Asks the store something for somebody who watches.
    pub(crate) async fn look<'a, T, F>(&'a self, patience: Duration, ask: impl FnOnce(&'a S) -> F) -> Result<T, NoData>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.guard.whole.look(patience, Box::pin(ask(&self.store))).await
    }

    /// Whether every write would be refused now.
    pub(crate) fn ready_to_write(&self) -> Result<(), Rejection> {
        self.guard.ready_to_write()
    }

    /// The store itself, for what asks no database and for what is done before the service starts.
    pub(crate) fn unguarded(&self) -> &S {
        &self.store
    }
}

/// What a caller is told; the log has the reason.
impl From<NoData> for Problem {
    fn from(error: NoData) -> Self {
        match error {
            Unanswered::Refused(rejection) if rejection.pattern() == "bulkhead" => bulkheads::full(&rejection),
            Unanswered::Refused(rejection) => {
                tracing::debug!(%rejection, "the database was not asked");
                let (name, state) = (rejection.name(), rejection.reason());
                let detail =
                    format!("the database is not asked now: the circuit {name} is {state}; trying again is safe");
                Self::unavailable(detail).refused_by(&rejection)
            }
            Unanswered::TimedOut(late) => {
                tracing::error!(%late, "the database did not answer in time");
                Self::unavailable("the database did not answer in time; trying again is safe")
            }
            Unanswered::Failed(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use futures_util::future::join_all;
    use seawall_bulkhead::Config;
    use seawall_circuit_breaker::{CircuitBreaker, State};
    use seawall_core::time::Clock;
    use seawall_retry::{Timeout, TimeoutConfig};
    use tokio::sync::Notify;

    use super::*;
    use crate::breakers::Preset;
    use crate::bulkheads::Entrance;

    fn guard() -> Guard {
        let clock = Clock::system();
        let entrance = Entrance::new(Config::new(50), clock.clone()).expect("a good configuration");
        let dependency = || {
            let breaker = CircuitBreaker::with_clock(Preset::Database.breaker(), clock.clone());
            let timeout = Timeout::with_clock(TimeoutConfig::new(Preset::Database.timeout()), clock.clone());
            let (breaker, timeout) = (breaker.expect("a good preset"), timeout.expect("a good preset"));
            Dependency::new(breaker, entrance.clone(), timeout, clock.clone())
        };
        Guard::new(dependency(), dependency())
    }

    fn states(guard: &Guard) -> (State, State) {
        (guard.whole.breaker().state(), guard.writes.breaker().state())
    }

    fn lost() -> Ready<Result<(), sqlx::Error>> {
        ready(Err(sqlx::Error::PoolTimedOut))
    }

    #[tokio::test]
    async fn readers_are_left_alone_where_only_writing_fails() {
        let guard = guard();
        for _ in 0..5 {
            let failing = async {
                guard.read(Claim::new(), ready(Ok(()))).await.expect("reading works");
                lost().await
            };
            assert!(guard.write(Claim::new(), Box::pin(failing)).await.is_err());
        }
        assert_eq!(states(&guard), (State::Closed, State::Open));
        assert!(matches!(guard.write(Claim::new(), ready(Ok(()))).await, Err(Unanswered::Refused(_))));
        assert!(guard.ready_to_write().is_err());
    }

    #[tokio::test]
    async fn a_read_that_succeeds_meanwhile_speaks_for_the_whole() {
        let guard = guard();
        let end = Notify::new();
        let write = async || {
            let waiting = async {
                end.notified().await;
                lost().await
            };
            guard.write(Claim::new(), Box::pin(waiting)).await
        };
        let read = async {
            guard.read(Claim::new(), ready(Ok(()))).await.expect("reading works");
            end.notify_waiters();
        };
        let (writes, ()) = tokio::join!(join_all((0..10).map(|_| write())), read);
        assert!(writes.iter().all(Result::is_err));
        assert_eq!(states(&guard), (State::Closed, State::Open));
    }

    #[tokio::test]
    async fn writes_that_nothing_is_heard_of_speak_against_the_whole() {
        let guard = guard();
        for _ in 0..5 {
            assert!(guard.write(Claim::new(), lost()).await.is_err());
        }
        assert_eq!(states(&guard), (State::Open, State::Open));
        assert!(matches!(guard.read(Claim::new(), ready(Ok(()))).await, Err(Unanswered::Refused(_))));
    }

    #[tokio::test]
    async fn a_write_that_succeeds_speaks_for_the_whole() {
        let guard = guard();
        for _ in 0..20 {
            assert!(guard.write(Claim::new(), lost()).await.is_err());
            guard.write(Claim::new(), ready(Ok(()))).await.expect("writing works");
        }
        assert_eq!(states(&guard), (State::Closed, State::Closed));
    }

    #[tokio::test]
    async fn without_the_whole_nothing_is_written() {
        let guard = guard();
        guard.whole.breaker().force_open();
        assert!(matches!(
            guard.write(Claim::new(), async { panic!("polled") as _ }).await as Result<(), _>,
            Err(Unanswered::Refused(_))
        ));
        assert!(guard.ready_to_write().is_err());
        assert_eq!(states(&guard), (State::ForcedOpen, State::Closed));
    }
}
