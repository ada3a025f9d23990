//! Pages of orders: newest first, each with the cursor of the next.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

use super::model::Order;
use super::validate::is_id;
use crate::clock::WallTime;
use crate::http::{Problem, Violation};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

/// No good query has more than one pair for each parameter; the rest of a bad one is not looked at.
const MAX_PAIRS: usize = 16;

/// Some of the orders.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page {
    /// Newest first.
    pub(crate) orders: Vec<Order>,
    /// Give it as `cursor` to get the orders before these; `null` on the last page.
    pub(crate) next_cursor: Option<String>,
}

/// Which orders are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The last order of the page before.
    pub(crate) after: Option<Cursor>,
    /// At most so many.
    pub(crate) limit: u32,
}

/// A place between two orders. Opaque to callers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) created_at: WallTime,
    pub(crate) id: String,
}

impl Cursor {
    /// Right after `order`.
    pub(crate) fn after(order: &Order) -> Self {
        Self { created_at: order.created_at, id: order.id.clone() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.created_at.as_millis(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (millis, id) = text.split_once('~').ok_or(())?;
        let created_at = WallTime::from_millis(millis.parse().map_err(|_not_whole| ())?);
        // One text for one place: a cursor is what an earlier page said, letter for letter.
        let cursor = Self { created_at, id: id.to_owned() };
        (is_id(id) && cursor.to_string() == text).then_some(cursor).ok_or(())
    }
}

impl Selection {
    /// Reads `cursor` and `limit` from a query.
    pub(crate) fn from_query(query: Option<&str>) -> Result<Self, Problem> {
        let mut selection = Self { after: None, limit: DEFAULT_LIMIT };
        let mut seen = Vec::new();
        let mut faults = Vec::new();
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        for (name, value) in pairs.take(MAX_PAIRS) {
            let fault = if seen.contains(&name) {
                Some("is given twice".to_owned())
            } else {
                selection.set(&name, &value).err()
            };
            faults.extend(fault.map(|detail| Violation::new(&*name, detail).value(&value)));
            seen.push(name);
        }
        if faults.is_empty() { Ok(selection) } else { Err(Problem::invalid_parameters(faults)) }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "cursor" => {
                let cursor = value.parse().map_err(|()| "must be the `next_cursor` of an earlier page".to_owned())?;
                self.after = Some(cursor);
            }
            "limit" => {
                self.limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                    .ok_or_else(|| format!("must be a whole number from 1 to {MAX_LIMIT}"))?;
            }
            _ => return Err("is no parameter of this route, which has `cursor` and `limit`".to_owned()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_journey() {
        let cursor = Cursor { created_at: WallTime::from_millis(1_700_000_000_000), id: "order:1.a_b-c".to_owned() };
        let query = format!("limit=100&cursor={cursor}");
        let selection = Selection::from_query(Some(&query)).expect("a good query");
        assert_eq!(selection, Selection { after: Some(cursor), limit: 100 });
    }

    #[test]
    fn a_bad_parameter_is_named() {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=ten", "limit"),
            ("limit=-1", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("limit=1&limit=2", "limit"),
            ("cursor=", "cursor"),
            ("cursor=7", "cursor"),
            ("cursor=x~order", "cursor"),
            ("cursor=-7~order", "cursor"),
            ("cursor=%2B7~order", "cursor"),
            ("cursor=7~%ff", "cursor"),
            ("cursor=7~'%20or%201=1", "cursor"),
            ("page=2", "page"),
        ] {
            let problem = Selection::from_query(Some(query)).expect_err(query);
            let problem = serde_json::to_value(&problem).expect("a serialisable problem");
            assert_eq!(problem["errors"][0]["field"], field, "{query}");
        }
    }
}
