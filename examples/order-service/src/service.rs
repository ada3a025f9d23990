//! The service as a whole: started, running, stopped.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use seawall_circuit_breaker::Config as BreakerConfig;
use seawall_core::spawn::Spawner;
use seawall_core::time::Clock;
use seawall_core::{Backoff, ConfigError, Jitter};
use seawall_rate_limit::http::ClientAddress;
use seawall_retry::{Config as RetryConfig, Retry, Timeout, TimeoutConfig};
use tokio::task::JoinSet;

use crate::app::{self, App};
use crate::breakers::{Breakers, DATABASE, DATABASE_WRITES, Dependency, Guard, Guarded, INVENTORY, PAYMENT, Role};
use crate::bulkheads::{Bulkheads, Entrance, Purpose};
use crate::caller::{KeyStore, Keyring, Refresh};
use crate::clock::WallTime;
use crate::config::{self, InvalidConfig, Settings};
use crate::database::{DataFolder, Database};
use crate::degradation::{self, Degradation};
use crate::http::{Connections, Deadlines, Edge, Listener};
use crate::inventory::{self, Inventory};
use crate::limit::limit;
use crate::load_test::LoadTests;
use crate::metrics::{AttemptFigures, Metrics};
use crate::orders::OrderStore;
use crate::payment::{self, Payments, Redrive};
use crate::products::ProductStore;
use crate::provider::{self, Calls};
use crate::rate_limits::{self, Load, RateLimits};
use crate::shutdown::Drain;
use crate::statistics::StatisticsStore;
use crate::suggestions::{SuggestionStore, Suggestions};
use crate::worker_pools::WorkerPools;

/// How much longer than its payments and requests the redrive may take to finish.
const MARGIN: Duration = Duration::from_secs(1);

/// A running order service.
///
/// Dropped instead of [stopped](Service::stop), it cuts off the requests that are under way; orders that workers have are worked
/// off while the runtime lives.
#[derive(Debug)]
pub struct Service {
    public: SocketAddr,
    admin: SocketAddr,
    app: Arc<App>,
    connections: [Connections; 2],
    redrive: JoinSet<()>,
    refresh: JoinSet<()>,
    adapting: JoinSet<()>,
    shutdown: config::Shutdown,
    _folder: Option<DataFolder>,
}

/// Why the service cannot start.
#[derive(Debug)]
pub enum StartError {
    /// A setting cannot be used.
    Config(InvalidConfig),
    /// The data folder cannot be used.
    Data(PathBuf, io::Error),
    /// The database, which is where the text says, cannot be used.
    Database(String, sqlx::Error),
    /// A port cannot be had.
    Bind(SocketAddr, io::Error),
    /// A provider of the service's own, or a worker, cannot be started.
    Provider(io::Error),
}

