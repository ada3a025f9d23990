//! The inventory provider of the service's own, where it is well.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::post;
use seawall_core::time::Clock;

use super::{Provider, Reservation, Reservations, Reserved, Shelf};
use crate::http::{Json, Patience};
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

    fn work(self: Arc<Self>) -> Router {
        Router::new().route("/reservations", post(reserve)).with_state(self)
    }

    fn books(self: Arc<Self>) -> Router {
        Router::new()
    }

    fn done(&self) -> Reservations {
        self.reservations()
    }
}

impl FromRef<Arc<Shelf>> for Patience {
    fn from_ref(_shelf: &Arc<Shelf>) -> Self {
        Self::of_provider(Clock::system())
    }
}

async fn reserve(State(shelf): State<Arc<Shelf>>, Json(reservation): Json<Reservation>) -> axum::Json<Reserved> {
    axum::Json(shelf.reserve(reservation))
}
