//! The embedded database: one SQLite file in the data folder.

use std::borrow::Cow;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::http::Problem;

const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "orders", include_str!("../migrations/0001_orders.sql")),
    (2, "products", include_str!("../migrations/0002_products.sql")),
];

/// How long a statement waits for its turn: a caller is better served by an error than by a longer wait.
const MAX_WAIT: Duration = Duration::from_secs(5);

const READERS: u32 = 4;

/// Connections to the database.
///
/// SQLite has one writer at a time. One connection for all writes lets them queue fairly here instead of polling for the
/// file's lock; readers see the last committed state meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
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

impl Database {
    /// Opens the file in `folder`, made where it is missing, and brings its schema up to date.
    pub(crate) async fn open(folder: &DataFolder) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(folder.path.join("orders.sqlite"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An accepted order survives the loss of power: each commit reaches the disk before it is answered.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(MAX_WAIT)
            .foreign_keys(true);
        let pool = |size| SqlitePoolOptions::new().max_connections(size).acquire_timeout(MAX_WAIT);
        let writer = pool(1).connect_with(options.clone()).await?;
        migrations().run(&writer).await?;
        let readers = pool(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    /// Whether a statement can be run now.
    pub(crate) async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.readers).await.map(drop)
    }

    /// Waits for running statements and closes the file, so that nothing is left to be recovered.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// What a caller is told when the database fails; the log has the reason.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the database failed");
        Self::unavailable("the database cannot be used now; trying again is safe")
    }
}

fn migrations() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.into())
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePool;
    use tempfile::TempDir;

    use super::*;

    async fn pragma(pool: &SqlitePool, name: &'static str) -> String {
        sqlx::query_scalar(name).fetch_one(pool).await.expect("a pragma has a value")
    }

    #[tokio::test]
    async fn a_commit_is_on_the_disk() {
        let folder = TempDir::new().expect("a temporary folder");
        let folder = DataFolder::take(folder.path()).expect("a free folder");
        let database = Database::open(&folder).await.expect("a new database");
        assert_eq!(pragma(&database.writer, "PRAGMA journal_mode").await, "wal");
        let full = pragma(&database.writer, "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous").await;
        assert_eq!(full, "2", "2 is FULL");
        database.close().await;
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let folder = TempDir::new().expect("a temporary folder");
        let folder = DataFolder::take(folder.path()).expect("a free folder");
        let database = Database::open(&folder).await.expect("a new database");
        let written = sqlx::query("DELETE FROM products").execute(&database.readers).await;
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
