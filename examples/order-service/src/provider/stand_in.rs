//! A payment provider to depend on: real HTTP on loopback, and every fault that one has, on demand.
//!
//! It stands in for a third party's service, so it shares nothing with the rest but the way of serving HTTP. What it has
//! collected lives as long as the process; what the service knows of it is in the service's database.

mod behaviour;
mod ledger;
mod routes;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use seawall_core::time::Clock;

pub use behaviour::Behaviour;
pub use ledger::Figures;

use crate::http::{Connections, Listener};
use behaviour::Mood;
use ledger::Ledger;
pub(crate) use routes::check as check_behaviour;

/// A running payment provider.
#[derive(Debug)]
pub struct Provider {
    url: String,
    desk: Arc<Desk>,
    /// Until it is stopped.
    connections: Mutex<Option<Connections>>,
}

/// What the provider's routes share.
#[derive(Debug)]
struct Desk {
    clock: Clock,
    mood: Mood,
    ledger: Ledger,
}

impl Provider {
    /// Starts a provider on a free port of the loopback interface.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(behaviour: Behaviour) -> io::Result<Self> {
        let clock = Clock::system();
        let listener = Listener::bind(IpAddr::V4(Ipv4Addr::LOCALHOST), 0).await?;
        let url = format!("http://{}", listener.address());
        let desk = Arc::new(Desk { clock: clock.clone(), mood: Mood::new(behaviour), ledger: Ledger::default() });
        let connections = Connections::serve(listener, routes::router(desk.clone()), clock);
        Ok(Self { url, desk, connections: Mutex::new(Some(connections)) })
    }

    /// Where it is reached.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How it behaves now.
    pub fn behaviour(&self) -> Behaviour {
        self.desk.mood.get()
    }

    /// How it behaves from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.desk.mood.set(behaviour);
    }

    /// What it has seen and done.
    pub fn figures(&self) -> Figures {
        self.desk.ledger.figures()
    }

    /// The hundredths collected for an order, if any were.
    pub fn collected(&self, order_id: &str) -> Option<i64> {
        self.desk.ledger.amount(order_id).map(crate::orders::Amount::hundredths)
    }

    /// Stops; calls that are under way are cut off.
    pub async fn stop(&self) {
        let connections = self.connections.lock().take();
        if let Some(connections) = connections {
            connections.close(Duration::ZERO).await;
        }
    }
}
