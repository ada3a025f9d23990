//! The database: SQLite in the data folder, or PostgreSQL elsewhere.
//!
//! Two engines, one seam. The rest of the service says what it wants as a [`Statement`] and reads each answer through a
//! [`Row`]; which engine runs it is known in this module alone. `sqlx`'s own `Any` driver would hide more than that:
//! it opens both engines from a URL only (no durable commits, no time limits), and erases their types. Here each engine
//! keeps its own pool, options, migrations and errors, and what they have in common is said once:
//!
//! - **Statements** are written in the SQL that both understand. Each is a transaction of its own, durable when it has
//!   ended, so whatever must happen together is one statement.
//! - **Values** are texts and whole numbers. Money is in hundredths and times are in milliseconds: neither engine ever
//!   rounds one.
//! - **Order** is that of bytes. PostgreSQL's columns say so, as its default is the order of some language.
//! - **Conflicts** are answers, not errors: a statement that may meet one ends in `ON CONFLICT DO NOTHING`, and the
//!   number of rows tells.
//! - **Errors** are those of `sqlx`; [`is_unavailable`] says whether trying again can help, whichever engine speaks.
//! - **Time** is bounded: a caller waits for a connection at most `acquire_timeout`, then for a lock at most
//!   `lock_timeout`; PostgreSQL, which may be far away, ends a statement after `statement_timeout`, and where it does not
//!   answer at all the service gives it up a moment later.

mod error;
mod migrations;
mod postgres;
mod row;
mod sqlite;
mod statement;
mod url;

use std::pin::Pin;

use seawall_core::time::Clock;
use seawall_retry::Timeout;

use crate::config;
use crate::metrics::SqlFigures;

pub(crate) use error::{is_not_ready, is_unavailable, undecodable};
pub(crate) use postgres::Postgres;
pub(crate) use row::Row;
pub(crate) use sqlite::{DataFolder, Sqlite};
pub(crate) use statement::Statement;
pub use url::DatabaseUrl;
pub(crate) use url::redacted;

/// Connections to the database. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    engine: Engine,
    clock: Clock,
    figures: SqlFigures,
}

#[derive(Clone, Debug)]
enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// How many connections there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connections {
    /// Waiting for a statement.
    pub(crate) idle: u32,
    /// Running one, or being checked.
    pub(crate) used: u32,
    /// At most so many of both.
    pub(crate) max: u32,
}

impl Database {
    /// SQLite in `folder`.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(crate) async fn embedded(
        folder: &DataFolder,
        settings: &config::Database,
        clock: Clock,
        figures: SqlFigures,
    ) -> Result<Self, sqlx::Error> {
        let engine = Engine::Sqlite(Sqlite::open(folder, settings).await?);
        Ok(Self { engine, clock, figures })
    }

    /// PostgreSQL at `url`, now or as soon as it can be reached.
    ///
    /// # Errors
    /// When it answers that it will not have this service, which no wait changes.
    pub(crate) async fn remote(
        url: &DatabaseUrl,
        settings: &config::Database,
        clock: Clock,
        figures: SqlFigures,
    ) -> Result<Self, sqlx::Error> {
        let engine = Engine::Postgres(Postgres::open(url, settings, clock.clone()).await?);
        Ok(Self { engine, clock, figures })
    }

    /// What kind of database it is, as metrics and health documents call it.
    pub(crate) fn engine(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgresql",
        }
    }

    /// Whether statements can be run at all, as they can not until PostgreSQL has been reached for the first time.
    pub(crate) fn is_ready(&self) -> bool {
        match &self.engine {
            Engine::Sqlite(_) => true,
            Engine::Postgres(engine) => engine.is_ready(),
        }
    }

    /// Runs a statement that changes something, which lasts when this returns. How many rows it changed.
    ///
    /// An error that [may pass](is_unavailable) leaves open whether it did: the answer may have been lost.
    pub(crate) async fn change(&self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        self.noted(Box::pin(async {
            match &self.engine {
                Engine::Sqlite(engine) => engine.change(&statement).await,
                Engine::Postgres(engine) => engine.change(&statement).await,
            }
        }))
        .await
    }

    /// What `decode` makes of each row that the statement finds.
    pub(crate) async fn rows<T>(
        &self,
        statement: Statement<'_>,
        decode: fn(&Row<'_>) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, sqlx::Error> {
        self.noted(Box::pin(async {
            match &self.engine {
                Engine::Sqlite(engine) => {
                    engine.rows(&statement).await?.iter().map(|row| decode(&Row::Sqlite(row))).collect()
                }
                Engine::Postgres(engine) => {
                    engine.rows(&statement).await?.iter().map(|row| decode(&Row::Postgres(row))).collect()
                }
            }
        }))
        .await
    }

    /// What `decode` makes of the first row that the statement finds, if there is one.
    pub(crate) async fn row<T>(
        &self,
        statement: Statement<'_>,
        decode: fn(&Row<'_>) -> Result<T, sqlx::Error>,
    ) -> Result<Option<T>, sqlx::Error> {
        Ok(self.rows(statement, decode).await?.into_iter().next())
    }

    /// Whether a statement can be run now.
    pub(crate) async fn ping(&self) -> Result<(), sqlx::Error> {
        self.row(Statement::new("SELECT 1"), |_| Ok(())).await.map(drop)
    }

    /// What limits the engine's own waiting, for whoever counts.
    pub(crate) fn timeouts(&self) -> impl Iterator<Item = &Timeout> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(engine) => Some(engine.timeouts()),
        }
        .into_iter()
        .flatten()
    }

    /// The connections, as they are now.
    pub(crate) fn connections(&self) -> Connections {
        match &self.engine {
            Engine::Sqlite(engine) => engine.connections(),
            Engine::Postgres(engine) => engine.connections(),
        }
    }

    /// Waits for statements under way, though not for a server that does not answer, and closes the connections.
    pub(crate) async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::Postgres(engine) => engine.close().await,
        }
    }

    /// Takes the statement's future on the heap: it is large, and is moved through each layer around it.
    async fn noted<T>(&self, run: Pin<Box<impl Future<Output = Result<T, sqlx::Error>>>>) -> Result<T, sqlx::Error> {
        let started = self.clock.now();
        let result = run.await;
        let took = self.clock.now().saturating_duration_since(started);
        let outcome = match &result {
            Ok(_) => "ok",
            Err(error) if is_unavailable(error) => "unavailable",
            Err(_) => "fault",
        };
        self.figures.note(self.engine(), outcome, took);
        result
    }
}
