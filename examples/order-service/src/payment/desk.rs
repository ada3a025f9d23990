//! The payment provider of the service's own, where it is well.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use seawall_retry::Timeout;

use super::ledger::{Booking, Charges, Ledger};
use super::{Charge, Provider};
use crate::http::{Json, Problem};
use crate::orders::Amount;
use crate::provider::{Behaviour, Trade};

impl Provider {
    /// Starts a payment provider on a free port of the loopback interface.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(behaviour: Behaviour) -> io::Result<Self> {
        Self::of(Ledger::default(), behaviour).await
    }

    /// The hundredths collected for an order, if any were.
    pub fn collected(&self, order_id: &str) -> Option<i64> {
        self.trade().amount(order_id).map(Amount::hundredths)
    }
}

impl Trade for Ledger {
    type Done = Charges;

    fn work(self: Arc<Self>, bodies: Timeout) -> Router {
        Router::new().route("/charges", post(charge)).with_state((self, bodies))
    }

    fn books(self: Arc<Self>) -> Router {
        Router::new().route("/charges/{order_id}", get(charged)).with_state(self)
    }

    fn done(&self) -> Charges {
        self.charges()
    }
}

async fn charge(State((ledger, _)): State<(Arc<Ledger>, Timeout)>, Json(charge): Json<Charge>) -> Response {
    match ledger.book(charge) {
        Booking::New(receipt) => (StatusCode::CREATED, axum::Json(receipt)).into_response(),
        Booking::Replay(receipt) => axum::Json(receipt).into_response(),
        Booking::Conflict(amount) => {
            let detail = format!("the order was charged {amount}");
            Problem::new(StatusCode::CONFLICT, "charged-before", "Charged before", detail).into_response()
        }
    }
}

async fn charged(
    State(ledger): State<Arc<Ledger>>,
    Path(order_id): Path<String>,
) -> Result<axum::Json<Amount>, Problem> {
    let amount = ledger.amount(&order_id).ok_or_else(|| Problem::not_found("the order was never charged"))?;
    Ok(axum::Json(amount))
}
