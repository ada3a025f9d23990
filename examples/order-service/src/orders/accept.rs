//! How an order is accepted: stored first, paid then.

use std::time::Duration;

use axum::http::StatusCode;

use super::draft::Draft;
use super::model::{Order, Payment};
use super::store::Insertion;
use super::validate::validate;
use crate::app::App;
use crate::clock::WallTime;
use crate::http::{Problem, Violation};
use crate::payment::Charge;

/// How much longer than a payment the redrive leaves an order to the request that placed it.
const MARGIN: Duration = Duration::from_secs(1);

/// Accepts the order that `draft` asks for.
///
/// Once it is stored nothing can lose it: a payment that fails, a caller that hangs up and a process that dies all leave
/// a pending order, which the redrive finds. So the order is accepted whatever the payment says.
pub(super) async fn accept(app: &App, draft: Draft) -> Result<Order, Problem> {
    let mut order = validate(draft, WallTime::now()).map_err(Problem::invalid_body)?;
    let head_start = app.payments.patience() + MARGIN;
    match app.orders.write(|orders| orders.insert(&order, head_start)).await? {
        Insertion::Stored => app.metrics.orders.note_accepted(),
        Insertion::Duplicate => return Err(duplicate(&order.id)),
    }
    pay(app, &mut order).await;
    Ok(order)
}

async fn pay(app: &App, order: &mut Order) {
    let charge = Charge { order_id: order.id.clone(), amount: order.total };
    let receipt = match app.payments.collect_for_caller(&charge).await {
        Ok(receipt) => receipt,
        Err(unpaid) => {
            tracing::debug!(order.id, %unpaid, "order accepted with its payment pending");
            return;
        }
    };
    let paid_at = WallTime::now();
    match app.orders.write(|orders| orders.mark_paid(&order.id, &receipt.charge_id, paid_at)).await {
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