impl Service {
    /// Starts a service; it takes requests when this returns.
    ///
    /// # Errors
    /// When something that it needs cannot be had. Nothing is left running then.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        Box::pin(Self::start_on(Clock::system(), settings)).await
    }

    /// The same on another clock, such as one that is moved by hand. What waits for sockets does so in real time.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_on(clock: Clock, settings: Settings) -> Result<Self, StartError> {
        settings.check().map_err(StartError::Config)?;
        let server = &settings.server;
        let public = bind(SocketAddr::new(server.address, server.port)).await?;
        let admin = bind(SocketAddr::new(server.admin_address, server.admin_port)).await?;

        let metrics = Metrics::new();
        // On the heap: what is done once need not make whoever starts a service large.
        let (database, folder) = Box::pin(open_database(&settings, &clock, &metrics)).await?;
        let app = Arc::new(Box::pin(assemble(&settings, public.address(), database, metrics, clock.clone())).await?);
        let refresh = Box::pin(refresh(&app, &settings)).await;
        let redrive = Box::pin(redrive(&app, &settings)).await;

        let adapting = adapt(&app, &settings);

        let addresses = ClientAddress::new(settings.client_address.clone())
            .map_err(|error| StartError::Config(InvalidConfig::of_part("client_address", &error)))?;
        let edge = Arc::new(Edge::new(addresses, clock.clone(), app.metrics.http.clone()));
        app.metrics.patterns.add(edge.timeout().clone());
        let (public_address, admin_address) = (public.address(), admin.address());
        let connections = [
            Connections::serve(public, app::public(&app, &edge), clock.clone()),
            Connections::serve(admin, app::admin(&app, &edge), clock),
        ];
        tracing::info!(
            public = %public_address,
            admin = %admin_address,
            database = app.database.unguarded().engine(),
            inventory = app.inventory_provider.as_ref().map(|provider| provider.url()),
            payment = app.payment_provider.as_ref().map(|provider| provider.url()),
            profile = ?settings.profile,
            "listening"
        );
        let (public, admin) = (public_address, admin_address);
        Ok(Self {
            public,
            admin,
            app,
            connections,
            redrive,
            refresh,
            adapting,
            shutdown: settings.shutdown,
            _folder: folder,
        })
    }

    /// Where the public listener is.
    pub fn public(&self) -> SocketAddr {
        self.public
    }

    /// Where the admin listener is.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The payment provider, where it is the service's own.
    pub fn provider(&self) -> Option<&payment::Provider> {
        self.app.payment_provider.as_deref()
    }

    /// The inventory provider, where it is the service's own.
    pub fn inventory(&self) -> Option<&inventory::Provider> {
        self.app.inventory_provider.as_deref()
    }

    /// Ends the service in good order: says that it is not ready, waits for balancers to notice, accepts no more, lets
    /// requests under way finish, and orders that workers have, and closes the database. Whether all requests finished in time.
    pub async fn stop(self) -> bool {
        let Self { app, connections: [public, admin], mut redrive, mut refresh, mut adapting, shutdown, .. } = self;
        app.drain.begin();
        tracing::info!(delay = ?shutdown.readiness_delay, grace = ?shutdown.grace, "draining");
        app.clock.sleep(shutdown.readiness_delay).await;

        let finished = public.close(&app.shutdown, shutdown.grace).await;
        if !finished {
            tracing::warn!("requests were cut off: they did not finish within the grace period");
        }
        admin.cut_off().await;

        // What they may leave undone is in the database.
        let longest = app.inventory.calls().timeout() + app.payments.calls().timeout();
        let patience = longest.min(shutdown.grace) + MARGIN;
        let redriven = app.shutdown.run(redrive.join_next()).within(patience);
        let (_, ()) = tokio::join!(redriven, app.worker_pools.drain(longest.min(shutdown.grace)));
        redrive.shutdown().await;
        refresh.shutdown().await;
        adapting.shutdown().await;
        app.database.unguarded().close().await;
        if let Some(provider) = &app.inventory_provider {
            provider.stop().await;
        }
        if let Some(provider) = &app.payment_provider {
            provider.stop().await;
        }
        tracing::info!("stopped");
        finished
    }
}

async fn bind(address: SocketAddr) -> Result<Listener, StartError> {
    Listener::bind(address.ip(), address.port()).await.map_err(|error| StartError::Bind(address, error))
}

/// PostgreSQL, if the settings say where it is, or SQLite in the data folder, which is then this service's own.
async fn open_database(
    settings: &Settings,
    clock: &Clock,
    metrics: &Metrics,
) -> Result<(Database, Option<DataFolder>), StartError> {
    let (config, clock, figures) = (&settings.database, clock.clone(), metrics.sql.clone());
    if let Some(url) = &config.url {
        let connected = Database::remote(url, config, clock, figures).await;
        return connected
            .map(|database| (database, None))
            .map_err(|error| StartError::Database(format!("at {url}"), error));
    }
    let path = &settings.data.folder;
    let folder = DataFolder::take(path).map_err(|error| StartError::Data(path.clone(), error))?;
    let opened = Database::embedded(&folder, config, clock, figures).await;
    let database = opened.map_err(|error| StartError::Database(format!("in {}", path.display()), error))?;
    Ok((database, Some(folder)))
}

