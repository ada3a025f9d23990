//! The databases that the service runs on.

use std::path::Path;
use std::process::Command;

use order_service::config::Settings;
use tempfile::TempDir;

/// Makes each of the functions a test on each engine, `<name>::sqlite` and so on; they are given the [`Engine`].
macro_rules! each_engine {
    (blocking: $($test:ident),+ $(,)?) => {
        $(mod $test {
            #[test]
            fn sqlite() {
                super::$test($crate::support::Engine::Sqlite);
            }
        })+
    };
    (multi_thread: $($test:ident),+ $(,)?) => {
        $(mod $test {
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$test($crate::support::Engine::Sqlite).await;
            }
        })+
    };
    ($($test:ident),+ $(,)?) => {
        $(mod $test {
            #[tokio::test]
            async fn sqlite() {
                super::$test($crate::support::Engine::Sqlite).await;
            }
        })+
    };
}

/// What keeps the orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Built in, one file.
    Sqlite,
}

/// Where the services of one test keep their orders, one after the other.
#[derive(Debug)]
pub(crate) struct Storage {
    folder: TempDir,
}

impl Storage {
    /// An empty one.
    pub(crate) fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self { folder: TempDir::new().expect("a temporary folder") },
        }
    }

    /// Where the test itself may keep files, in one folder with the service's.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Has a service in the test's process keep its orders here.
    pub(crate) fn apply_to(&self, settings: &mut Settings) {
        settings.data.folder = self.folder().join("data");
    }

    /// Has a process of its own do so.
    pub(crate) fn pass_to(&self, program: &mut Command) {
        program.arg("--data").arg(self.folder().join("data"));
    }
}
