//! A provider whose answers wait until the test lets them go.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// They wait for another mood.
    Hold,
    /// They are answered with what they ask for.
    Serve,
    /// They are answered with 500.
    Fail,
    /// Of whatever they ask for there is nothing left.
    OutOfStock,
}

/// A payment and inventory provider in the test's hands. Ends when dropped.
#[derive(Debug)]
pub(super) struct Gate {
    desk: Arc<Desk>,
    url: String,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Desk {
    mood: watch::Sender<Mood>,
    asked: Mutex<BTreeMap<String, usize>>,
}

impl Gate {
    /// A provider that holds requests at first.
    pub(super) async fn closed() -> Self {
        let desk = Arc::new(Desk { mood: watch::Sender::new(Mood::Hold), asked: Mutex::default() });
        let routes = Router::new().route("/charges", post(answer)).route("/reservations", post(answer));
        let routes = routes.with_state(desk.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { desk, url, _server: server }
    }

    /// Where it is.
    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// What becomes of requests from now on, those that wait included.
    pub(super) fn turn(&self, mood: Mood) {
        self.desk.mood.send_replace(mood);
    }

    /// How often it was asked about each order.
    pub(super) fn asked(&self) -> BTreeMap<String, usize> {
        self.desk.asked.lock().clone()
    }
}

async fn answer(State(desk): State<Arc<Desk>>, Json(request): Json<Value>) -> Response {
    let order = request["order_id"].as_str().expect("an id").to_owned();
    *desk.asked.lock().entry(order.clone()).or_default() += 1;
    let mut mood = desk.mood.subscribe();
    let mood = *mood.wait_for(|mood| *mood != Mood::Hold).await.expect("the gate outlives its requests");
    match mood {
        Mood::Hold => unreachable!("it was waited for"),
        Mood::Serve => Json(json!({"charge_id": format!("charge-{order}"), "missing": []})).into_response(),
        Mood::Fail => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::OutOfStock => Json(json!({"missing": ["coffee-1"]})).into_response(),
    }
}
