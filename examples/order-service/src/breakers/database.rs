//! The database as a dependency: what its errors tell about it, and the stores behind its circuits.

use std::time::Duration;

use seawall_circuit_breaker::CircuitBreaker;
use seawall_core::{Both, Outcome, Rejection};
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

use super::{Dependency, Unanswered};
use crate::http::Problem;

/// Why the database gave no answer.
pub(crate) type NoData = Unanswered<sqlx::Error>;

/// The database's circuits.
///
/// Reading often works where writing does not: another process holds the file's lock, the server is a standby. Successful
/// reads must not hide such a failure, and it must not keep readers away, so writes have a circuit of their own behind the
/// one that all calls have.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    whole: Dependency,
    writes: Dependency<Both<CircuitBreaker, CircuitBreaker>>,
}

impl Guard {
    /// The circuit of all calls, and the one that writes have besides.
    pub(crate) fn new(whole: Dependency, writes: CircuitBreaker) -> Self {
        let writes = whole.part(writes);
        Self { whole, writes }
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

    /// Asks the store something.
    pub(crate) async fn read<'a, T, F>(&'a self, ask: impl FnOnce(&'a S) -> F) -> Result<T, NoData>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.guard.whole.call(ask(&self.store), judge).await
    }

    /// Has the store change something.
    pub(crate) async fn write<'a, T, F>(&'a self, change: impl FnOnce(&'a S) -> F) -> Result<T, NoData>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.guard.writes.call(change(&self.store), judge).await
    }

    /// Asks the store something for somebody who watches.
    pub(crate) async fn look<'a, T, F>(&'a self, patience: Duration, ask: impl FnOnce(&'a S) -> F) -> Result<T, NoData>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.guard.whole.look(patience, ask(&self.store)).await
    }

    /// Whether every write would be refused now.
    pub(crate) fn ready_to_write(&self) -> Result<(), Rejection> {
        self.guard.writes.ready()
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
            Unanswered::Refused(rejection) => {
                tracing::debug!(%rejection, "the database was not asked");
                Self::unavailable("the database is not asked now, because it failed lately; trying again is safe")
                    .refused_by(&rejection)
            }
            Unanswered::TimedOut(limit) => {
                tracing::error!(?limit, "the database did not answer in time");
                Self::unavailable("the database did not answer in time; trying again is safe")
            }
            Unanswered::Failed(error) => error.into(),
        }
    }
}

/// What an error tells about the database.
///
/// One that found fault with what it was asked works. One that cannot be reached, has no connection to spare, is too slow,
/// or cannot read its own files does not. A full disk says nothing: it refuses writes, at once, and the rest works.
fn judge(error: &sqlx::Error) -> Outcome {
    match error {
        sqlx::Error::Database(error) => judge_answer(&**error),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Outcome::Failure,
        sqlx::Error::RowNotFound => Outcome::Success,
        _ => Outcome::Ignored,
    }
}

fn judge_answer(error: &dyn DatabaseError) -> Outcome {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        judge_sqlite(code.parse().unwrap_or_default())
    } else {
        judge_sqlstate(&code)
    }
}

/// By SQLite's result code, whose last eight bits are the primary one.
fn judge_sqlite(code: u32) -> Outcome {
    match code & 0xff {
        // BUSY, LOCKED, READONLY, INTERRUPT: it does not work for us, now.
        // NOMEM, IOERR, CORRUPT, CANTOPEN, PROTOCOL, NOTADB: it cannot work.
        5..=11 | 14 | 15 | 26 => Outcome::Failure,
        // FULL.
        13 => Outcome::Ignored,
        // CONSTRAINT, and what is wrong with the question.
        _ => Outcome::Success,
    }
}

/// By the class of the SQL standard's code, and PostgreSQL's own codes within it.
fn judge_sqlstate(code: &str) -> Outcome {
    match code {
        "53100" => Outcome::Ignored,
        // A lock was not to be had in time; a standby, which cannot write.
        "55P03" | "25006" => Outcome::Failure,
        _ => match code.get(..2) {
            // Connection, authorisation, no such database; resources, an operator's doing or a statement's time, system,
            // configuration, internal.
            Some("08" | "28" | "3D" | "53" | "57" | "58" | "F0" | "XX") => Outcome::Failure,
            Some(_) => Outcome::Success,
            None => Outcome::Ignored,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_database_that_cannot_be_used_has_failed() {
        for error in [
            sqlx::Error::Io(io::ErrorKind::ConnectionRefused.into()),
            sqlx::Error::PoolTimedOut,
            sqlx::Error::WorkerCrashed,
        ] {
            assert_eq!(judge(&error), Outcome::Failure, "{error}");
        }
        for code in [5, 517, 6, 10, 8458, 11, 14] {
            assert_eq!(judge_sqlite(code), Outcome::Failure, "{code}");
        }
        for code in ["08006", "57014", "57P01", "57P03", "53300", "55P03", "25006", "58030", "28P01", "3D000"] {
            assert_eq!(judge_sqlstate(code), Outcome::Failure, "{code}");
        }
    }

    #[test]
    fn a_database_that_finds_fault_with_the_question_works() {
        assert_eq!(judge(&sqlx::Error::RowNotFound), Outcome::Success);
        for code in [1, 19, 2067, 1555, 20] {
            assert_eq!(judge_sqlite(code), Outcome::Success, "{code}");
        }
        for code in ["23505", "22P02", "42P01", "40001"] {
            assert_eq!(judge_sqlstate(code), Outcome::Success, "{code}");
        }
    }

    #[test]
    fn a_full_disk_and_a_fault_of_our_own_tell_nothing() {
        assert_eq!((judge_sqlite(13), judge_sqlstate("53100")), (Outcome::Ignored, Outcome::Ignored));
        assert_eq!(judge(&sqlx::Error::ColumnNotFound("colour".to_owned())), Outcome::Ignored);
    }

    async fn file(folder: &TempDir) -> SqlitePool {
        let options = SqliteConnectOptions::new().filename(folder.path().join("file")).create_if_missing(true);
        let options = options.busy_timeout(Duration::ZERO);
        SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("a new file")
    }

    #[tokio::test]
    async fn what_the_real_database_answers_is_understood() {
        let folder = TempDir::new().expect("a temporary folder");
        let (one, other) = (file(&folder).await, file(&folder).await);
        let run = async |pool: &SqlitePool, sql: &'static str| sqlx::query(sql).execute(pool).await.map(drop);
        run(&one, "CREATE TABLE things (id TEXT PRIMARY KEY)").await.expect("a new table");
        run(&one, "INSERT INTO things VALUES ('a')").await.expect("a new thing");

        let taken = run(&one, "INSERT INTO things VALUES ('a')").await.expect_err("there is one");
        assert_eq!(judge(&taken), Outcome::Success, "{taken}");
        let nonsense = run(&one, "INSERT INTO nothing VALUES ('a')").await.expect_err("no such table");
        assert_eq!(judge(&nonsense), Outcome::Success, "{nonsense}");

        run(&other, "BEGIN IMMEDIATE").await.expect("the lock is free");
        let locked = run(&one, "INSERT INTO things VALUES ('b')").await.expect_err("the file is locked");
        assert_eq!(judge(&locked), Outcome::Failure, "{locked}");
    }
}
