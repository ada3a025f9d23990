//! The databases that the service runs on.

use std::path::Path;
use std::process::Command;

use order_service::config::{DatabaseUrl, Settings};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;

use super::cluster;

/// Makes each of the functions a test on each engine, `<name>::sqlite` and `<name>::postgres`; they are given the
/// [`Engine`].
macro_rules! each_engine {
    (blocking: $($test:ident),+ $(,)?) => {
        $(mod $test {
            #[test]
            fn sqlite() {
                super::$test($crate::support::Engine::Sqlite);
            }

            #[test]
            #[ignore = "needs postgresql: apt-get install postgresql"]
            fn postgres() {
                super::$test($crate::support::Engine::Postgres);
            }
        })+
    };
    (multi_thread: $($test:ident),+ $(,)?) => {
        $(mod $test {
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$test($crate::support::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs postgresql: apt-get install postgresql"]
            async fn postgres() {
                super::$test($crate::support::Engine::Postgres).await;
            }
        })+
    };
    ($($test:ident),+ $(,)?) => {
        $(mod $test {
            #[tokio::test]
            async fn sqlite() {
                super::$test($crate::support::Engine::Sqlite).await;
            }

            #[tokio::test]
            #[ignore = "needs postgresql: apt-get install postgresql"]
            async fn postgres() {
                super::$test($crate::support::Engine::Postgres).await;
            }
        })+
    };
}

/// What keeps the orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Built in, one file.
    Sqlite,
    /// A server, the same for all tests; each has a database of its own there.
    Postgres,
}

impl Engine {
    /// As the service calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        }
    }
}

/// Where the services of one test keep their orders, one after the other.
#[derive(Debug)]
pub(crate) struct Storage {
    folder: TempDir,
    url: Option<String>,
}

impl Storage {
    /// An empty one.
    pub(crate) fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::at(None),
            Engine::Postgres => Self::at(Some(cluster::new_database())),
        }
    }

    /// One in the PostgreSQL database at `url`, or in a folder.
    pub(crate) fn at(url: Option<String>) -> Self {
        Self { folder: TempDir::new().expect("a temporary folder"), url }
    }

    /// The same database for another service, where it is one that services can share.
    pub(crate) fn shared(&self) -> Self {
        Self::at(self.url.clone())
    }

    /// Where the server has it.
    pub(crate) fn url(&self) -> &str {
        self.url.as_deref().expect("it is on a server")
    }

    /// Runs a statement behind the service's back.
    pub(crate) async fn execute(&self, sql: &'static str) {
        let executed = if let Some(url) = &self.url {
            let mut connection = PgConnection::connect(url).await.expect("the server takes connections");
            connection.execute(sql).await.map(drop)
        } else {
            let file = SqliteConnectOptions::new().filename(self.folder().join("data/orders.sqlite"));
            let mut connection = file.connect().await.expect("the file is there");
            connection.execute(sql).await.map(drop)
        };
        executed.expect("the database does as it is told");
    }

    /// Where the test itself may keep files, in one folder with the service's.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Has a service in the test's process keep its orders here.
    pub(crate) fn apply_to(&self, settings: &mut Settings) {
        settings.data.folder = self.folder().join("data");
        settings.database.url = self.url.as_deref().map(DatabaseUrl::from);
    }

    /// Has a process of its own do so.
    pub(crate) fn pass_to(&self, program: &mut Command) {
        match &self.url {
            Some(url) => program.env("DATABASE_URL", url),
            None => program.arg("--data").arg(self.folder().join("data")),
        };
    }
}
