//! What is done for an order that is stored: what it needs is set aside, then it is paid. A job of the worker pools.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use seawall_core::{Deadline, Priority};
use seawall_worker_pool::{Attempt, Task, Work, repeat};

use super::handover::Answer;
use super::model::{Order, Payment};
use super::store::OrderStore;
use crate::app::App;
use crate::breakers::Guarded;
use crate::bulkheads::Purpose;
use crate::clock::WallTime;
use crate::inventory::{Inventory, Reservation};
use crate::metrics::OrderFigures;
use crate::payment::{Charge, Payments};
use crate::worker_pools::{Hold, InHand};

/// How an order's processing ended, for the caller who waits for it.
#[derive(Debug)]
pub(super) enum Processed {
    /// It stands, paid or pending.
    Accepted(Order),
    /// There is less than it needs of these products: it was taken back.
    Withdrawn(Vec<String>),
}

/// Why an order is still pending. Its job has failed, the order has not: its payment is tried again.
#[derive(Debug)]
pub(super) struct StillPending {
    id: String,
    why: String,
}

/// Processes one order, as often as it is run.
#[derive(Debug)]
struct Processing {
    order: Order,
    orders: Guarded<OrderStore>,
    inventory: Inventory,
    payments: Payments,
    figures: OrderFigures,
    in_hand: InHand,
    /// Until the first attempt, so that nobody else takes an order that is queued.
    first: Mutex<Option<First>>,
}

/// What only the first attempt has.
#[derive(Debug)]
struct First {
    hold: Hold,
    answer: Answer<Processed>,
}

/// The job that processes `order`, which `hold` has, and answers whoever placed it.
pub(super) fn processing(
    app: &App,
    order: Order,
    hold: Hold,
    answer: Answer<Processed>,
) -> impl Work<Task, Output = (), Error = StillPending> + use<> {
    let processing = Arc::new(Processing {
        order,
        orders: app.orders.clone(),
        inventory: app.inventory.clone(),
        payments: app.payments.clone(),
        figures: app.metrics.orders.clone(),
        in_hand: app.worker_pools.in_hand().clone(),
        first: Mutex::new(Some(First { hold, answer })),
    });
    repeat(move |_attempt: Attempt| {
        let processing = processing.clone();
        async move { processing.attempt().await }
    })
}

impl Processing {
    async fn attempt(&self) -> Result<(), StillPending> {
        let first = self.first.lock().take();
        match first {
            Some(First { hold, answer }) if answer.is_awaited() => self.for_caller(hold, answer).await,
            Some(First { hold, .. }) => self.for_nobody(hold).await,
            None => match self.in_hand.take(&self.order.id) {
                Some(hold) => self.for_nobody(hold).await,
                None => Ok(()),
            },
        }
    }

    /// Processes the order for whoever placed it.
    async fn for_caller(&self, hold: Hold, answer: Answer<Processed>) -> Result<(), StillPending> {
        let mut order = self.order.clone();
        let result = match self.reserve(&answer).await {
            Ok(missing) if missing.is_empty() => self.pay(&mut order, answer.begin()).await,
            Ok(missing) => {
                // Its id is free again, for whoever hears of it.
                drop(hold);
                answer.give(Processed::Withdrawn(missing));
                return Ok(());
            }
            Err(pending) => Err(pending),
        };
        drop(hold);
        answer.give(Processed::Accepted(order));
        result
    }

    /// Processes the order for nobody in particular, if it is still pending: time has passed, and other services on the same
    /// database try what waits too long.
    async fn for_nobody(&self, _hold: Hold) -> Result<(), StillPending> {
        let id = &self.order.id;
        let found = self.orders.read(self.purpose().unhurried(), |orders| orders.find(id)).await;
        match found.map_err(|error| self.pending(error))? {
            Some(mut order) if order.payment == Payment::Pending => {
                let missing = self.missing(None).await?;
                if !missing.is_empty() {
                    return Err(self.pending(format!("out of stock: {}", missing.join(", "))));
                }
                self.pay(&mut order, None).await
            }
            _ => Ok(()),
        }
    }

    /// Has what the order needs set aside. Where that cannot be it takes the order back, and gives what is out of stock.
    async fn reserve(&self, answer: &Answer<Processed>) -> Result<Vec<String>, StillPending> {
        let missing = self.missing(answer.begin()).await?;
        if missing.is_empty() {
            return Ok(missing);
        }
        // Whoever was told that the order is accepted finds it, and waits until there is what it needs.
        if !answer.promise() {
            return Err(self.pending("out of stock"));
        }
        let (id, claim) = (&self.order.id, Purpose::Ordering.unhurried());
        match self.orders.write(claim, |orders| orders.withdraw(id, WallTime::now())).await {
            Ok(true) => {
                self.figures.note_withdrawn();
                Ok(missing)
            }
            Ok(false) => Err(self.pending("out of stock, and left to be tried again by now")),
            Err(error) => {
                tracing::warn!(order.id = id, %error, "an order that cannot be served now cannot be taken back");
                Err(self.pending(error))
            }
        }
    }

    async fn missing(&self, deadline: Option<Deadline>) -> Result<Vec<String>, StillPending> {
        let reservation = Reservation::of(&self.order.id, &self.order.items);
        let reserved = self.inventory.reserve_for_caller(&reservation, self.purpose(), deadline).await;
        reserved.map(|reserved| reserved.missing).map_err(|error| self.pending(error))
    }

    async fn pay(&self, order: &mut Order, deadline: Option<Deadline>) -> Result<(), StillPending> {
        let charge = Charge { order_id: order.id.clone(), amount: order.total };
        let receipt = self.payments.collect_for_caller(&charge, self.purpose(), deadline).await;
        let receipt = receipt.map_err(|error| self.pending(error))?;
        let (paid_at, claim) = (WallTime::now(), Purpose::Ordering.unhurried());
        match self.orders.write(claim, |orders| orders.mark_paid(&order.id, &receipt.charge_id, paid_at)).await {
            Ok(news) => {
                if news {
                    self.figures.note_paid_at_once();
                }
                order.payment = Payment::Paid;
                order.paid_at = Some(paid_at);
                Ok(())
            }
            // The redrive asks again and is given the same receipt.
            Err(error) => {
                tracing::warn!(order.id, %error, "a payment's state cannot be written");
                Err(self.pending(error))
            }
        }
    }

    /// Orders of the high-priority pool come first at the providers, too.
    fn purpose(&self) -> Purpose {
        if self.order.standing() >= Priority::High { Purpose::Ordering } else { Purpose::Serving }
    }

    fn pending(&self, why: impl fmt::Display) -> StillPending {
        let pending = StillPending { id: self.order.id.clone(), why: why.to_string() };
        tracing::debug!(order.id = pending.id, why = pending.why, "order accepted with its payment pending");
        pending
    }
}

impl fmt::Display for StillPending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {} is pending: {}", self.id, self.why)
    }
}
