//! The provider's API.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::Desk;
use super::behaviour::Behaviour;
use super::ledger::{Booking, Figures};
use crate::http::{Json, Patience, Problem, Violation};
use crate::orders::Amount;
use crate::payment::Charge;

pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/charges", post(charge))
        .route("/charges/{order_id}", get(charged))
        .route("/behaviour", get(behaviour).put(behave))
        .route("/figures", get(figures))
        .with_state(desk)
}

impl FromRef<Arc<Desk>> for Patience {
    fn from_ref(desk: &Arc<Desk>) -> Self {
        Self { clock: desk.clock.clone(), body: Duration::from_secs(10) }
    }
}

async fn charge(State(desk): State<Arc<Desk>>, Json(charge): Json<Charge>) -> Response {
    desk.ledger.note_request();
    let answer = if desk.mood.fails() {
        Problem::unavailable("payments are down").into_response()
    } else {
        match desk.ledger.book(charge) {
            Booking::New(receipt) => (StatusCode::CREATED, axum::Json(receipt)).into_response(),
            Booking::Replay(receipt) => axum::Json(receipt).into_response(),
            Booking::Conflict(amount) => {
                let detail = format!("the order was charged {amount}");
                Problem::new(StatusCode::CONFLICT, "charged-before", "Charged before", detail).into_response()
            }
        }
    };
    desk.clock.sleep(desk.mood.get().latency).await;
    answer
}

async fn charged(State(desk): State<Arc<Desk>>, Path(order_id): Path<String>) -> Result<axum::Json<Amount>, Problem> {
    let amount = desk.ledger.amount(&order_id).ok_or_else(|| Problem::not_found("the order was never charged"))?;
    Ok(axum::Json(amount))
}

async fn behaviour(State(desk): State<Arc<Desk>>) -> axum::Json<Behaviour> {
    axum::Json(desk.mood.get())
}

async fn behave(
    State(desk): State<Arc<Desk>>,
    Json(behaviour): Json<Behaviour>,
) -> Result<axum::Json<Behaviour>, Problem> {
    check(&behaviour)?;
    desk.mood.set(behaviour);
    Ok(axum::Json(behaviour))
}

async fn figures(State(desk): State<Arc<Desk>>) -> axum::Json<Figures> {
    axum::Json(desk.ledger.figures())
}

/// Whether a provider can behave like that.
pub(crate) fn check(behaviour: &Behaviour) -> Result<(), Problem> {
    match behaviour.fault() {
        None => Ok(()),
        Some((field, value, valid)) => {
            Err(Problem::invalid_body(vec![Violation::new(field, format!("must be {valid}")).value(&value)]))
        }
    }
}
