//! Whatever ends the service: no order that was accepted is lost, and none is paid twice.

use std::fs;
use std::time::Duration;

use super::{Gate, Mood, becomes_paid, figures, fills, payment_of, place_queued, pool, shop_on};
use crate::support::{Engine, Process, Storage};

each_engine!(
    multi_thread: orders_in_the_queue_of_a_service_that_ends_are_paid_by_the_next,
    orders_in_the_queue_of_a_service_that_is_killed_are_paid_by_the_next,
);

const IDS: [&str; 6] = ["order-0", "order-1", "order-2", "order-3", "order-4", "order-5"];

async fn orders_in_the_queue_of_a_service_that_ends_are_paid_by_the_next(engine: Engine) {
    let gate = Gate::closed().await;
    let shop = shop_on(Storage::new(engine), &gate, |settings| {
        settings.worker_pools.standard = pool(1..=1);
        // What the worker has is not finished in time.
        settings.shutdown.grace = Duration::from_millis(100);
    })
    .await;
    for id in IDS {
        place_queued(&shop.public, id, 3).await;
    }
    fills(&shop.public, "standard", 1, 5).await;
    let storage = shop.close_for_another().await;
    gate.turn(Mood::Serve);
    let shop = shop_on(storage, &gate, |_| {}).await;
    for id in IDS {
        becomes_paid(&shop.public, id).await;
    }
    let asked = gate.asked();
    // Again only where the first service did not hear the answer.
    assert!(asked[IDS[0]] == 2 && asked[IDS[5]] == 1 && asked.values().all(|times| *times <= 2), "{asked:?}");
    shop.close().await;
}

async fn orders_in_the_queue_of_a_service_that_is_killed_are_paid_by_the_next(engine: Engine) {
    let gate = Gate::closed().await;
    let storage = Storage::new(engine);
    let config = storage.folder().join("shop.toml");
    let text = format!(
        r#"
        [payment]
        url = "{}"
        patience = "1m"
        [payment.redrive]
        interval = "10ms"
        [worker_pools]
        patience = "1ms"
        [worker_pools.standard]
        workers = {{ min = 1, max = 1 }}
        queue = 3
        "#,
        gate.url()
    );
    fs::write(&config, text).expect("the file can be written");
    let start = || Process::start(&storage, &["--config", config.to_str().expect("a UTF-8 path")]);

    let mut service = start();
    place_queued(&service.public, IDS[0], 3).await;
    fills(&service.public, "standard", 1, 0).await;
    for id in &IDS[1..] {
        place_queued(&service.public, id, 3).await;
    }
    // One with the worker, three in the queue, two nowhere but in the database.
    let full = figures(&service.public, "standard").await;
    assert_eq!((&full["depth"], &full["refused"]["full"]), (&3.into(), &2.into()), "{full}");
    service.kill();

    gate.turn(Mood::Serve);
    let service = start();
    for id in IDS {
        becomes_paid(&service.public, id).await;
        assert_eq!(payment_of(&service.public, id).await, "paid");
    }
    let asked = gate.asked();
    assert!(IDS[1..].iter().all(|id| asked[*id] == 1) && asked[IDS[0]] == 2, "{asked:?}");
}