async fn assemble(
    settings: &Settings,
    public: SocketAddr,
    database: Database,
    metrics: Metrics,
    clock: Clock,
) -> Result<App, StartError> {
    let bulkheads = Bulkheads::new(&settings.bulkheads, &clock, &metrics.patterns).map_err(StartError::Config)?;
    let mut parts = Assembly { breakers: Breakers::default(), metrics: &metrics, clock: &clock };
    let guard = {
        let config = &settings.database;
        // Both circuits are of one database.
        let mut circuit = |role| parts.dependency(role, &config.breaker, &bulkheads.database, config.timeout);
        Guard::new(circuit(DATABASE)?, circuit(DATABASE_WRITES)?)
    };
    let (inventory, inventory_provider) = {
        let config = &settings.inventory;
        let own = match &config.url {
            Some(_) => None,
            None => Some(inventory::Provider::start(config.provider, config.stock.clone()).await?),
        };
        let dependency = parts.dependency(INVENTORY, &config.breaker, &bulkheads.inventory, config.timeout)?;
        let calls = parts.calls(INVENTORY, dependency, &config.retry, config.patience, &metrics.reservations)?;
        let url = config.url.as_deref().or(own.as_ref().map(inventory::Provider::url)).unwrap_or_default();
        (Inventory::new(url, calls).map_err(io::Error::other)?, own.map(Arc::new))
    };
    let (payments, payment_provider) = {
        let config = &settings.payment;
        let own = match &config.url {
            Some(_) => None,
            None => Some(payment::Provider::start(config.provider).await?),
        };
        let dependency = parts.dependency(PAYMENT, &config.breaker, &bulkheads.payment, config.timeout)?;
        let calls = parts.calls(PAYMENT, dependency, &config.retry, config.patience, &metrics.payments)?;
        let url = config.url.as_deref().or(own.as_ref().map(payment::Provider::url)).unwrap_or_default();
        (Payments::new(url, calls).map_err(io::Error::other)?, own.map(Arc::new))
    };
    let spawner = Spawner::tokio().map_err(io::Error::other)?;
    let worker_pools =
        WorkerPools::new(&settings.worker_pools, &clock, &spawner, &metrics.patterns).map_err(StartError::Config)?;
    let deadlines = Deadlines::new(settings.server.deadline.clone(), &clock)
        .map_err(|error| StartError::Config(InvalidConfig::of_part("server.deadline", &error)))?;
    metrics.patterns.add(deadlines.timeout().clone());
    let bodies = limit("body", settings.server.body_timeout, &clock);
    // A grace of nothing at all is given to each wait by itself.
    let shutdown = limit("shutdown", settings.shutdown.grace.max(Duration::from_millis(1)), &clock);
    for timeout in [&bodies, &shutdown].into_iter().chain(database.timeouts()) {
        metrics.patterns.add(timeout.clone());
    }
    let limits = &settings.rate_limits;
    let configs = limits.configs(settings.profile).map_err(StartError::Config)?;
    let rate_limits = RateLimits::new(configs, limits.keys, &clock, &metrics.patterns).map_err(StartError::Config)?;
    let breakers = parts.breakers;
    let ceiling = limits.load.ceiling;
    let degradation = Degradation::new(&settings.degradation, (metrics.http.clone(), ceiling), &bulkheads, &clock)
        .map_err(|error| StartError::Config(InvalidConfig::of_part("degradation.gauge", &error)))?;
    metrics.patterns.add(degradation.gauge().clone());
    let keyring = Arc::new(Keyring::default());
    let load_tests = LoadTests::new(public, &keyring, metrics.load_tests.clone(), &clock);
    metrics.patterns.add(load_tests.timeout().clone());
    Ok(App {
        profile: settings.profile,
        clock: clock.clone(),
        keyring,
        rate_limits: Arc::new(rate_limits),
        load: Load { gauge: degradation.gauge().clone(), requests: metrics.http.clone(), ceiling },
        degradation,
        load_tests,
        keys: Guarded::new(KeyStore::new(database.clone()), guard.clone()),
        orders: Guarded::new(OrderStore::new(database.clone()), guard.clone()),
        products: Guarded::new(ProductStore::new(database.clone()), guard.clone()),
        suggestions: Suggestions::new(
            Guarded::new(SuggestionStore::new(database.clone()), guard.clone()),
            clock.clone(),
        ),
        statistics: Guarded::new(StatisticsStore::new(database.clone()), guard.clone()),
        database: Guarded::new(database, guard),
        inventory,
        payments,
        inventory_provider,
        payment_provider,
        breakers,
        bulkheads,
        worker_pools: Arc::new(worker_pools),
        metrics,
        drain: Drain::new(),
        deadlines: Arc::new(deadlines),
        bodies,
        shutdown,
    })
}

/// Makes the patterns, and has their figures exported.
struct Assembly<'a> {
    breakers: Breakers,
    metrics: &'a Metrics,
    clock: &'a Clock,
}

