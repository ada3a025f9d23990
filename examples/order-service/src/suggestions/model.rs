//! Which products go together.

use std::cmp::Reverse;

use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::WallTime;
use crate::products::Product;

/// The latest orders, the catalogue, and what was said of its products: enough to suggest from.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) products: Vec<Shown>,
    pub(super) baskets: Vec<Basket>,
    pub(super) as_of: WallTime,
}

/// A product of the catalogue.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) product: Product,
    /// How many more found it useful as a suggestion than did not.
    pub(super) votes: i64,
}

/// What was ordered together, and by whom.
#[derive(Debug)]
pub(super) struct Basket {
    pub(super) customer: String,
    /// Places in the model's products, each once.
    pub(super) products: Vec<usize>,
}

/// What somebody is to be suggested something for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) product: Option<String>,
    pub(super) customer: Option<String>,
}

/// A product that may be liked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Suggestion {
    product: Product,
    /// In how many of the latest orders it was bought together with what the suggestion is for; or in how many at all, where
    /// that is nothing.
    orders: u64,
}

impl Model {
    /// Whether the catalogue has the product.
    pub(super) fn has(&self, id: &str) -> bool {
        self.place(id).is_some()
    }

    fn place(&self, id: &str) -> Option<usize> {
        self.products.iter().position(|shown| shown.product.id == id)
    }

    /// At most `limit` products for `wish`: those first that were bought most often together with the product, or with what the
    /// customer has bought, and then those that are bought most. Never what it is for. The same orders give the same answer.
    ///
    /// # Complexity
    /// One look at each basket, and one sort of the catalogue.
    pub(super) fn suggest(&self, wish: &Wish, limit: usize) -> Vec<Suggestion> {
        let mut given = vec![false; self.products.len()];
        let of_customer = self.baskets.iter().filter(|basket| Some(&basket.customer) == wish.customer.as_ref());
        let bought = of_customer.flat_map(|basket| basket.products.iter().copied());
        let named = wish.product.as_deref().and_then(|id| self.place(id));
        bought.chain(named).for_each(|place| given[place] = true);

        let wants_any = !given.contains(&true);
        let mut together = vec![0_u64; self.products.len()];
        let mut overall = vec![0_u64; self.products.len()];
        for basket in &self.baskets {
            let goes_with = wants_any || basket.products.iter().any(|place| given[*place]);
            for place in &basket.products {
                overall[*place] += 1;
                together[*place] += u64::from(goes_with);
            }
        }
        let mut ranked: Vec<_> = (0..self.products.len()).filter(|place| !given[*place]).collect();
        ranked.sort_by_key(|place| {
            let Shown { product, votes } = &self.products[*place];
            let orders = i64::try_from(together[*place]).unwrap_or(i64::MAX);
            (Reverse(orders.saturating_add(*votes)), Reverse(overall[*place]), &product.id)
        });
        ranked.truncate(limit);
        let suggestion =
            |place: usize| Suggestion { product: self.products[place].product.clone(), orders: together[place] };
        ranked.into_iter().map(suggestion).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::Amount;

    fn model(baskets: &[(&str, &[usize])], votes: [i64; 4]) -> Model {
        let products = ["a", "b", "c", "d"].into_iter().zip(votes);
        let products =
            products.map(|(id, votes)| Shown { product: Product::new(id, "Name", Amount::default()), votes });
        let baskets = baskets.iter();
        let baskets =
            baskets.map(|(customer, places)| Basket { customer: (*customer).into(), products: (*places).into() });
        Model { products: products.collect(), baskets: baskets.collect(), as_of: WallTime::from_millis(0) }
    }

    fn ids(suggestions: &[Suggestion]) -> Vec<(&str, u64)> {
        suggestions.iter().map(|suggestion| (suggestion.product.id.as_str(), suggestion.orders)).collect()
    }

    fn product(id: &str) -> Wish {
        Wish { product: Some(id.to_owned()), customer: None }
    }

    fn customer(id: &str) -> Wish {
        Wish { product: None, customer: Some(id.to_owned()) }
    }

    #[test]
    fn what_is_bought_together_most_often_comes_first_and_then_what_is_bought_most() {
        let model = model(&[("x", &[0, 2]), ("y", &[0, 2]), ("z", &[0, 1]), ("w", &[3]), ("v", &[3])], [0; 4]);
        assert_eq!(ids(&model.suggest(&product("a"), 9)), [("c", 2), ("b", 1), ("d", 0)]);
        assert_eq!(ids(&model.suggest(&product("d"), 2)), [("a", 0), ("c", 0)], "nothing goes with it");
        assert_eq!(ids(&model.suggest(&Wish::default(), 2)), [("a", 3), ("c", 2)]);
    }

    #[test]
    fn nobody_is_suggested_what_they_have_bought() {
        let model = model(&[("x", &[0, 1]), ("y", &[1, 2]), ("y", &[0, 3])], [0; 4]);
        assert_eq!(ids(&model.suggest(&customer("x"), 9)), [("c", 1), ("d", 1)]);
        assert_eq!(ids(&model.suggest(&customer("nobody"), 1)), [("a", 2)], "what is bought most");
        assert!(model.suggest(&customer("x"), 0).is_empty());
    }

    #[test]
    fn what_was_said_counts_like_orders_and_nothing_overflows() {
        let baskets: &[(&str, &[usize])] = &[("x", &[0, 1]), ("y", &[0, 2])];
        assert_eq!(ids(&model(baskets, [0, 0, 0, 2]).suggest(&product("a"), 1)), [("d", 0)]);
        assert_eq!(ids(&model(baskets, [0, -1, 0, 0]).suggest(&product("a"), 1)), [("c", 1)]);
        assert_eq!(ids(&model(baskets, [0, i64::MAX, i64::MIN, 0]).suggest(&product("a"), 1)), [("b", 1)]);
    }
}
