//! The load in virtual time.

use std::future::{pending, ready};
use std::pin::pin;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use seawall_core::time::{ManualTime, Timestamp};
use serde_json::{Value, json};
use tokio::task::yield_now;

use super::super::parameters::Parameters;
use super::*;
use crate::limit::limit;

const MILLISECOND: Duration = Duration::from_millis(1);

/// The report on a test in virtual time, as callers see it. How each request is answered, and when.
async fn report<F>(rps: u32, bounds: Bounds, send: impl Fn(Planned, Clock, Timestamp) -> F) -> Value
where
    F: Future<Output = Option<StatusCode>> + Send + 'static,
{
    let (clock, time) = Clock::manual();
    let start = clock.now();
    let timeout = limit("test", PATIENCE, &clock);
    let schedule = Schedule::new(Parameters { rps, seconds: 1 }, start);
    let run = run(schedule, &clock, &timeout, bounds, |planned| send(planned, clock.clone(), start));
    let report = pass(&time, run).await;
    serde_json::to_value(&report).expect("a report has string keys and finite numbers only")
}

/// Lets time pass from one event to the next, once everything has happened that can happen before.
async fn pass<T>(time: &ManualTime, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        let happens = pin!(async {
            for _ in 0..64 {
                yield_now().await;
            }
        });
        match select(work.as_mut(), happens).await {
            Either::Left((output, _)) => return output,
            Either::Right(_) => time.advance_to(time.next_wake().expect("something is waited for")),
        }
    }
}

fn figure(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {pointer} in {report}"))
}

#[tokio::test]
async fn a_service_that_stands_still_is_late_for_everybody_whose_time_came_meanwhile() {
    // One at a time, each in a millisecond, but the twenty-first, which takes half a second.
    let bounds = Bounds { connections: 1, ..Bounds::default() };
    let report = report(100, bounds, |planned, clock, _start| async move {
        clock.sleep(if planned.number == 20 { 500 * MILLISECOND } else { MILLISECOND }).await;
        Some(StatusCode::OK)
    })
    .await;
    assert_eq!(
        (&report["planned"], &report["sent"], &report["by_status"]),
        (&json!(100), &json!(100), &json!({"200": 100}))
    );
    // Whoever asks the service alone sees one slow answer in a hundred; its users see one in two.
    for quantile in ["p50", "p90", "p95", "p99"] {
        assert!(figure(&report, &format!("/service_time_ms/{quantile}")) < 1.1, "{report}");
    }
    let late = |quantile: &str| figure(&report, &format!("/latency_ms/{quantile}"));
    assert!(late("p50") > 20.0 && late("p90") > 390.0 && late("p99") > 480.0, "{report}");
    for quantile in ["max", "p99_9"] {
        assert!((figure(&report, &format!("/service_time_ms/{quantile}")) - 500.0).abs() < 1.0, "{report}");
        assert!((late(quantile) - 500.0).abs() < 1.0, "{report}");
    }
}

#[tokio::test]
async fn no_request_waits_for_the_answer_to_another() {
    // Every answer takes as long as the whole test.
    let report = report(50, Bounds::default(), |_planned, clock, _start| async move {
        clock.sleep(Duration::from_secs(1)).await;
        Some(StatusCode::OK)
    })
    .await;
    assert_eq!((&report["sent"], &report["errors"]), (&json!(50), &json!(0)));
    for pointer in ["/latency_ms/p50", "/latency_ms/max", "/service_time_ms/max"] {
        assert!((figure(&report, pointer) - 1_000.0).abs() < 1.0, "{pointer} in {report}");
    }
    assert!((figure(&report, "/duration_seconds") - 1.98).abs() < 1e-6, "{report}");
    assert!((figure(&report, "/achieved_rps") - 50.0 / 1.98).abs() < 0.01, "{report}");
}

#[tokio::test]
async fn what_finds_no_room_is_not_sent_and_what_is_never_answered_is_given_up() {
    let bounds = Bounds { outstanding: 4, connections: 2 };
    let report = report(10, bounds, |_planned, _clock, _start| pending()).await;
    let counted = ["planned", "sent", "unsent", "errors"].map(|name| report[name].as_u64());
    // Two are sent, and two more in their places when they are given up.
    assert_eq!(counted, [Some(10), Some(4), Some(6), Some(4)], "{report}");
    assert_eq!(report["by_status"], json!({}));
    assert!((figure(&report, "/latency_ms/max") - 5_000.0).abs() < 5.0, "{report}");
    assert!(figure(&report, "/service_time_ms/p50") < 201.0, "two of them had to wait in line: {report}");
    assert!(figure(&report, "/achieved_rps").abs() < f64::EPSILON, "nothing was answered");
}

#[tokio::test]
async fn what_is_given_up_leaves_its_connection_to_the_next() {
    let bounds = Bounds { outstanding: 100, connections: 1 };
    let report = report(10, bounds, |_planned, clock, start| async move {
        clock.sleep_until(start + 2 * PATIENCE).await;
        Some(StatusCode::OK)
    })
    .await;
    // All but the first have it for the tenth of a second by which they were to begin later.
    assert_eq!((&report["sent"], &report["unsent"], &report["errors"]), (&json!(10), &json!(0), &json!(10)));
}

#[tokio::test]
async fn whoever_breaks_it_off_takes_back_what_is_under_way() {
    let (clock, time) = Clock::manual();
    let timeout = limit("test", PATIENCE, &clock);
    let held = Arc::new(());
    let schedule = Schedule::new(Parameters { rps: 10, seconds: 1 }, clock.now());
    {
        let mut run = pin!(run(schedule, &clock, &timeout, Bounds::default(), |_planned| {
            let held = held.clone();
            async move {
                let answer = pending().await;
                drop(held);
                answer
            }
        }));
        for _ in 0..3 {
            assert!(run.as_mut().now_or_never().is_none());
            yield_now().await;
            time.advance(100 * MILLISECOND);
        }
        assert!(Arc::strong_count(&held) > 3);
    }
    yield_now().await;
    yield_now().await;
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn refusals_are_answers() {
    let report = report(20, Bounds::default(), |planned, _clock, _start| {
        let refused = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        let status = refused.get(usize::try_from(planned.number).unwrap_or_default() % 4).copied();
        ready(Some(status.unwrap_or(StatusCode::OK)))
    })
    .await;
    assert_eq!((&report["errors"], &report["by_status"]), (&json!(0), &json!({"200": 10, "429": 5, "503": 5})));
    let refused = json!({"too_many_requests": 5, "unavailable": 5, "share": 0.5});
    assert_eq!(report["refused"], refused);
}
