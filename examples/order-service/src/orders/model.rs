//! Orders, as they are kept and shown.

use std::str::FromStr;

use seawall_core::Priority;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::amount::Amount;
use crate::clock::WallTime;

/// An accepted order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Order {
    /// Chosen by the caller, unique.
    #[schema(example = "order-123")]
    pub(crate) id: String,
    /// Who ordered.
    #[schema(example = "customer-456")]
    pub(crate) customer_id: String,
    /// What was ordered.
    pub(crate) items: Vec<Item>,
    /// The sum over the items.
    pub(crate) total: Amount,
    /// From 1 to 5, the most urgent.
    #[schema(minimum = 1, maximum = 5, example = 3)]
    pub(crate) priority: u8,
    /// How far its payment has come.
    pub(crate) payment: Payment,
    /// When it was accepted.
    pub(crate) created_at: WallTime,
    /// When its payment was known to be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paid_at: Option<WallTime>,
}

/// What is known of an order whose processing is not over: the order is stored, and stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// The order's id.
    #[schema(example = "order-123")]
    pub(crate) id: String,
    /// How far its processing has come.
    pub(crate) status: Status,
    /// How far its payment has come.
    pub(crate) payment: Payment,
    /// Where the order is, and how it stands.
    #[schema(example = "/orders/order-123")]
    pub(crate) status_url: String,
    /// When it was accepted.
    pub(crate) created_at: WallTime,
}

/// How far an order's processing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// It waits for a worker.
    Queued,
    /// A worker has it.
    Processing,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Item {
    /// Which product.
    #[schema(example = "coffee-1")]
    pub(crate) product_id: String,
    /// What the customer knows it by.
    #[schema(example = "Espresso")]
    pub(crate) name: String,
    /// How many.
    #[schema(minimum = 1, maximum = 10_000, example = 2)]
    pub(crate) quantity: u32,
    /// Of one.
    pub(crate) price: Amount,
}

/// How far an order's payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Payment {
    /// The order stands; the payment is tried until it succeeds.
    Pending,
    /// The provider has the charge.
    Paid,
}

impl Order {
    /// Where it is found.
    pub(crate) fn path(&self) -> String {
        format!("/orders/{}", self.id)
    }

    /// How much it matters among others: priority 1 is low, 2 and 3 are normal, 4 is high and 5 is critical. High ones and
    /// critical ones have workers of their own.
    pub(crate) fn standing(&self) -> Priority {
        match self.priority {
            ..=1 => Priority::Low,
            2 | 3 => Priority::Normal,
            4 => Priority::High,
            5.. => Priority::Critical,
        }
    }
}

impl Receipt {
    /// The receipt of an order.
    pub(super) fn of(order: Order, status: Status) -> Self {
        let status_url = order.path();
        Self { id: order.id, status, payment: order.payment, status_url, created_at: order.created_at }
    }
}

impl Payment {
    /// As it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
        }
    }
}

impl FromStr for Payment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Pending, Self::Paid]
            .into_iter()
            .find(|payment| payment.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no state of a payment"))
    }
}
