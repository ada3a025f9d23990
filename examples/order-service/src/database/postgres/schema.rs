//! The tables, which the service makes itself as soon as the server lets it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use seawall_core::time::Clock;
use seawall_core::{Backoff, Jitter};
use seawall_retry::Timeout;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::session;
use crate::database::error::{is_refusal, timed_out};
use crate::database::migrations;
use crate::limit::limit;

/// How long a step of a migration may take; a busy table takes longer to change than to read.
const STEP_LIMIT: Duration = Duration::from_mins(1);

/// How long a step waits for a lock, such as for another service that migrates.
const LOCK_LIMIT: Duration = Duration::from_secs(30);

/// How long all steps may take.
const MIGRATION_LIMIT: Duration = Duration::from_mins(5);

/// The first and the longest wait between two attempts to reach the server.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Whether the server has the schema that this service knows.
#[derive(Debug)]
pub(super) struct Schema {
    ready: OnceLock<()>,
    /// Why it is not ready.
    obstacle: Mutex<String>,
    /// How long the server may take for each step; for most of them less than this.
    steps: Timeout,
}

impl Schema {
    /// Has a task bring the schema up to date, now or when the server can be reached.
    ///
    /// Waits for the first attempt, though no longer than twice `connect_timeout`.
    ///
    /// # Errors
    /// When the server refuses the service at the first attempt.
    pub(super) async fn prepare(
        options: PgConnectOptions,
        connect_timeout: Duration,
        clock: Clock,
    ) -> Result<(Arc<Self>, JoinSet<()>), sqlx::Error> {
        let steps = limit("postgresql-schema", MIGRATION_LIMIT, &clock);
        let schema = Arc::new(Self {
            ready: OnceLock::new(),
            obstacle: Mutex::new("connecting".to_owned()),
            steps: steps.clone(),
        });
        let preparation = Preparation {
            options: session(options, STEP_LIMIT, LOCK_LIMIT),
            connect_timeout,
            clock,
            schema: schema.clone(),
        };
        let (refusal, refused) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(preparation.run(refusal));
        match steps.run(refused).within(connect_timeout * 2).await {
            Ok(Ok(error)) => Err(error),
            Ok(Err(_)) | Err(_) => Ok((schema, tasks)),
        }
    }

    /// Why no statement can be run yet; `None` from the moment on when they can.
    pub(super) fn obstacle(&self) -> Option<String> {
        self.ready.get().is_none().then(|| self.obstacle.lock().clone())
    }

    /// What limits the steps.
    pub(super) fn timeout(&self) -> &Timeout {
        &self.steps
    }
}

/// What it takes to bring the schema up to date.
struct Preparation {
    options: PgConnectOptions,
    connect_timeout: Duration,
    clock: Clock,
    schema: Arc<Schema>,
}

impl Preparation {
    /// Tries until it succeeds. After the first attempt `refusal` is used, or dropped: what the server refuses later, somebody
    /// may put right there.
    async fn run(self, refusal: oneshot::Sender<sqlx::Error>) {
        let (shortest, longest) = PAUSES;
        let backoff = Backoff::exponential(shortest, 2.0, longest)
            .expect("the shortest pause is not longer than the longest")
            .jitter(Jitter::Equal);
        let mut refusal = Some(refusal);
        for attempt in 0.. {
            let Err(error) = self.attempt().await else { break };
            *self.schema.obstacle.lock() = error.to_string();
            let unheard = match refusal.take() {
                Some(refusal) if is_refusal(&error) => refusal.send(error),
                _ => Err(error),
            };
            let Err(error) = unheard else { return };
            tracing::warn!(%error, "the database is not ready; trying again");
            self.clock.sleep(backoff.delay(attempt, fastrand::u64(..))).await;
        }
        tracing::info!("the database is ready");
    }

    async fn attempt(&self) -> Result<(), sqlx::Error> {
        // A pool keeps to itself why it cannot connect, so the first connection is made without one.
        let connection = self.within(self.connect_timeout, PgConnection::connect_with(&self.options)).await??;
        // Here and below: how a connection that did its duty ends is of no interest.
        let _ = self.within(self.connect_timeout, connection.close()).await;

        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(self.connect_timeout);
        let pool = pool.connect_lazy_with(self.options.clone());
        self.within(MIGRATION_LIMIT, migrations::postgres().run(&pool)).await??;
        let _ = self.within(self.connect_timeout, pool.close()).await;
        self.schema.ready.get_or_init(|| ());
        Ok(())
    }

    async fn within<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, sqlx::Error> {
        let answer = self.schema.steps.run(future).within(limit).await;
        answer.map_err(|_late| timed_out(format!("no answer within {}", humantime::format_duration(limit))))
    }
}
