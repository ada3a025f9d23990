//! A service in the test's own process.

use std::time::Duration;

use order_service::Service;
use order_service::config::{Profile, Settings};
use order_service::inventory;
use order_service::payment::Provider;
use seawall_core::time::Clock;
use seawall_retry::Config as RetryConfig;
use serde_json::Value;

use super::{Client, Engine, Storage, eventually};

/// A running service with a storage and ports of its own.
#[derive(Debug)]
pub(crate) struct Shop {
    service: Service,
    pub(crate) public: Client,
    pub(crate) admin: Client,
    storage: Storage,
}

impl Shop {
    /// A service as it is by default, but quick.
    pub(crate) async fn open(engine: Engine) -> Self {
        Self::open_with(engine, |_| {}).await
    }

    /// The same, with `change`d settings.
    pub(crate) async fn open_with(engine: Engine, change: impl FnOnce(&mut Settings)) -> Self {
        Self::open_on(Storage::new(engine), change).await
    }

    /// The same, with its orders in `storage`.
    pub(crate) async fn open_on(storage: Storage, change: impl FnOnce(&mut Settings)) -> Self {
        Self::open_at(Clock::system(), storage, change).await
    }

    /// The same, on another clock.
    pub(crate) async fn open_at(clock: Clock, storage: Storage, change: impl FnOnce(&mut Settings)) -> Self {
        // Tests ask more often than callers may, who have no key and one address; those of limits do not.
        let mut settings = Settings { profile: Profile::Load, ..Settings::default() };
        settings.server.port = 0;
        settings.server.admin_port = 0;
        storage.apply_to(&mut settings);
        settings.payment.provider.latency = Duration::ZERO;
        // Far more than a busy machine takes, so that only tests of the timeout see it.
        settings.payment.patience = Duration::from_secs(20);
        settings.inventory.patience = Duration::from_secs(20);
        settings.inventory.provider.latency = Duration::ZERO;
        // Each request is one attempt, so that tests can count; those of retries say how many.
        settings.payment.retry = RetryConfig::default().max_attempts(1);
        settings.inventory.retry = RetryConfig::default().max_attempts(1);
        // Each caller waits until its order is processed; those of tests of the queue do not.
        settings.worker_pools.patience = Duration::from_mins(1);
        settings.shutdown.readiness_delay = Duration::ZERO;
        change(&mut settings);
        let service = Box::pin(Service::start_on(clock, settings)).await.expect("the service starts");
        let (public, admin) = (Client::new(service.public()), Client::new(service.admin()));
        Self { service, public, admin, storage }
    }

    pub(crate) fn provider(&self) -> &Provider {
        self.service.provider().expect("the provider is the service's own")
    }

    pub(crate) fn inventory(&self) -> &inventory::Provider {
        self.service.inventory().expect("the provider is the service's own")
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(crate) fn port(&self) -> u16 {
        self.service.public().port()
    }

    pub(crate) fn admin_port(&self) -> u16 {
        self.service.admin().port()
    }

    /// The payment breaker's snapshot.
    pub(crate) async fn breaker(&self) -> Value {
        self.public.get("/circuit-breakers/payment").await.json()
    }

    /// How many orders there are, on all pages.
    pub(crate) async fn count_orders(&self) -> usize {
        self.all_orders().await.len()
    }

    /// Every order, read page by page.
    pub(crate) async fn all_orders(&self) -> Vec<Value> {
        let mut orders = Vec::new();
        let mut path = "/orders?limit=100".to_owned();
        loop {
            let page = self.public.get(&path).await.json();
            orders.extend(page["orders"].as_array().expect("a list of orders").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/orders?limit=100&cursor={cursor}"),
                None => return orders,
            }
        }
    }

    /// Waits until every order is paid.
    pub(crate) async fn all_paid(&self) {
        eventually("every order is paid", async || {
            self.all_orders().await.iter().all(|order| order["payment"] == "paid").then_some(())
        })
        .await;
    }

    /// Ends the service; it must end well.
    pub(crate) async fn close(self) {
        self.close_for_another().await;
    }

    /// The same, and gives what it kept for the next one.
    pub(crate) async fn close_for_another(self) -> Storage {
        assert!(self.service.stop().await, "requests were cut off");
        self.storage
    }
}
