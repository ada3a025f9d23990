//! Payments as the service makes them.

use axum::http::uri::InvalidUri;
use seawall_core::Deadline;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use crate::bulkheads::Purpose;
use crate::orders::Amount;
use crate::provider::{Calls, Client, Unanswerable};

/// Has orders paid by the provider.
///
/// What fails for a caller stays pending, and [`Redrive`](super::Redrive) collects it later, at its own pace.
#[derive(Clone, Debug)]
pub(crate) struct Payments {
    client: Client,
    calls: Calls,
}

/// What the provider is asked to collect. It does so once for each order, however often it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Charge {
    pub(crate) order_id: String,
    pub(crate) amount: Amount,
}

/// The provider's word that it has collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    #[serde(deserialize_with = "printable")]
    pub(crate) charge_id: String,
}

/// A text that can be stored wherever the orders are: PostgreSQL keeps no NUL, and no other control character belongs into a name.
fn printable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.chars().position(char::is_control) {
        Some(at) => Err(D::Error::custom(format!("character {at} is a control character"))),
        None => Ok(text),
    }
}

impl Payments {
    /// Payments by the provider below `base`, by way of `calls`.
    pub(crate) fn new(base: &str, calls: Calls) -> Result<Self, InvalidUri> {
        Ok(Self { client: Client::new(base, "charges")?, calls })
    }

    /// How the provider is called.
    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Has the provider collect `charge`, which it does once however often it is asked.
    pub(crate) async fn collect(&self, charge: &Charge) -> Result<Receipt, Unanswerable> {
        self.calls.once(|until| self.client.ask(charge, until)).await
    }

    /// The same for a caller who waits.
    pub(crate) async fn collect_for_caller(
        &self,
        charge: &Charge,
        purpose: Purpose,
        deadline: Option<Deadline>,
    ) -> Result<Receipt, Unanswerable> {
        self.calls.for_caller(purpose, deadline, |until| self.client.ask(charge, until)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_that_cannot_be_stored_everywhere_is_none() {
        for (text, good) in [
            ("charge-1", true),
            ("Beleg №7", true),
            ("", true),
            ("a\\u0000b", false),
            ("\\n", false),
            ("\\u0085", false),
        ] {
            let receipt = serde_json::from_str::<Receipt>(&format!(r#"{{"charge_id":"{text}"}}"#));
            assert_eq!(receipt.is_ok(), good, "{text}: {receipt:?}");
        }
    }
}
