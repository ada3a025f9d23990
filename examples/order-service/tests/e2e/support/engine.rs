//! The databases that the service runs on.

use std::path::Path;
use std::process::Command;

use order_service::config::{DatabaseUrl, Settings};
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
