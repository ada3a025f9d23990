//! What the database's errors tell about it.

use seawall_core::Outcome;
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

use crate::database::is_not_ready;

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

/// By the kind of the error.
pub(super) fn sign(error: &sqlx::Error) -> Sign {
    match error {
        sqlx::Error::Database(error) => sign_of_answer(&**error),
        // The service knows, and asks by itself until the database is there.
        sqlx::Error::Io(error) if is_not_ready(error) => Sign::Nothing,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Sign::Down,
        sqlx::Error::RowNotFound => Sign::Works,
        _ => Sign::Nothing,
    }
}

fn sign_of_answer(error: &dyn DatabaseError) -> Sign {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        sqlite(code.parse().unwrap_or_default())
    } else {
        sqlstate(&code)
    }
}

/// By SQLite's result code, whose last eight bits are the primary one.
fn sqlite(code: u32) -> Sign {
    match code & 0xff {
        // BUSY, LOCKED, READONLY.
        5 | 6 | 8 => Sign::CannotWrite,
        // NOMEM, INTERRUPT, IOERR, CORRUPT, CANTOPEN, PROTOCOL, NOTADB.
        7 | 9..=11 | 14 | 15 | 26 => Sign::Down,
        // FULL.
        13 => Sign::Nothing,
        // CONSTRAINT, and what is wrong with the question.
        _ => Sign::Works,
    }
}

/// By the class of the SQL standard's code, and PostgreSQL's own codes within it.
fn sqlstate(code: &str) -> Sign {
    match code {
        // The disk is full.
        "53100" => Sign::Nothing,
        // A lock was not to be had in time; the server is a standby.
        "55P03" | "25006" => Sign::CannotWrite,
        _ => match code.get(..2) {
            // Connection, authorisation, no such database; resources, an operator's doing or a statement's time, system,
            // configuration, internal.
            Some("08" | "28" | "3D" | "53" | "57" | "58" | "F0" | "XX") => Sign::Down,
            Some(_) => Sign::Works,
            None => Sign::Nothing,
        },
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
            assert_eq!(judge(&error), Outcome::Failure, "{error}");
        }
        for code in [10, 8458, 11, 14] {
            assert_eq!(sqlite(code), Sign::Down, "{code}");
        }
        for code in ["08006", "57014", "57P01", "57P03", "53300", "58030", "28P01", "3D000"] {
            assert_eq!(sqlstate(code), Sign::Down, "{code}");
        }
    }

    #[test]
    fn what_keeps_from_writing_alone_is_told_apart() {
        assert!([5, 517, 6, 8].map(sqlite).iter().all(|sign| *sign == Sign::CannotWrite));
        assert!(["55P03", "25006"].map(sqlstate).iter().all(|sign| *sign == Sign::CannotWrite));
    }

    #[test]
    fn a_database_that_finds_fault_with_the_question_works() {
        assert_eq!(judge(&sqlx::Error::RowNotFound), Outcome::Success);
        for code in [1, 19, 2067, 1555, 20] {
            assert_eq!(sqlite(code), Sign::Works, "{code}");
        }
        for code in ["23505", "22P02", "42P01", "40001"] {
            assert_eq!(sqlstate(code), Sign::Works, "{code}");
        }
    }

    #[test]
    fn a_full_disk_and_a_fault_of_our_own_tell_nothing() {
        assert_eq!((sqlite(13), sqlstate("53100")), (Sign::Nothing, Sign::Nothing));
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
