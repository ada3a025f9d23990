//! The inventory provider of the service's own, where it is well.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use seawall_retry::Timeout;

use super::{Provider, Reservation, Reservations, Reserved, Shelf};
use crate::http::Json;
use crate::provider::{Behaviour, Trade};

impl Provider {
    /// Starts an inventory provider on a free port of the loopback interface. There is no end of what `counted` does not name.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(behaviour: Behaviour, counted: BTreeMap<String, u64>) -> io::Result<Self> {
        Self::of(Shelf::new(counted), behaviour).await
    }

    /// There are so many of `product` from now on.
    pub fn count(&self, product: &str, pieces: u64) {
        self.trade().count(product, pieces);
    }

    /// How many there are of `product`, if somebody has counted.
    pub fn left(&self, product: &str) -> Option<u64> {
        self.trade().left(product)
    }
}

impl Trade for Shelf {
    type Done = Reservations;

    fn work(self: Arc<Self>, bodies: Timeout) -> Router {
        Router::new().route("/reservations", post(reserve)).with_state((self, bodies))
    }

    fn books(self: Arc<Self>) -> Router {
        Router::new()
    }

    fn done(&self) -> Reservations {
        self.reservations()
    }
}

async fn reserve(
    State((shelf, _)): State<(Arc<Shelf>, Timeout)>,
    Json(reservation): Json<Reservation>,
) -> axum::Json<Reserved> {
    axum::Json(shelf.reserve(reservation))
}
