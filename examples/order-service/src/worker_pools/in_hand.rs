//! Which orders somebody works on already.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

/// The orders that this process has a job for, queued or running. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct InHand(Arc<Mutex<HashSet<String>>>);

/// An order in hand, until this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    orders: InHand,
    id: String,
}

impl InHand {
    /// Takes the order; nobody else can until the hold is dropped. `None` if somebody has it.
    pub(crate) fn take(&self, id: &str) -> Option<Hold> {
        let is_new = self.0.lock().insert(id.to_owned());
        is_new.then(|| Hold { orders: self.clone(), id: id.to_owned() })
    }

    /// Whether somebody has it.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.lock().contains(id)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.orders.0.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_in_one_hand_at_a_time() {
        let orders = InHand::default();
        let hold = orders.take("order-1").expect("nobody has it");
        assert!(orders.take("order-1").is_none() && orders.clone().take("order-1").is_none());
        assert!(orders.take("order-2").is_some(), "another one is free");
        assert!(orders.has("order-1") && !orders.has("order-2") && orders.len() == 1);
        drop(hold);
        assert!(orders.take("order-1").is_some());
    }
}
