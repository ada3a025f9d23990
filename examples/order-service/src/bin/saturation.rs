//! Whether orders that matter more are processed first when there are more than the workers can do.
//!
//! Starts the service in this process, on loopback ports and a folder of its own, with a slow payment provider, and places orders
//! in an open loop: each has its moment, and waits for no answer to another. What counts is the time from that moment to the
//! payment, as the database has it. Ends with code 1 if the 99th percentile of urgent orders is more than half of the others'.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use std::{env, fs, process};

use axum::http::{Method, Request, StatusCode, header};
use bytes::Bytes;
use clap::Parser;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use order_service::Service;
use order_service::config::{Profile, Settings};
use seawall_bulkhead::Config as BulkheadConfig;
use seawall_core::time::Clock;
use serde_json::Value;
use tokio::task::JoinSet;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// How long the service may take for what is left when the last order has been placed.
const PATIENCE: Duration = Duration::from_mins(2);
/// The 99th percentile of urgent orders is at most this share of the others'.
const OBJECTIVE: f64 = 0.5;

/// Places more orders than the standard workers can process, some of them urgent.
#[derive(Clone, Copy, Debug, Parser)]
struct Load {
    /// Orders a second
    #[arg(long, default_value_t = 75, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    rps: u32,
    /// For how many seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// How many percent of the orders are urgent: of priority 4 or 5
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=99))]
    urgent: u32,
    /// How many milliseconds a payment takes
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(1..=900))]
    latency: u64,
}

/// An order that was placed.
#[derive(Debug)]
struct Placed {
    /// Its moment, in milliseconds since 1970.
    at: u64,
    status: Option<StatusCode>,
}