impl Assembly<'_> {
    /// A dependency whose calls find room at `entrance` and may take `limit`.
    fn dependency(
        &mut self,
        role: Role,
        config: &BreakerConfig,
        entrance: &Entrance,
        limit: Duration,
    ) -> Result<Dependency, StartError> {
        let breaker = self.breakers.make(role, config.clone(), self.clock);
        let breaker = breaker.map_err(|error| StartError::Config(InvalidConfig::of_breaker(role.section, &error)))?;
        let timeout = Timeout::with_clock(TimeoutConfig::new(limit).name(role.name), self.clock.clone());
        let timeout = timeout.map_err(|error| StartError::Config(InvalidConfig::of_part(role.section, &error)))?;
        self.metrics.patterns.add(breaker.clone());
        self.metrics.patterns.add(timeout.clone());
        Ok(Dependency::new(breaker, entrance.clone(), timeout, self.clock.clone()))
    }

    /// Calls of a provider, made again while its budget lasts.
    fn calls(
        &self,
        role: Role,
        dependency: Dependency,
        config: &RetryConfig,
        patience: Duration,
        figures: &AttemptFigures,
    ) -> Result<Calls, StartError> {
        let invalid =
            |error: ConfigError| StartError::Config(InvalidConfig::of_part(&format!("{}.retry", role.section), &error));
        let config = provider::named(config.clone(), role.name).map_err(invalid)?;
        let (config, budget) = provider::pay_from(config, role.name, self.clock).map_err(invalid)?;
        let retry = Retry::with_clock(config, self.clock.clone()).map_err(invalid)?;
        self.metrics.patterns.add(retry.clone());
        if let Some(budget) = budget {
            self.metrics.patterns.add(budget);
        }
        Ok(Calls::new(dependency, retry, patience, self.clock.clone(), figures.clone()))
    }
}

/// Reads the callers' keys, and has them read again from then on.
async fn refresh(app: &App, settings: &Settings) -> JoinSet<()> {
    let refresh = Refresh {
        store: app.keys.clone(),
        keyring: app.keyring.clone(),
        clock: app.clock.clone(),
        drain: app.drain.clone(),
        interval: settings.callers.refresh,
    };
    refresh.once().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(refresh.run());
    tasks
}

/// Has the features follow the load, and the limits that adapt.
fn adapt(app: &App, settings: &Settings) -> JoinSet<()> {
    let (load, limits, interval) = (app.load.clone(), app.rate_limits.clone(), settings.rate_limits.load.interval);
    let mut tasks = JoinSet::new();
    tasks.spawn(degradation::follow(app.degradation.gauge().clone(), app.drain.clone()));
    tasks.spawn(rate_limits::follow(load, limits, interval, app.clock.clone(), app.drain.clone()));
    tasks
}

/// Has pending payments tried again, first of all those that an earlier process left.
async fn redrive(app: &App, settings: &Settings) -> JoinSet<()> {
    let config::Redrive { interval, max_backoff } = settings.payment.redrive;
    let redrive = Redrive {
        orders: app.orders.clone(),
        inventory: app.inventory.clone(),
        payments: app.payments.clone(),
        pools: app.worker_pools.clone(),
        clock: app.clock.clone(),
        drain: app.drain.clone(),
        figures: app.metrics.orders.clone(),
        interval,
        // Half of each wait is random, so that orders which failed together do not come back together.
        backoff: Backoff::exponential(interval, 2.0, max_backoff)
            .expect("the settings are checked: no backoff is shorter than the interval")
            .jitter(Jitter::Equal),
    };
    let (database, started) = (app.database.unguarded().clone(), WallTime::now());
    let mut taken_over = take_over(&redrive, &database, started).await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // The database may be away.
        while !taken_over && !redrive.drain.has_begun() {
            redrive.drain.begun_within(redrive.interval, &redrive.clock).await;
            taken_over = take_over(&redrive, &database, started).await;
        }
        Arc::new(redrive).run().await;
    });
    tasks
}

/// Makes due what an earlier process left: what that planned means nothing after a start. Whether it succeeds.
async fn take_over(redrive: &Redrive, database: &Database, started: WallTime) -> bool {
    if !database.is_ready() {
        return false;
    }
    match redrive.orders.write(Purpose::Showing.unhurried(), |orders| orders.make_due(started)).await {
        Ok(0) => {}
        Ok(orders) => tracing::info!(orders, "payments left pending are tried again"),
        Err(error) => {
            tracing::warn!(%error, "payments left pending cannot be taken over yet");
            return false;
        }
    }
    true
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Provider(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Data(folder, error) => write!(f, "the data folder {} cannot be used: {error}", folder.display()),
            Self::Database(place, error) => write!(f, "the database {place} cannot be used: {error}"),
            Self::Bind(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "port {} is in use; another can be given with --port or --admin-port", address.port())
            }
            Self::Bind(address, error) => write!(f, "{address} cannot be listened on: {error}"),
            Self::Provider(error) => write!(f, "a provider or a worker cannot be started: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Database(_, error) => Some(error),
            Self::Data(_, error) | Self::Bind(_, error) | Self::Provider(error) => Some(error),
        }
    }
}
