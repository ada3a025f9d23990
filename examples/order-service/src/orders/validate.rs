//! What an order must be to be accepted.

use std::ops::RangeInclusive;

use serde_json::value::RawValue;

use super::amount::Amount;
use super::draft::{Draft, DraftItem};
use super::model::{Item, Order, Payment};
use crate::clock::WallTime;
use crate::http::{Object, Violation};

const MAX_ITEMS: usize = 500;
const QUANTITY: RangeInclusive<u32> = 1..=10_000;
const PRIORITY: RangeInclusive<u8> = 1..=5;
const MAX_PRICE_HUNDREDTHS: i64 = 100_000_000;
const MAX_ID: usize = 64;
const MAX_NAME: usize = 200;

/// The order that `draft` asks for, its payment pending; or everything that is wrong with it.
pub(crate) fn validate(draft: Draft, now: WallTime) -> Result<Order, Vec<Violation>> {
    let mut faults = Vec::new();
    check_id("id", &draft.id, &mut faults);
    check_id("customer_id", &draft.customer_id, &mut faults);
    let priority = check_whole("priority", &draft.priority, &PRIORITY, &mut faults);
    let total = check_amount("total", &draft.total, &mut faults);
    let items = check_items(draft.items, &mut faults);

    // Without faults every part is there, so the sum is judged on good parts only.
    match (priority, total, items) {
        (Some(priority), Some(total), Some(items)) if faults.is_empty() => {
            check_sum(&items, total, &draft.total).map_err(|fault| vec![fault])?;
            Ok(Order {
                id: draft.id,
                customer_id: draft.customer_id,
                items,
                total,
                priority,
                payment: Payment::Pending,
                created_at: now,
                paid_at: None,
            })
        }
        _ => Err(faults),
    }
}

/// Whether `id` can stand in a URL, a log and a database as it is.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() <= MAX_ID
        && id.starts_with(|first: char| first.is_ascii_alphanumeric())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

/// What [`is_id`] demands, for people.
pub(crate) const ID_RULE: &str =
    "must be 1 to 64 letters, digits, `.`, `_`, `:` or `-`, and begin with a letter or a digit";

fn check_id(field: &str, id: &str, faults: &mut Vec<Violation>) {
    if !is_id(id) {
        faults.push(Violation::new(field, ID_RULE).value(id));
    }
}

fn check_name(field: String, name: &str, faults: &mut Vec<Violation>) {
    let length = name.chars().count();
    if !(1..=MAX_NAME).contains(&length) || name.chars().any(char::is_control) {
        let rule = format!("must have 1 to {MAX_NAME} characters and no control characters");
        faults.push(Violation::new(field, rule).value(name));
    }
}

fn check_whole<N>(field: &str, raw: &RawValue, valid: &RangeInclusive<N>, faults: &mut Vec<Violation>) -> Option<N>
where
    N: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let number = raw.get().parse().ok().filter(|number| valid.contains(number));
    if number.is_none() {
        let rule = format!("must be a whole number from {} to {}", valid.start(), valid.end());
        faults.push(Violation::new(field, rule).value(raw.get()));
    }
    number
}

fn check_amount(field: &str, raw: &RawValue, faults: &mut Vec<Violation>) -> Option<Amount> {
    raw.get()
        .parse()
        .map_err(|error: super::amount::AmountError| {
            faults.push(Violation::new(field, error.to_string()).value(raw.get()));
        })
        .ok()
}

fn check_items(items: Vec<Object<DraftItem>>, faults: &mut Vec<Violation>) -> Option<Vec<Item>> {
    if !(1..=MAX_ITEMS).contains(&items.len()) {
        let rule = format!("must have 1 to {MAX_ITEMS} elements");
        faults.push(Violation::new("items", rule).value(&format!("{} elements", items.len())));
        return None;
    }
    let numbered = items.into_iter().enumerate();
    numbered.map(|(index, Object(item))| check_item(index, item, faults)).collect::<Vec<_>>().into_iter().collect()
}

fn check_item(index: usize, item: DraftItem, faults: &mut Vec<Violation>) -> Option<Item> {
    let at = |field: &str| format!("items[{index}].{field}");
    check_id(&at("product_id"), &item.product_id, faults);
    check_name(at("name"), &item.name, faults);
    let quantity = check_whole(&at("quantity"), &item.quantity, &QUANTITY, faults);
    let price = check_amount(&at("price"), &item.price, faults);
    if price.is_some_and(|price| price.hundredths() > MAX_PRICE_HUNDREDTHS) {
        faults.push(Violation::new(at("price"), "must be at most 1000000.00").value(item.price.get()));
    }
    Some(Item { product_id: item.product_id, name: item.name, quantity: quantity?, price: price? })
}

fn check_sum(items: &[Item], total: Amount, written: &RawValue) -> Result<(), Violation> {
    let sum =
        items.iter().try_fold(Amount::default(), |sum, item| sum.checked_add(item.price.checked_mul(item.quantity)?));
    match sum {
        Some(sum) if sum == total => Ok(()),
        Some(sum) => {
            let rule = format!("must be {sum}, the sum over the items of quantity times price");
            Err(Violation::new("total", rule).value(written.get()))
        }
        None => Err(Violation::new("items", "the sum over the items is too large to be counted with")),
    }
}