#[derive(Clone, Debug)]
struct Client {
    base: String,
    http: HttpClient<HttpConnector, Full<Bytes>>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let load = Load::parse();
    let folder = env::temp_dir().join(format!("order-service-saturation-{}", process::id()));
    let verdict = measure(load, folder.clone()).await;
    // What it leaves there if this fails is in the system's folder for that.
    let _ = fs::remove_dir_all(folder);
    match verdict {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("saturation: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(load: Load, folder: PathBuf) -> Result<bool, Fault> {
    let mut settings = Settings { profile: Profile::Load, ..Settings::default() };
    (settings.server.port, settings.server.admin_port) = (0, 0);
    settings.data.folder = folder;
    settings.payment.provider.latency = Duration::from_millis(load.latency);
    // The workers are what there is too little of.
    settings.bulkheads.payment = BulkheadConfig::new(64).queue(100).max_wait(Duration::from_secs(1));
    settings.bulkheads.inventory = settings.bulkheads.payment.clone();
    settings.shutdown.readiness_delay = Duration::ZERO;
    let service = Box::pin(Service::start(settings)).await?;
    let client = Client::of(service.public());
    let clock = Clock::system();

    let placed = place(load, &client, &clock).await;
    let deadline = clock.now() + PATIENCE;
    let orders = loop {
        // Reading every order is work, too: not while there are others waiting.
        let pools = client.get("/worker-pools").await?;
        if pools["worker_pools"].as_array().is_some_and(|pools| pools.iter().all(is_idle)) {
            // An overloaded service may refuse that.
            match client.orders().await {
                Ok(orders) if orders.iter().all(|order| order["payment"] == "paid") => break orders,
                Err(error) if clock.now() > deadline => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        if clock.now() > deadline {
            return Err("not every order was paid in time".into());
        }
        clock.sleep(Duration::from_millis(250)).await;
    };
    let pools = client.get("/worker-pools").await?;
    let verdict = report(load, &placed, &orders, &pools)?;
    service.stop().await;
    Ok(verdict)
}

fn is_idle(pool: &Value) -> bool {
    pool["active"] == 0 && pool["depth"] == 0
}

/// Places the orders, each in its moment.
async fn place(load: Load, client: &Client, clock: &Clock) -> Vec<Placed> {
    let (begin, wall) = (clock.now(), now());
    let mut requests = JoinSet::new();
    for number in 0..load.rps * load.seconds {
        let offset = Duration::from_secs(1) * number / load.rps;
        clock.sleep_until(begin + offset).await;
        let is_urgent = number * load.urgent / 100 != (number + 1) * load.urgent / 100;
        let priority = if is_urgent { 4 + number % 2 } else { 1 + number % 3 };
        let at = wall + u64::try_from(offset.as_millis()).unwrap_or(u64::MAX);
        let client = client.clone();
        requests.spawn(async move { Placed { at, status: client.place(number, priority).await.ok() } });
    }
    requests.join_all().await
}

fn report(load: Load, placed: &[Placed], orders: &[Value], pools: &Value) -> Result<bool, Fault> {
    let mut times = [Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?];
    let begin = placed.iter().map(|order| order.at).min().unwrap_or_default();
    for order in orders {
        let number: u32 = order["id"].as_str().and_then(|id| id.strip_prefix("order-")?.parse().ok()).ok_or("an id")?;
        let paid_at = order["paid_at"].as_str().ok_or("a paid order has the time of its payment")?;
        let paid_at = millis(humantime::parse_rfc3339(paid_at)?);
        let at = begin + u64::from(number) * 1_000 / u64::from(load.rps);
        let is_urgent = order["priority"].as_u64() >= Some(4);
        times[usize::from(is_urgent)].record(paid_at.saturating_sub(at))?;
    }
    let with = |status| placed.iter().filter(|order| order.status == Some(status)).count();
    let (processed, queued) = (with(StatusCode::CREATED), with(StatusCode::ACCEPTED));
    println!(
        "{} orders a second for {} s, {} % urgent, payments take {} ms; {} placed: {processed} answered with 201, {queued} with 202, {} refused; {} paid",
        load.rps,
        load.seconds,
        load.urgent,
        load.latency,
        placed.len(),
        placed.len() - processed - queued,
        orders.len()
    );
    for pool in pools["worker_pools"].as_array().into_iter().flatten() {
        let wait = pool["wait_time_seconds"].as_f64().unwrap_or_default();
        println!("pool {}: {} workers at last, jobs waited {wait:.3} s on average", pool["name"], pool["workers"]);
    }
    println!("{:<10} {:>6} {:>9} {:>9} {:>9}", "orders", "count", "p50 ms", "p99 ms", "max ms");
    for (class, times) in ["standard", "urgent"].into_iter().zip(&times) {
        let [p50, p99] = [0.5, 0.99].map(|quantile| times.value_at_quantile(quantile));
        println!("{class:<10} {:>6} {p50:>9} {p99:>9} {:>9}", times.len(), times.max());
    }
    let [standard, urgent] = times.each_ref().map(|times| times.value_at_quantile(0.99));
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of some minutes")]
    let ratio = urgent as f64 / standard.max(1) as f64;
    println!("p99 of urgent orders / p99 of standard ones: {ratio:.3} (at most {OBJECTIVE})");
    if orders.len() < processed + queued {
        return Err("an order that was accepted is not there".into());
    }
    if times.iter().any(Histogram::is_empty) {
        return Err("there is nothing to compare".into());
    }
    Ok(ratio <= OBJECTIVE)
}

impl Client {
    fn of(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        Self { base: format!("http://127.0.0.1:{}", address.port()), http }
    }

    async fn place(&self, number: u32, priority: u32) -> Result<StatusCode, Fault> {
        let body = format!(
            r#"{{"id":"order-{number}","customer_id":"saturation","items":[{{"product_id":"coffee-1","name":"Espresso","quantity":1,"price":4.50}}],"total":4.50,"priority":{priority}}}"#
        );
        let request = Request::builder().method(Method::POST).uri(format!("{}/orders", self.base));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Full::new(body.into()))?;
        let response = self.http.request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }

    async fn get(&self, path: &str) -> Result<Value, Fault> {
        let request = Request::builder().uri(format!("{}{path}", self.base)).body(Full::default())?;
        let body = self.http.request(request).await?.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&body)?)
    }

    /// Every order, read page by page.
    async fn orders(&self) -> Result<Vec<Value>, Fault> {
        let mut orders = Vec::new();
        let mut path = "/orders?limit=100".to_owned();
        loop {
            let page = self.get(&path).await?;
            orders.extend(page["orders"].as_array().ok_or_else(|| format!("no orders: {page}"))?.iter().cloned());
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/orders?limit=100&cursor={cursor}"),
                None => return Ok(orders),
            }
        }
    }
}

/// Wall time, as the database has the time of a payment.
#[expect(clippy::disallowed_methods, reason = "it is compared with wall time that was stored")]
fn now() -> u64 {
    millis(SystemTime::now())
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
