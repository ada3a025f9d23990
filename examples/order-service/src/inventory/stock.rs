//! Reservations as the service makes them.

use std::collections::BTreeMap;

use axum::http::uri::InvalidUri;
use seawall_core::Deadline;
use serde::{Deserialize, Serialize};

use crate::bulkheads::Purpose;
use crate::orders::Item;
use crate::provider::{Calls, Client, Unanswerable};

/// Has the provider set aside what orders need.
#[derive(Clone, Debug)]
pub(crate) struct Inventory {
    client: Client,
    calls: Calls,
}

/// What the provider is asked to set aside: once for each order, however often it is asked, and all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reservation {
    pub(crate) order_id: String,
    /// How many of each product.
    pub(crate) items: BTreeMap<String, u64>,
}

/// What became of a reservation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reserved {
    /// The products that are out of stock; if there are any, nothing was reserved.
    pub(crate) missing: Vec<String>,
}

impl Reservation {
    /// What the order `id` needs for `items`.
    pub(crate) fn of(id: &str, items: &[Item]) -> Self {
        let mut wanted = BTreeMap::new();
        for item in items {
            *wanted.entry(item.product_id.clone()).or_default() += u64::from(item.quantity);
        }
        Self { order_id: id.to_owned(), items: wanted }
    }
}

impl Inventory {
    /// Reservations by the provider below `base`, by way of `calls`.
    pub(crate) fn new(base: &str, calls: Calls) -> Result<Self, InvalidUri> {
        Ok(Self { client: Client::new(base, "reservations")?, calls })
    }

    /// How the provider is called.
    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Has the provider set aside what an order needs.
    pub(crate) async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, Unanswerable> {
        self.calls.once(|until| self.client.ask(reservation, until)).await
    }

    /// The same for a caller who waits.
    pub(crate) async fn reserve_for_caller(
        &self,
        reservation: &Reservation,
        purpose: Purpose,
        deadline: Option<Deadline>,
    ) -> Result<Reserved, Unanswerable> {
        self.calls.for_caller(purpose, deadline, |until| self.client.ask(reservation, until)).await
    }
}
