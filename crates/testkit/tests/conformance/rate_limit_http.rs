//! `rate-limit-http.json`: who the client is, keys, and what responses say; one case each.

mod fields;
mod keys;

use crate::miss::Miss;
use crate::vector::Vector;

pub(crate) fn run(vector: &Vector) -> Vec<Miss> {
    let checked = match vector.text("kind") {
        Some("client_ip") => keys::client_ip(vector),
        Some("ip_key") => keys::ip_key(vector),
        Some("composite_key") => keys::composite_key(vector),
        Some("parse_limit") => fields::parse_limit(vector),
        Some("parse_policy") => fields::parse_policy(vector),
        Some("serialize_limit") => fields::serialize_limit(vector),
        Some("serialize_policy") => fields::serialize_policy(vector),
        Some("serialize_legacy") => fields::serialize_legacy(vector),
        Some("retry_after" | "retry_after_vs_t") => fields::retry_after(vector),
        Some("tightest") => fields::tightest(vector),
        other => return vec![Miss::before_all("kind", format!("{other:?}"))],
    };
    checked.unwrap_or_else(|miss| vec![miss])
}

/// What was not as it should be; or that it could not be looked at.
type Checked = Result<Vec<Miss>, Miss>;

/// A vector's fields as `T` has them; one that is not known is an error, so that nothing goes unchecked.
fn read<T: serde::de::DeserializeOwned>(vector: &Vector) -> Result<T, Miss> {
    let fields = serde_json::Value::Object(vector.fields.clone());
    serde_json::from_value(fields).map_err(|error| Miss::before_all("vector", error))
}

fn compare<T: PartialEq + std::fmt::Debug>(field: &str, expected: &T, got: &T) -> Vec<Miss> {
    if expected == got {
        return Vec::new();
    }
    vec![Miss { step: None, field: field.into(), expected: format!("{expected:?}"), got: format!("{got:?}") }]
}
