//! `floods`: what a flood of calls to one dependency does to the calls of another one, with and without bulkheads. Prints
//! figures, judges nothing.
//!
//! A service has sixty connections for two dependencies. Orders take 5 ms and come every 10 ms; reports take two seconds, and in a
//! flood 200 of them come every second, for twenty seconds. Time is tokio's paused clock, so the figures are the same in every
//! run and on every machine.

use std::sync::Arc;
use std::time::Duration;

use seawall_bulkhead::{Bulkhead, Config};
use seawall_core::time::Clock;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const CONNECTIONS: usize = 60;
const FLOOD: Duration = Duration::from_secs(20);
const ORDER: Kind = Kind { takes: Duration::from_millis(5), every: Duration::from_millis(10) };
const REPORT: Kind = Kind { takes: Duration::from_secs(2), every: Duration::from_millis(5) };

/// One kind of calls.
#[derive(Clone, Copy)]
struct Kind {
    takes: Duration,
    every: Duration,
}

fn main() {
    println!("orders, which take {:?}", ORDER.takes);
    println!(
        "{:<28}{:>10}{:>12}{:>12}{:>12}{:>18}",
        "", "served", "median ms", "p99 ms", "longest ms", "reports refused"
    );
    for (name, flood, bulkheads) in
        [("no flood", false, false), ("flood, no bulkheads", true, false), ("flood, bulkheads", true, true)]
    {
        let Figures { orders, refused } = figures(flood, bulkheads);
        let millis = |part: f64| quantile(&orders, part).as_secs_f64() * 1e3;
        let served = orders.len();
        println!("{name:<28}{served:>10}{:>12.1}{:>12.1}{:>12.1}{refused:>18}", millis(0.5), millis(0.99), millis(1.0));
    }
}

struct Figures {
    /// How long each order took, the shortest first.
    orders: Vec<Duration>,
    /// How many reports were refused.
    refused: usize,
}

fn figures(flood: bool, bulkheads: bool) -> Figures {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        let bulkhead = |limit, queue, name: &str| {
            let config = Config::new(limit).queue(queue).max_wait(FLOOD).name(name);
            bulkheads.then(|| Bulkhead::with_clock(config, Clock::tokio()).expect("the settings are valid"))
        };
        let orders = tokio::spawn(calls(ORDER, connections.clone(), bulkhead(50, 100, "orders")));
        let reports = calls(REPORT, connections, bulkhead(10, 20, "reports"));
        let refused = if flood { reports.await.iter().filter(|took| took.is_none()).count() } else { 0 };
        let mut orders: Vec<Duration> = orders.await.expect("no panic").into_iter().flatten().collect();
        orders.sort_unstable();
        Figures { orders, refused }
    })
}

/// Makes calls of one kind for as long as the flood lasts; tells how long each took, if it was served.
async fn calls(kind: Kind, connections: Arc<Semaphore>, bulkhead: Option<Bulkhead>) -> Vec<Option<Duration>> {
    let mut calls = JoinSet::new();
    let ends = Instant::now() + FLOOD;
    while Instant::now() < ends {
        let (connections, bulkhead) = (connections.clone(), bulkhead.clone());
        calls.spawn(async move {
            let began = Instant::now();
            let _permit = match &bulkhead {
                Some(bulkhead) => Some(bulkhead.admit().await.ok()?),
                None => None,
            };
            let _connection = connections.acquire().await.ok()?;
            sleep(kind.takes).await;
            Some(began.elapsed())
        });
        sleep(kind.every).await;
    }
    calls.join_all().await
}

fn quantile(sorted: &[Duration], part: f64) -> Duration {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    let place = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulkheads_keep_a_flood_from_orders() {
        let [calm, flooded, kept] = [(false, false), (true, false), (true, true)].map(|(flood, on)| figures(flood, on));
        assert_eq!(calm.orders.len(), kept.orders.len());
        assert_eq!(
            quantile(&calm.orders, 1.0),
            quantile(&kept.orders, 1.0),
            "no order waits longer than without a flood"
        );
        assert!(quantile(&flooded.orders, 0.5) > 100 * ORDER.takes, "without bulkheads a flood is harmless");
        assert!(kept.refused > 0);
    }
}
