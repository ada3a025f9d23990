//! Collects what is still owed, so that an accepted order is paid in the end, whatever happened in between.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use seawall_bulkhead::Claim;
use seawall_core::time::Clock;
use seawall_core::{Backoff, Rejection};

use super::{Charge, Payments, Receipt};
use crate::breakers::{Guarded, NoData, Unanswered};
use crate::bulkheads::Purpose;
use crate::clock::WallTime;
use crate::inventory::{Inventory, Reservation};
use crate::metrics::OrderFigures;
use crate::orders::{Due, Item, OrderStore};
use crate::provider::{CallError, Unanswerable};
use crate::shutdown::Drain;
use crate::worker_pools::{NotRun, WorkerPools};

/// How many orders one round takes from the database.
const BATCH: u32 = 64;

/// How many payments are under way or wait for a worker at a time: few, so that callers' own payments come first.
const CONCURRENCY: usize = 4;

/// How soon a refused round is repeated when the breaker knows no time at which to come back.
const PROBE_PAUSE: Duration = Duration::from_millis(100);

/// Why an order is still pending.
#[derive(Debug)]
enum Unserved {
    /// There is less than it needs of these products.
    OutOfStock(Vec<String>),
    /// A provider failed.
    Failed(CallError),
}

/// The background task that tries pending payments again.
///
/// It finds them in the database, so it also knows those of an earlier process. An order whose payment failed waits
/// twice as long before each further attempt, up to a bound; one that the breaker refused, or that found no room, was not attempted and does
/// not wait longer. Neither circuit is asked in vain again and again: while one is open the task sleeps.
///
/// Each attempt is a job of the worker pools, after all that callers wait for. An order that somebody has in hand is left alone.
#[derive(Debug)]
pub(crate) struct Redrive {
    pub(crate) orders: Guarded<OrderStore>,
    pub(crate) inventory: Inventory,
    pub(crate) payments: Payments,
    pub(crate) pools: Arc<WorkerPools>,
    pub(crate) clock: Clock,
    pub(crate) drain: Drain,
    pub(crate) figures: OrderFigures,
    /// How often the database is asked.
    pub(crate) interval: Duration,
    /// How long an order waits after each failure.
    pub(crate) backoff: Backoff,
}

impl Redrive {
    /// Runs until the service drains.
    pub(crate) async fn run(self: Arc<Self>) {
        while !self.drain.has_begun() {
            let pause = self.round().await.unwrap_or_else(|error| {
                let pause = self.pause_after(&error);
                tracing::warn!(%error, ?pause, "pending payments cannot be read");
                pause
            });
            self.drain.begun_within(pause, &self.clock).await;
        }
    }

    /// Tries what is due until something speaks against going on, and says how long to wait for the next round.
    async fn round(self: &Arc<Self>) -> Result<Duration, NoData> {
        let in_hand = self.pools.in_hand();
        // Those in hand may be due, too, and the first of all.
        let limit = BATCH.saturating_add(u32::try_from(in_hand.len()).unwrap_or(u32::MAX));
        let mut due = self.orders.read(claim(), |orders| orders.due(WallTime::now(), limit)).await?;
        due.retain(|order| !in_hand.has(&order.id));
        due.truncate(BATCH as usize);
        let more_to_do = due.len() == BATCH as usize;
        let halt = OnceLock::new();
        stream::iter(due)
            .for_each_concurrent(CONCURRENCY, |order| {
                let halt = &halt;
                async move {
                    // Those under way are finished, not dropped: a probe that is dropped tells the breaker nothing.
                    if halt.get().is_none() && !self.drain.has_begun() {
                        // Only the first reason of a round is kept; any of them says the same.
                        if let Some(pause) = self.have_collected(order).await {
                            halt.get_or_init(|| pause);
                        }
                    }
                }
            })
            .await;
        Ok(match halt.into_inner() {
            Some(pause) => pause,
            None if more_to_do => Duration::ZERO,
            None => self.interval,
        })
    }

