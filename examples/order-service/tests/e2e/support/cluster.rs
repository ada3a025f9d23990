//! The PostgreSQL server that all tests of a run share, and a database of its own for each.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use seawall_testkit::server::{self, Server};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::runtime;

static CLUSTER: LazyLock<Cluster> = LazyLock::new(Cluster::start);

static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// The URL of a new, empty database.
pub(crate) fn new_database() -> String {
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let url = CLUSTER.server.url();
    // It orders letters as people do, which is not the order of the service's pages, where the server knows how.
    let created =
        CLUSTER.run(format!("CREATE DATABASE test_{number} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"));
    if created.is_err() {
        CLUSTER.run(format!("CREATE DATABASE test_{number}")).expect("a new database");
    }
    let (server, _database) = url.rsplit_once('/').expect("the URL ends with a database");
    format!("{server}/test_{number}")
}

/// The server. A static is never dropped, so something else ends it with the tests' process.
struct Cluster {
    server: Server,
    _leash: Child,
}

/// Waits until its input ends, as it does with the process that holds the other end, in whichever way that ends. Then
/// stops the server whose data folder is `$1`, and removes it. An interrupt from the terminal reaches the server itself.
const LEASH: &str = r#"
    trap '' INT
    read -r _
    server=$(head -n 1 "$1/postmaster.pid") && kill -QUIT "$server"
    for _ in $(seq 600); do
        [ -e "$1/postmaster.pid" ] && kill -0 "$server" || break
        sleep 0.1
    done
    rm -rf "$(dirname "$1")"
"#;

impl Cluster {
    fn start() -> Self {
        let server = server::postgres().unwrap_or_else(|error| panic!("{error}"));
        let data: (String,) = blocking(server.url(), async |connection| {
            let row = sqlx::query_as("SHOW data_directory").fetch_one(connection).await;
            row.expect("a server knows where its data are")
        });
        let leash = Command::new("sh")
            .args(["-c", LEASH, "leash"])
            .arg(PathBuf::from(data.0))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        let cluster = Self { server, _leash: leash };
        // The server is not killed, so what it was told outlives any service that is. The tests on faults have their own.
        for sql in ["ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"] {
            cluster.run(sql.to_owned()).expect("the server does as it is told");
        }
        cluster
    }

    fn run(&self, sql: String) -> Result<(), sqlx::Error> {
        blocking(self.server.url(), async |connection| connection.execute(AssertSqlSafe(sql)).await.map(drop))
    }
}

/// Asks the server on a thread of its own, as the caller may be in a runtime or not.
fn blocking<T: Send>(url: &str, ask: impl AsyncFnOnce(&mut PgConnection) -> T + Send) -> T {
    let asked = || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut connection = PgConnection::connect(url).await.expect("the server takes connections");
            let answer = ask(&mut connection).await;
            connection.close().await.expect("the server lets go");
            answer
        })
    };
    thread::scope(|scope| scope.spawn(asked).join().expect("nothing panicked"))
}
