//! How an order is accepted: stored first, then what it needs is set aside, then it is paid.

use std::time::Duration;

use axum::http::StatusCode;
use seawall_core::Deadline;

use super::draft::Draft;
use super::model::{Item, Order, Payment};
use super::store::Insertion;
use super::validate::validate;
use crate::app::App;
use crate::bulkheads::Purpose;
use crate::clock::WallTime;
use crate::http::{Problem, Violation};
use crate::inventory::{Reservation, Reserved};
use crate::payment::Charge;

/// How much longer than its caller may have to wait the redrive leaves an order to the request that placed it.
const MARGIN: Duration = Duration::from_secs(1);

/// Accepts the order that `draft` asks for, for a caller who waits until `deadline`.
///
/// Once it is stored nothing can lose it: a provider that fails, a caller that hangs up and a process that dies all leave a
/// pending order, which the redrive finds. So the order is accepted whatever becomes of its payment. It is refused only if the
/// inventory says that something is out of stock; nothing was set aside then, and nothing paid.
pub(super) async fn accept(app: &App, draft: Draft, deadline: Option<Deadline>) -> Result<Order, Problem> {
    let mut order = validate(draft, WallTime::now()).map_err(Problem::invalid_body)?;
    let head_start = app.inventory.calls().patience() + app.payments.calls().patience() + MARGIN;
    let claim = Purpose::Ordering.claim(deadline);
    match app.orders.write(claim, |orders| orders.insert(&order, head_start)).await? {
        Insertion::Stored => app.metrics.orders.note_accepted(),
        Insertion::Duplicate => return Err(duplicate(&order.id)),
    }
    if reserve(app, &order, deadline).await? {
        pay(app, &mut order, deadline).await;
    }
    Ok(order)
}

/// Whether what the order needs is set aside for it; an error if it cannot be, and the order was taken back.
async fn reserve(app: &App, order: &Order, deadline: Option<Deadline>) -> Result<bool, Problem> {
    let reservation = Reservation::of(&order.id, &order.items);
    let missing = match app.inventory.reserve_for_caller(&reservation, deadline).await {
        Ok(Reserved { missing }) if missing.is_empty() => return Ok(true),
        Ok(Reserved { missing }) => missing,
        Err(error) => {
            tracing::debug!(order.id, %error, "order accepted before anything is set aside for it");
            return Ok(false);
        }
    };
    match app.orders.write(Purpose::Ordering.unhurried(), |orders| orders.withdraw(&order.id, WallTime::now())).await {
        Ok(true) => {
            app.metrics.orders.note_withdrawn();
            Err(out_of_stock(order, &missing))
        }
        // The redrive has it by now.
        Ok(false) => Ok(false),
        // It is stored, so it stands, and waits until there is what it needs.
        Err(error) => {
            tracing::warn!(order.id, %error, "an order that cannot be served now cannot be taken back");
            Ok(false)
        }
    }
}

async fn pay(app: &App, order: &mut Order, deadline: Option<Deadline>) {
    let charge = Charge { order_id: order.id.clone(), amount: order.total };
    let receipt = match app.payments.collect_for_caller(&charge, deadline).await {
        Ok(receipt) => receipt,
        Err(unpaid) => {
            tracing::debug!(order.id, %unpaid, "order accepted with its payment pending");
            return;
        }
    };
    let paid_at = WallTime::now();
    match app
        .orders
        .write(Purpose::Ordering.unhurried(), |orders| orders.mark_paid(&order.id, &receipt.charge_id, paid_at))
        .await
    {
        Ok(news) => {
            if news {
                app.metrics.orders.note_paid_at_once();
            }
            order.payment = Payment::Paid;
            order.paid_at = Some(paid_at);
        }
        // The redrive asks again and is given the same receipt.
        Err(error) => tracing::warn!(order.id, %error, "a payment's state cannot be written"),
    }
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