    /// Has a worker collect what is owed for `order`. A pause, if something speaks against going on.
    async fn have_collected(self: &Arc<Self>, order: Due) -> Option<Duration> {
        let redrive = self.clone();
        match self.pools.run_unhurried(async move { redrive.collect(order).await }).await {
            Ok(pause) => pause,
            Err(NotRun::Refused(refused)) => Some(self.pause_of(&refused.rejection())),
            Err(NotRun::Ended(error)) => {
                tracing::warn!(%error, "a payment was not tried again");
                Some(self.interval)
            }
        }
    }

    async fn collect(&self, order: Due) -> Option<Duration> {
        // Somebody may have taken it while this waited for a worker.
        let _hold = self.pools.in_hand().take(&order.id)?;
        // What cannot be noted is not paid: the provider would be asked for it again and again.
        if let Err(rejection) = self.orders.ready_to_write() {
            return Some(self.pause_of(&rejection));
        }
        let Due { id, items, total, attempts } = order;
        let charge = Charge { order_id: id, amount: total };
        let noted = match self.serve(&charge, &items).await {
            Ok(receipt) => {
                let (id, receipt) = (&charge.order_id, &receipt.charge_id);
                let noted = self.orders.write(claim(), |orders| orders.mark_paid(id, receipt, WallTime::now())).await;
                noted.map(|news| {
                    if news {
                        self.figures.note_paid_late();
                    }
                })
            }
            Err(Unanswered::Refused(rejection)) => return Some(self.pause_of(&rejection)),
            Err(error) => {
                tracing::debug!(order.id = charge.order_id, attempts, %error, "payment still pending");
                let retry_at = WallTime::now().after(self.backoff.delay(attempts, fastrand::u64(..)));
                self.orders.write(claim(), |orders| orders.postpone(&charge.order_id, retry_at)).await
            }
        };
        let error = noted.err()?;
        tracing::warn!(order.id = charge.order_id, %error, "a payment's state cannot be written");
        Some(self.pause_after(&error))
    }

    /// Sets aside what the order needs, which is done once however often it is asked for, and has it paid then.
    async fn serve(&self, charge: &Charge, items: &[Item]) -> Result<Receipt, Unanswered<Unserved>> {
        let reservation = Reservation::of(&charge.order_id, items);
        let reserved = self.inventory.reserve(&reservation).await.map_err(because)?;
        if !reserved.missing.is_empty() {
            return Err(Unanswered::Failed(Unserved::OutOfStock(reserved.missing)));
        }
        self.payments.collect(charge).await.map_err(because)
    }

    fn pause_after(&self, error: &NoData) -> Duration {
        match error {
            Unanswered::Refused(rejection) => self.pause_of(rejection),
            _ => self.interval,
        }
    }

    /// Until the circuit lets calls pass, or somebody may have changed it by hand; or until there may be room.
    fn pause_of(&self, rejection: &Rejection) -> Duration {
        let pause = match (rejection.pattern(), rejection.reason()) {
            // Probes are under way, and may be done long before they must be.
            (_, "half_open") => PROBE_PAUSE,
            ("bulkhead" | "worker_pool", _) => rejection.retry_after().unwrap_or(self.interval),
            _ => rejection.retry_after().unwrap_or(self.backoff.max()),
        };
        pause.clamp(PROBE_PAUSE.min(self.interval), self.backoff.max())
    }
}

/// What the redrive claims of the database: nobody waits for it, but for an accepted order it is.
fn claim() -> Claim {
    Purpose::Showing.unhurried()
}

fn because(error: Unanswerable) -> Unanswered<Unserved> {
    match error {
        Unanswered::Refused(rejection) => Unanswered::Refused(rejection),
        Unanswered::TimedOut(late) => Unanswered::TimedOut(late),
        Unanswered::Failed(error) => Unanswered::Failed(Unserved::Failed(error)),
    }
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfStock(products) => write!(f, "out of stock: {}", products.join(", ")),
            Self::Failed(error) => error.fmt(f),
        }
    }
}
