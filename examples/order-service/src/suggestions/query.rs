//! What suggestions are asked for.

use super::model::Wish;
use crate::http::{Problem, Violation};
use crate::orders::{ID_RULE, is_id};

const DEFAULT_LIMIT: usize = 3;
const MAX_LIMIT: usize = 20;

/// No good query has more than one pair for each parameter; the rest of a bad one is not looked at.
const MAX_PAIRS: usize = 16;

/// For what, and at most how many.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) wish: Wish,
    pub(super) limit: usize,
}

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut parsed = Self { wish: Wish::default(), limit: DEFAULT_LIMIT };
        let mut seen = Vec::new();
        let mut faults = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()).take(MAX_PAIRS) {
            let fault =
                if seen.contains(&name) { Some("is given twice".to_owned()) } else { parsed.set(&name, &value).err() };
            faults.extend(fault.map(|detail| Violation::new(&*name, detail).value(&value)));
            seen.push(name);
        }
        if faults.is_empty() { Ok(parsed) } else { Err(Problem::invalid_parameters(faults)) }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let id = || if is_id(value) { Ok(Some(value.to_owned())) } else { Err(ID_RULE.to_owned()) };
        match name {
            "product" => self.wish.product = id()?,
            "customer" => self.wish.customer = id()?,
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                self.limit = limit.ok_or_else(|| format!("must be a whole number from 1 to {MAX_LIMIT}"))?;
            }
            _ => {
                return Err("is no parameter of this route, which has `product`, `customer` and `limit`".to_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_parameter_is_named() {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=21", "limit"),
            ("limit=-1", "limit"),
            ("product=", "product"),
            ("product=a%20b", "product"),
            ("customer=%ff", "customer"),
            ("product=a&product=b", "product"),
            ("user=7", "user"),
        ] {
            let problem = Query::parse(Some(query)).expect_err(query);
            let problem = serde_json::to_value(&problem).expect("a serialisable problem");
            assert_eq!(problem["errors"][0]["field"], field, "{query}");
        }
        let parsed = Query::parse(Some("product=a&customer=b&limit=20")).expect("a good query");
        let wish = Wish { product: Some("a".to_owned()), customer: Some("b".to_owned()) };
        assert_eq!(parsed, Query { wish, limit: 20 });
    }
}
