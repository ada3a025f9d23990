//! The embedded engine: one SQLite file in the data folder.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};

use super::{Connections, Statement, migrations};
use crate::config;

/// Connections to the file.
///
/// SQLite has one writer at a time. One connection for all writes lets them queue fairly here instead of polling for the
/// file's lock; readers see the last committed state meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    pub(super) writer: SqlitePool,
    readers: SqlitePool,
}

/// Keeps a second process out of the data folder, until dropped or the process ends in whichever way.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where it is missing, and takes it.
    pub(crate) fn take(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let lock = File::create(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("another order-service uses it")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Sqlite {
    /// Opens the file in `folder`, made where it is missing, and brings its schema up to date.
    pub(super) async fn open(folder: &DataFolder, settings: &config::Database) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(folder.path.join("orders.sqlite"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An accepted order survives the loss of power: each commit reaches the disk before it is answered.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(settings.lock_timeout)
            .foreign_keys(true);
        let pool = |size| SqlitePoolOptions::new().max_connections(size).acquire_timeout(settings.acquire_timeout);
        let writer = pool(1).connect_with(options.clone()).await?;
        migrations::sqlite().run(&writer).await?;
        let readers = pool(settings.max_connections).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    pub(super) async fn change(&self, statement: &Statement<'_>) -> Result<u64, sqlx::Error> {
        Ok(statement.to_query().execute(&self.writer).await?.rows_affected())
    }

    pub(super) async fn rows(&self, statement: &Statement<'_>) -> Result<Vec<SqliteRow>, sqlx::Error> {
        statement.to_query().fetch_all(&self.readers).await
    }

    pub(super) fn connections(&self) -> Connections {
        let pools = [&self.writer, &self.readers];
        let idle = pools.iter().map(|pool| u32::try_from(pool.num_idle()).unwrap_or(u32::MAX)).sum();
        let all: u32 = pools.iter().map(|pool| pool.size()).sum();
        let max = pools.iter().map(|pool| pool.options().get_max_connections()).sum();
        Connections { idle, used: all.saturating_sub(idle), max }
    }

    /// So that nothing is left to be recovered.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    async fn open() -> (TempDir, Sqlite) {
        let temporary = TempDir::new().expect("a temporary folder");
        let folder = DataFolder::take(temporary.path()).expect("a free folder");
        let database = Sqlite::open(&folder, &config::Database::default()).await.expect("a new database");
        (temporary, database)
    }

    async fn pragma(pool: &SqlitePool, name: &'static str) -> String {
        sqlx::query_scalar(name).fetch_one(pool).await.expect("a pragma has a value")
    }

    #[tokio::test]
    async fn a_commit_is_on_the_disk() {
        let (_folder, database) = open().await;
        assert_eq!(pragma(&database.writer, "PRAGMA journal_mode").await, "wal");
        let full = pragma(&database.writer, "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous").await;
        assert_eq!(full, "2", "2 is FULL");
        database.close().await;
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let (_folder, database) = open().await;
        let written = database.rows(&Statement::new("DELETE FROM products")).await;
        assert!(written.is_err_and(|error| error.to_string().contains("readonly")));
        database.close().await;
    }

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let folder = TempDir::new().expect("a temporary folder");
        let first = DataFolder::take(folder.path()).expect("a free folder");
        assert!(DataFolder::take(folder.path()).is_err());
        drop(first);
        assert!(DataFolder::take(folder.path()).is_ok());
    }
}
