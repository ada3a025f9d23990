//! What the provider has collected, once for each order.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use crate::orders::Amount;
use crate::payment::{Charge, Receipt};

/// What the payment provider has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct Charges {
    /// Charges made: one for each order.
    pub charges: u64,
    /// Requests for a charge that was made before, answered with the first one's receipt.
    pub replays: u64,
}

/// The provider's book.
#[derive(Debug, Default)]
pub struct Ledger {
    replays: AtomicU64,
    charges: Mutex<HashMap<String, (Amount, Receipt)>>,
}

/// What became of a request for a charge.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Booking {
    New(Receipt),
    Replay(Receipt),
    /// The order was charged another amount before.
    Conflict(Amount),
}

impl Ledger {
    /// Collects `charge`, unless that was done before.
    pub(super) fn book(&self, charge: Charge) -> Booking {
        let mut charges = self.charges.lock();
        let number = charges.len() + 1;
        match charges.entry(charge.order_id) {
            Entry::Vacant(place) => {
                let receipt = Receipt { charge_id: format!("charge-{number}") };
                place.insert((charge.amount, receipt.clone()));
                Booking::New(receipt)
            }
            Entry::Occupied(made) if made.get().0 == charge.amount => {
                self.replays.fetch_add(1, Ordering::Relaxed);
                Booking::Replay(made.get().1.clone())
            }
            Entry::Occupied(made) => Booking::Conflict(made.get().0),
        }
    }

    pub(super) fn amount(&self, order_id: &str) -> Option<Amount> {
        self.charges.lock().get(order_id).map(|&(amount, _)| amount)
    }

    pub(super) fn charges(&self) -> Charges {
        Charges { charges: self.charges.lock().len() as u64, replays: self.replays.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(order: &str, hundredths: i64) -> Charge {
        let amount = Amount::from_hundredths(hundredths).expect("not negative");
        Charge { order_id: order.to_owned(), amount }
    }

    #[test]
    fn an_order_is_charged_once() {
        let ledger = Ledger::default();
        let Booking::New(receipt) = ledger.book(charge("a", 450)) else { panic!("the first is new") };
        assert_eq!(ledger.book(charge("a", 450)), Booking::Replay(receipt));
        assert!(matches!(ledger.book(charge("a", 451)), Booking::Conflict(_)));
        assert!(matches!(ledger.book(charge("b", 1)), Booking::New(_)));
        assert_eq!(ledger.charges(), Charges { charges: 2, replays: 1 });
    }
}
