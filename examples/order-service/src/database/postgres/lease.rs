use seawall_retry::Timeout;
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;
use tokio::runtime::Handle;

/// A connection on loan from the pool.
///
/// Dropped, whatever has become of its statement, it is checked and goes back, or is closed when the check does not
/// succeed in time. The pool's own way back waits for a stuck server without a bound, and the pool would run dry.
#[derive(Debug)]
pub(super) struct Lease {
    connection: PoolConnection<Postgres>,
    /// How long the check may take.
    limit: Timeout,
}

impl Lease {
    pub(super) fn new(connection: PoolConnection<Postgres>, limit: Timeout) -> Self {
        Self { connection, limit }
    }

    pub(super) fn get(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let back = self.connection.return_to_pool();
        // Without a runtime there is nobody to check the connection: dropping `back` closes it.
        if let Ok(runtime) = Handle::try_current() {
            let limit = self.limit.clone();
            runtime.spawn(async move {
                if limit.run(back).await.is_err() {
                    tracing::info!("a connection to the database is given up: the server does not answer");
                }
            });
        }
    }
}
