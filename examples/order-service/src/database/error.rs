//! What the database's errors mean to callers.

use std::fmt;
use std::io;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

use crate::http::Problem;

/// Whether the database cannot be reached, has no room, is stuck, or is somebody else's for now: trying again later can
/// help. What was asked may have been done all the same, as an answer that is lost tells nothing.
///
/// Any other error says that statement, schema, data and program do not fit together. Nothing was done then.
pub(crate) fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(answer) => {
            let code = answer.code().unwrap_or_default();
            if is_from_postgres(&**answer) { is_unavailable_sqlstate(&code) } else { is_unavailable_sqlite(&code) }
        }
        sqlx::Error::Migrate(error) => migrating(error).is_some_and(is_unavailable),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        // A connection that broke in the middle of a message.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::BeginFailed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether the database answers that it will not have this service: a wrong password, no such database, encryption that
/// one of both does not speak. That may be put right there; it does not pass.
pub(super) fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(answer) => {
            is_from_postgres(&**answer) && is_refusing_sqlstate(&answer.code().unwrap_or_default())
        }
        sqlx::Error::Tls(_) => true,
        _ => !is_unavailable(error),
    }
}

/// An error for a database that did not do `what` in time.
pub(super) fn timed_out(what: String) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, what))
}

/// An error for a database that could not be used from the start, for the reason that `obstacle` is.
pub(super) fn not_ready(obstacle: String) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::NotConnected, NotReady(obstacle)))
}

/// Whether the database could not be used from the start: the service knows, and nothing fails by surprise.
pub(crate) fn is_not_ready(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<NotReady>())
}

#[derive(Debug)]
struct NotReady(String);

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not connected yet: {}", self.0)
    }
}

impl std::error::Error for NotReady {}

/// An error for what `column` holds, which means nothing.
pub(crate) fn undecodable(column: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() }
}

fn is_from_postgres(error: &dyn DatabaseError) -> bool {
    error.try_downcast_ref::<PgDatabaseError>().is_some()
}

fn migrating(error: &MigrateError) -> Option<&sqlx::Error> {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Some(error),
        _ => None,
    }
}

/// By SQLSTATE; see "PostgreSQL Error Codes" in PostgreSQL's documentation.
fn is_unavailable_sqlstate(code: &str) -> bool {
    const READ_ONLY: &str = "25006"; // a server that is no longer, or not yet, the leader
    // Connections, transactions rolled back for the sake of others, resources, locks, operators, the system, the
    // server and its configuration.
    let passing = ["08", "40", "53", "55", "57", "58", "F0", "XX"];
    code.get(..2).is_some_and(|class| passing.contains(&class)) || code == READ_ONLY || is_refusing_sqlstate(code)
}

/// Authorisation, and no such database.
fn is_refusing_sqlstate(code: &str) -> bool {
    matches!(code.get(..2), Some("28" | "3D"))
}

/// By the primary result code, which is the lowest byte of the extended one; see "Result and Error Codes" in SQLite's
/// documentation.
fn is_unavailable_sqlite(code: &str) -> bool {
    /// PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB: the file, its
    /// disk, or others who use it.
    const PASSING: [u32; 12] = [3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26];
    code.parse::<u32>().is_ok_and(|code| PASSING.contains(&(code & 0xff)))
}

/// What a caller is told when the database fails; the log has the reason.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the database failed");
        if is_unavailable(&error) {
            Self::unavailable("the database cannot be used now; trying again is safe")
        } else {
            Self::internal()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_does_not() {
        for (code, unavailable) in [
            ("08006", true),  // connection_failure
            ("40001", true),  // serialization_failure
            ("53100", true),  // disk_full
            ("53300", true),  // too_many_connections
            ("55P03", true),  // lock_not_available
            ("57014", true),  // query_canceled, by the statement timeout
            ("57P01", true),  // admin_shutdown
            ("25006", true),  // read_only_sql_transaction
            ("28P01", true),  // invalid_password
            ("3D000", true),  // invalid_catalog_name
            ("23505", false), // unique_violation
            ("23514", false), // check_violation
            ("22001", false), // string_data_right_truncation
            ("42P01", false), // undefined_table
            ("42501", false), // insufficient_privilege
            ("", false),
        ] {
            assert_eq!(is_unavailable_sqlstate(code), unavailable, "{code}");
        }
        for (code, unavailable) in [
            ("5", true),     // BUSY
            ("517", true),   // BUSY_SNAPSHOT
            ("13", true),    // FULL
            ("4874", true),  // IOERR_SHMSIZE
            ("1", false),    // ERROR, such as in the statement
            ("19", false),   // CONSTRAINT
            ("2067", false), // CONSTRAINT_UNIQUE
            ("", false),
        ] {
            assert_eq!(is_unavailable_sqlite(code), unavailable, "{code}");
        }
    }

    #[test]
    fn a_lost_answer_passes_and_a_lost_meaning_does_not() {
        assert!(is_unavailable(&timed_out("answer".to_owned())) && is_unavailable(&sqlx::Error::PoolTimedOut));
        assert!(is_unavailable(&MigrateError::Execute(sqlx::Error::PoolTimedOut).into()));
        for error in [undecodable("total", "negative"), MigrateError::VersionMismatch(1).into()] {
            assert!(!is_unavailable(&error) && is_refusal(&error), "{error}");
        }
    }
}
