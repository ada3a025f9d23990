//! How an order is accepted: stored first, then processed by the worker pools while its caller waits for a moment.

use std::time::Duration;

use axum::http::StatusCode;
use seawall_core::Deadline;

use super::draft::Draft;
use super::handover::{Waited, handover};
use super::model::{Item, Order, Receipt, Status};
use super::process::{Processed, processing};
use super::store::Insertion;
use super::validate::validate;
use crate::app::App;
use crate::bulkheads::Purpose;
use crate::clock::WallTime;
use crate::http::{Problem, Violation};

/// How much longer than its providers may take the redrive leaves an order to the job of the request that placed it.
const MARGIN: Duration = Duration::from_secs(1);

/// What is known of an accepted order when its caller is answered.
#[derive(Debug)]
pub(super) enum Accepted {
    /// Its processing is over, whatever became of its payment.
    Processed(Box<Order>),
    /// It is not, and goes on.
    Unprocessed(Receipt),
}

/// Accepts the order that `draft` asks for, for a caller who waits until `deadline`.
///
/// Once it is stored nothing can lose it: a pool without room, a provider that fails, a caller that hangs up and a process that
/// dies all leave a pending order, which the redrive finds. So the order is accepted whatever becomes of its payment. It is
/// refused only if the inventory says that something is out of stock before its caller has been told otherwise; nothing was set
/// aside then, and nothing paid.
pub(super) async fn accept(app: &App, draft: Draft, deadline: Option<Deadline>) -> Result<Accepted, Problem> {
    let order = validate(draft, WallTime::now()).map_err(Problem::invalid_body)?;
    let head_start = app.inventory.calls().patience() + app.payments.calls().patience() + MARGIN;
    let claim = Purpose::Ordering.claim(deadline);
    match app.orders.write(claim, |orders| orders.insert(&order, head_start)).await? {
        Insertion::Stored => app.metrics.orders.note_accepted(),
        Insertion::Duplicate => return Err(duplicate(&order.id)),
    }
    match process(app, &order, deadline).await {
        Waited::Answered(Processed::Accepted(order)) => Ok(Accepted::Processed(Box::new(order))),
        Waited::Answered(Processed::Withdrawn(missing)) => Err(out_of_stock(&order, &missing)),
        Waited::Left { has_begun } => {
            app.metrics.orders.note_queued();
            let status = if has_begun { Status::Processing } else { Status::Queued };
            Ok(Accepted::Unprocessed(Receipt::of(order, status)))
        }
    }
}

/// Has the order processed, and waits for a moment. Whatever happens to the wait, the processing goes on.
async fn process(app: &App, order: &Order, deadline: Option<Deadline>) -> Waited<Processed> {
    let pools = &app.worker_pools;
    // Another service on the same database may have started right now, and this one's redrive found the order first.
    let Some(hold) = pools.in_hand().take(&order.id) else { return Waited::Left { has_begun: true } };
    let (answer, wait) = handover(deadline);
    if let Err(refused) = pools.start(order.standing(), processing(app, order.clone(), hold, answer)) {
        tracing::debug!(order.id, %refused, "order accepted, and left to the redrive");
        return Waited::Left { has_begun: false };
    }
    wait.until(pools.patience(), &app.clock).await
}

fn duplicate(id: &str) -> Problem {
    let violation = Violation::new("id", "is the id of another order").value(id);
    Problem::new(
        StatusCode::CONFLICT,
        "duplicate-order",
        "Duplicate order",
        format!("there is an order {id} already; nothing was stored"),
    )
    .violations(vec![violation])
}

fn out_of_stock(order: &Order, missing: &[String]) -> Problem {
    let is_missing = |item: &Item| missing.contains(&item.product_id);
    let faults = order.items.iter().enumerate().filter(|(_, item)| is_missing(item)).map(|(index, item)| {
        Violation::new(format!("items[{index}].product_id"), "is out of stock").value(&item.product_id)
    });
    let detail = "there is less in stock than was ordered; nothing was stored";
    Problem::new(StatusCode::CONFLICT, "out-of-stock", "Out of stock", detail).violations(faults.collect())
}
