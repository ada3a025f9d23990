//! SIGKILL under load: whatever was accepted is there afterwards, and is paid once.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fs};

use axum::http::StatusCode;
use futures_util::future::join_all;
use order_service::payment::{Behaviour, Provider};

use crate::support::{Client, Engine, ORDER_TOTAL, Process, Storage, eventually, order_text};

each_engine!(multi_thread: accepted_orders_survive_kill_9_and_are_paid_once);

const CALLERS: usize = 8;
const ACCEPTED_BEFORE_KILL: usize = 40;

/// How often the service is killed; a longer run raises it.
fn kills() -> usize {
    env::var("ORDER_SERVICE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// Places orders until told to stop, and notes those that were accepted.
async fn place(client: &Client, prefix: &str, accepted: &Mutex<BTreeSet<String>>, stop: &AtomicBool) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("{prefix}-{number}");
        match client.try_post_order(order_text(&id)).await {
            Some(answer) => {
                let accepted_as = [StatusCode::CREATED, StatusCode::ACCEPTED];
                assert!(accepted_as.contains(&answer.status), "{}", answer.text());
                accepted.lock().expect("no test thread panicked").insert(id);
            }
            // Killed before it answered: the order may be there or not, and nobody was promised anything.
            None => return,
        }
    }
}

async fn accepted_orders_survive_kill_9_and_are_paid_once(engine: Engine) {
    let storage = Storage::new(engine);
    // A third of the payments is pending at any time, and the provider outlives the service.
    let behaviour = Behaviour { failure_rate: 0.3, ..Behaviour::slow(Duration::from_millis(5)) };
    let provider = Provider::start(behaviour).await.expect("the provider starts");
    let config = storage.folder().join("shop.toml");
    let text = format!(
        r#"
        [payment]
        url = "{}"
        [payment.redrive]
        interval = "10ms"
        max_backoff = "100ms"
        [payment.breaker]
        consecutive_failures = 5
        open = {{ for = "20ms" }}
        "#,
        provider.url()
    );
    fs::write(&config, text).expect("the file can be written");
    let start = || Process::start(&storage, &["--config", config.to_str().expect("a UTF-8 path")]);

    let accepted = Mutex::new(BTreeSet::new());
    for round in 0..kills() {
        let mut service = start();
        let enough = accepted.lock().expect("no test thread panicked").len() + ACCEPTED_BEFORE_KILL;
        let stop = AtomicBool::new(false);
        let client = service.public.clone();
        let callers = (0..CALLERS).map(|caller| {
            let (client, accepted, stop) = (&client, &accepted, &stop);
            async move { place(client, &format!("order-{round}-{caller}"), accepted, stop).await }
        });
        let killer = async {
            eventually("enough orders are accepted", async || {
                (accepted.lock().expect("no test thread panicked").len() >= enough).then_some(())
            })
            .await;
            service.kill();
            stop.store(true, Ordering::Relaxed);
        };
        tokio::join!(join_all(callers), killer);
    }

    provider.behave(Behaviour::default());
    let service = start();
    let accepted = accepted.into_inner().expect("no test thread panicked");
    assert!(accepted.len() >= kills() * ACCEPTED_BEFORE_KILL);
    for id in &accepted {
        eventually("the order is there and paid", async || {
            let answer = service.public.get(&format!("/orders/{id}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{id} was lost");
            (answer.json()["payment"] == "paid").then_some(())
        })
        .await;
        assert_eq!(provider.collected(id), Some(ORDER_TOTAL), "{id}");
    }
    // Charges without an answer are those of orders whose caller was cut off: at most one for each caller and kill.
    let charges = provider.figures().done.charges;
    assert!(charges <= (accepted.len() + kills() * CALLERS) as u64, "{charges} charges for {}", accepted.len());
}
