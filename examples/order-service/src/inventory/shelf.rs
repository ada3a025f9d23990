//! What the provider has, and for which orders it set something aside.

use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Reservation, Reserved};

/// What the inventory provider has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct Reservations {
    /// Orders for which something was set aside.
    pub reservations: u64,
    /// Requests for what was set aside before.
    pub replays: u64,
    /// Requests for more than there is.
    pub out_of_stock: u64,
}

/// The provider's shelf. There is no end of what nobody has counted.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<Stock>);

#[derive(Debug, Default)]
struct Stock {
    counted: BTreeMap<String, u64>,
    orders: HashSet<String>,
    replays: u64,
    refused: u64,
}

impl Shelf {
    pub(super) fn new(counted: BTreeMap<String, u64>) -> Self {
        Self(Mutex::new(Stock { counted, ..Stock::default() }))
    }

    /// There are so many of `product` now.
    pub(super) fn count(&self, product: &str, pieces: u64) {
        self.0.lock().counted.insert(product.to_owned(), pieces);
    }

    /// How many there are of `product`, if somebody has counted.
    pub(super) fn left(&self, product: &str) -> Option<u64> {
        self.0.lock().counted.get(product).copied()
    }

    /// Sets all of it aside, unless that was done before, or nothing.
    pub(super) fn reserve(&self, reservation: Reservation) -> Reserved {
        let mut stock = self.0.lock();
        let Stock { counted, orders, replays, refused } = &mut *stock;
        let Reservation { order_id, items } = reservation;
        if orders.contains(&order_id) {
            *replays += 1;
            return Reserved::default();
        }
        let is_missing = |(product, wanted): &(&String, &u64)| counted.get(*product).is_some_and(|left| left < *wanted);
        let missing: Vec<_> = items.iter().filter(is_missing).map(|(product, _)| product.clone()).collect();
        if missing.is_empty() {
            for (product, wanted) in items {
                if let Some(left) = counted.get_mut(&product) {
                    *left -= wanted;
                }
            }
            orders.insert(order_id);
        } else {
            *refused += 1;
        }
        Reserved { missing }
    }

    pub(super) fn reservations(&self) -> Reservations {
        let stock = self.0.lock();
        Reservations { reservations: stock.orders.len() as u64, replays: stock.replays, out_of_stock: stock.refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reservation(order: &str, items: &[(&str, u64)]) -> Reservation {
        let items = items.iter().map(|&(product, pieces)| (product.to_owned(), pieces)).collect();
        Reservation { order_id: order.to_owned(), items }
    }

    #[test]
    fn an_order_gets_all_of_it_once_or_nothing() {
        let shelf = Shelf::new([("tea".to_owned(), 3)].into());
        let more = reservation("a", &[("coffee", 9), ("tea", 4)]);
        assert_eq!(shelf.reserve(more).missing, ["tea"]);
        assert_eq!(shelf.left("tea"), Some(3));
        for _ in 0..2 {
            assert_eq!(shelf.reserve(reservation("a", &[("tea", 2), ("coffee", 9)])), Reserved::default());
            assert_eq!(shelf.left("tea"), Some(1));
        }
        assert_eq!(shelf.reserve(reservation("b", &[("tea", 2)])).missing, ["tea"]);
        shelf.count("tea", 2);
        assert_eq!(shelf.reserve(reservation("b", &[("tea", 2)])), Reserved::default());
        assert_eq!(shelf.reservations(), Reservations { reservations: 2, replays: 1, out_of_stock: 2 });
    }
}
