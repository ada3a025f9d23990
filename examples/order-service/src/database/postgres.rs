//! The engine that is elsewhere: PostgreSQL, which may be away, slow, or stuck.

mod lease;
mod schema;

use std::sync::Arc;
use std::time::Duration;

use seawall_core::time::Clock;
use seawall_retry::Timeout;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use tokio::task::JoinSet;

use self::lease::Lease;
use self::schema::Schema;
use super::error::{not_ready, timed_out};
use super::{Connections, DatabaseUrl, Statement};
use crate::config;
use crate::limit::limit;

/// How much longer than the server's own limit the service waits for the server to say that the limit is reached.
const GRACE: Duration = Duration::from_secs(1);

/// Connections to the server, made when they are needed.
///
/// Whatever state the server is in, a statement ends within `acquire_timeout + statement_timeout + GRACE`: the server
/// itself ends what takes too long, and one that says nothing any more is not waited for. A server that is restarted
/// within `acquire_timeout` is noticed by nobody who has not sent a statement yet.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    pool: PgPool,
    schema: Arc<Schema>,
    acquire_timeout: Duration,
    /// How long the server may take to answer a statement.
    answers: Timeout,
    /// How long it may take to show that a connection can be used again.
    returns: Timeout,
    /// Brings the schema up to date when the server is there; ends with the last clone.
    _preparing: Arc<JoinSet<()>>,
}

impl Postgres {
    /// Connects to the server at `url` and brings its schema up to date; in the background, as soon as that is possible,
    /// if the server is not there or takes its time.
    ///
    /// # Errors
    /// When the server answers that it will not have this service, as for a wrong password, or has a schema that this
    /// service does not know.
    pub(super) async fn open(
        url: &DatabaseUrl,
        settings: &config::Database,
        clock: Clock,
    ) -> Result<Self, sqlx::Error> {
        let options = url.options().map_err(|valid| sqlx::Error::InvalidArgument(format!("must be {valid}")))?;
        let answers = limit("postgresql-answer", settings.statement_timeout + GRACE, &clock);
        let returns = limit("postgresql-return", settings.acquire_timeout, &clock);
        let (schema, preparing) = Schema::prepare(options.clone(), settings.acquire_timeout, clock).await?;
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .connect_lazy_with(session(options, settings.statement_timeout, settings.lock_timeout));
        Ok(Self {
            pool,
            schema,
            acquire_timeout: settings.acquire_timeout,
            answers,
            returns,
            _preparing: Arc::new(preparing),
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.schema.obstacle().is_none()
    }

    pub(super) async fn change(&self, statement: &Statement<'_>) -> Result<u64, sqlx::Error> {
        let mut connection = self.lease().await?;
        let executed = statement.to_query().execute(connection.get());
        Ok(self.within_limit(executed).await?.rows_affected())
    }

    pub(super) async fn rows(&self, statement: &Statement<'_>) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut connection = self.lease().await?;
        let fetched = statement.to_query().fetch_all(connection.get());
        self.within_limit(fetched).await
    }

    pub(super) fn connections(&self) -> Connections {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        let max = self.pool.options().get_max_connections();
        Connections { idle, used: self.pool.size().saturating_sub(idle), max }
    }

    pub(super) fn timeouts(&self) -> [&Timeout; 3] {
        [&self.answers, &self.returns, self.schema.timeout()]
    }

    pub(super) async fn close(&self) {
        if self.answers.run(self.pool.close()).await.is_err() {
            tracing::warn!("connections were cut off: the database does not answer");
        }
    }

    async fn lease(&self) -> Result<Lease, sqlx::Error> {
        if let Some(obstacle) = self.schema.obstacle() {
            return Err(not_ready(obstacle));
        }
        match self.pool.acquire().await {
            Ok(connection) => Ok(Lease::new(connection, self.returns.clone())),
            Err(sqlx::Error::PoolTimedOut) => {
                let waited = humantime::format_duration(self.acquire_timeout);
                Err(timed_out(format!("no connection to the server within {waited}")))
            }
            Err(error) => Err(error),
        }
    }

    async fn within_limit<T>(&self, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        match self.answers.run(answer).await {
            Ok(answer) => answer,
            Err(_late) => {
                let waited = humantime::format_duration(self.answers.duration());
                Err(timed_out(format!("no answer from the server within {waited}")))
            }
        }
    }
}

/// Has the server end a statement that runs, or waits for a lock, for too long, and answer a commit when it is on the disk,
/// whatever it does for others.
fn session(options: PgConnectOptions, statement: Duration, lock: Duration) -> PgConnectOptions {
    options.options([
        ("statement_timeout", statement.as_millis().to_string()),
        ("lock_timeout", lock.as_millis().to_string()),
        ("synchronous_commit", "on".to_owned()),
        // Notices tell about statements, which are the service's own.
        ("client_min_messages", "warning".to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_bounded_and_durable_whatever_the_url_says() {
        let url = DatabaseUrl::from("postgres://db/orders?options=-c%20synchronous_commit%3Doff");
        let options = session(url.options().expect("a good URL"), Duration::from_secs(5), Duration::from_millis(200));
        // Of two settings of one name the server takes the last.
        assert_eq!(
            options.get_options(),
            Some(
                "-c synchronous_commit=off -c statement_timeout=5000 -c lock_timeout=200 -c synchronous_commit=on \
                 -c client_min_messages=warning"
            )
        );
    }
}
