//! What the database's errors tell about it.

use seawall_core::Outcome;
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

use crate::database::{is_not_ready, is_unavailable};

/// What an error tells about the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It found fault with what it was asked: it works.
    Works,
    /// Nothing: the fault is the service's own, or the disk is full, where writes are refused at once and the rest works.
    Nothing,
    /// Others, or its role, keep it from writing.
    CannotWrite,
    /// It cannot be reached, has no connection to spare, or cannot read its own files.
    Down,
}

/// What it is for the circuit of the call that ended with it.
pub(super) fn judge(error: &sqlx::Error) -> Outcome {
    match sign(error) {
        Sign::Works => Outcome::Success,
        Sign::Nothing => Outcome::Ignored,
        Sign::CannotWrite | Sign::Down => Outcome::Failure,
    }
}

pub(super) fn sign(error: &sqlx::Error) -> Sign {
    match error {
        // The service knows, and has not asked.
        sqlx::Error::Io(error) if is_not_ready(error) => Sign::Nothing,
        sqlx::Error::Database(answer) => sign_of_answer(error, &**answer),
        sqlx::Error::RowNotFound => Sign::Works,
        _ if is_unavailable(error) => Sign::Down,
        _ => Sign::Nothing,
    }
}

fn sign_of_answer(error: &sqlx::Error, answer: &dyn DatabaseError) -> Sign {
    let code = answer.code().unwrap_or_default();
    let special = if answer.try_downcast_ref::<SqliteError>().is_some() {
        sqlite(code.parse().unwrap_or_default())
    } else {
        sqlstate(&code)
    };
    special.unwrap_or(if is_unavailable(error) { Sign::Down } else { Sign::Works })
}

/// By SQLite's result code, whose last eight bits are the primary one.
fn sqlite(code: u32) -> Option<Sign> {
    match code & 0xff {
        // BUSY, LOCKED, READONLY.
        5 | 6 | 8 => Some(Sign::CannotWrite),
        // FULL.
        13 => Some(Sign::Nothing),
        _ => None,
    }
}

/// By the SQL standard's code, and PostgreSQL's own.
fn sqlstate(code: &str) -> Option<Sign> {
    match code {
        // The disk is full.
        "53100" => Some(Sign::Nothing),
        // The server is a standby; what is to be changed is locked.
        "25006" | "55P03" => Some(Sign::CannotWrite),
        // Rolled back for the sake of others.
        _ if code.starts_with("40") => Some(Sign::Works),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

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
            assert_eq!((sign(&error), judge(&error)), (Sign::Down, Outcome::Failure), "{error}");
        }
        assert_eq!((sqlite(10), sqlstate("57P01")), (None, None), "nothing special");
    }

    #[test]
    fn what_keeps_from_writing_alone_is_told_apart() {
        assert!([5, 517, 6, 8].map(sqlite).iter().all(|sign| *sign == Some(Sign::CannotWrite)));
        assert!(["55P03", "25006"].map(sqlstate).iter().all(|sign| *sign == Some(Sign::CannotWrite)));
    }

    #[test]
    fn a_database_that_answers_works() {
        assert_eq!(judge(&sqlx::Error::RowNotFound), Outcome::Success);
        assert_eq!(sqlstate("40001"), Some(Sign::Works));
    }

    #[test]
    fn a_full_disk_and_a_fault_of_our_own_tell_nothing() {
        assert_eq!((sqlite(13), sqlstate("53100")), (Some(Sign::Nothing), Some(Sign::Nothing)));
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
        assert_eq!(sign(&locked), Sign::CannotWrite, "the file can be read");
    }
}
