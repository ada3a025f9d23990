//! A provider to depend on: real HTTP on loopback, and every fault that one has, on demand.
//!
//! It stands in for a third party's service, so it shares nothing with the rest but the way of serving HTTP. What it has done
//! lives as long as the process; what the service knows of it is in the service's database.

use std::fmt;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::Mutex;
use seawall_core::time::Clock;
use seawall_retry::Timeout;
use seawall_retry::http::{Incoming, IncomingConfig};
use serde::Serialize;
use utoipa::ToSchema;

use super::behaviour::{Behaviour, Mood};
use crate::http::{Connections, Json, Listener, Patience, Problem, Violation};
use crate::limit::limit;

/// More than any request has.
const MAX_BODY: usize = 1024 * 1024;

/// How long the only caller, which is near by, may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a provider does when it is well.
pub trait Trade: fmt::Debug + Send + Sync + 'static {
    /// What it has done.
    type Done: Copy + fmt::Debug + Serialize + Send;

    /// The requests that suffer from every fault; `bodies` limits how long theirs may take.
    fn work(self: Arc<Self>, bodies: Timeout) -> Router;

    /// The requests that look at what was done, and never fail.
    fn books(self: Arc<Self>) -> Router;

    /// What it has done up to now.
    fn done(&self) -> Self::Done;
}

/// A running provider.
#[derive(Debug)]
pub struct Provider<T> {
    url: String,
    desk: Arc<Desk<T>>,
    /// Until it is stopped.
    connections: Mutex<Option<Connections>>,
}

/// What a provider has seen and done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct Figures<D> {
    /// Requests for work, failed ones included.
    pub requests: u64,
    /// Those whose deadline had passed when they came in: nothing was done for them.
    pub expired: u64,
    /// How much time the last one that said so was given, in milliseconds.
    pub last_timeout_ms: Option<u64>,
    /// What it has done.
    #[serde(flatten)]
    pub done: D,
}

/// What a provider's routes share.
#[derive(Debug)]
struct Desk<T> {
    clock: Clock,
    bodies: Timeout,
    incoming: Incoming,
    mood: Mood,
    seen: Mutex<Seen>,
    trade: Arc<T>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    requests: u64,
    expired: u64,
    last_timeout_ms: Option<u64>,
}

impl<T: Trade> Provider<T> {
    /// Starts a provider of `trade` on a free port of the loopback interface.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn of(trade: T, behaviour: Behaviour) -> io::Result<Self> {
        let clock = Clock::system();
        let listener = Listener::bind(IpAddr::V4(Ipv4Addr::LOCALHOST), 0).await?;
        let url = format!("http://{}", listener.address());
        let desk = Arc::new(Desk {
            clock: clock.clone(),
            bodies: limit("body", BODY_TIMEOUT, &clock),
            incoming: Incoming::new(IncomingConfig::default()).map_err(io::Error::other)?,
            mood: Mood::new(behaviour),
            seen: Mutex::default(),
            trade: Arc::new(trade),
        });
        let connections = Connections::serve(listener, router(&desk), clock);
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
    pub fn figures(&self) -> Figures<T::Done> {
        self.desk.figures()
    }

    pub(crate) fn trade(&self) -> &T {
        &self.desk.trade
    }

    /// Stops; calls that are under way are cut off.
    pub async fn stop(&self) {
        let connections = self.connections.lock().take();
        if let Some(connections) = connections {
            connections.cut_off().await;
        }
    }
}

impl<T: Trade> Desk<T> {
    fn figures(&self) -> Figures<T::Done> {
        let Seen { requests, expired, last_timeout_ms } = *self.seen.lock();
        Figures { requests, expired, last_timeout_ms, done: self.trade.done() }
    }

    /// Notes a request. Whether whoever sent it still waits.
    fn note(&self, request: &Request) -> bool {
        let left = self.incoming.deadline(request.headers()).map(|deadline| deadline.left(self.clock.now()));
        let mut seen = self.seen.lock();
        seen.requests += 1;
        let Some(left) = left else { return true };
        seen.last_timeout_ms = u64::try_from(left.as_millis()).ok();
        seen.expired += u64::from(left.is_zero());
        !left.is_zero()
    }
}

fn router<T: Trade>(desk: &Arc<Desk<T>>) -> Router {
    let levers = Router::new()
        .route("/behaviour", get(behaviour::<T>).put(behave::<T>))
        .route("/figures", get(figures::<T>))
        .with_state(desk.clone());
    let work = desk.trade.clone().work(desk.bodies.clone()).layer(from_fn_with_state(desk.clone(), suffer::<T>));
    work.merge(desk.trade.clone().books()).merge(levers)
}

/// Answers as the present behaviour says.
async fn suffer<T: Trade>(State(desk): State<Arc<Desk<T>>>, request: Request, next: Next) -> Response {
    if !desk.note(&request) {
        let detail = "the request's time was over before it came";
        return Problem::new(StatusCode::GATEWAY_TIMEOUT, "deadline-passed", "Too late", detail).into_response();
    }
    if desk.mood.get().hang {
        return pending().await;
    }
    let answer = if desk.mood.fails() {
        // Read all the same, so that the connection can be used again.
        let _ = to_bytes(request.into_body(), MAX_BODY).await;
        Problem::unavailable("the provider is down").into_response()
    } else {
        next.run(request).await
    };
    desk.clock.sleep(desk.mood.get().latency).await;
    answer
}

impl<T> axum::extract::FromRef<Arc<Desk<T>>> for Patience {
    fn from_ref(desk: &Arc<Desk<T>>) -> Self {
        Self(desk.bodies.clone())
    }
}

impl<T> axum::extract::FromRef<(Arc<T>, Timeout)> for Patience {
    fn from_ref((_trade, bodies): &(Arc<T>, Timeout)) -> Self {
        Self(bodies.clone())
    }
}

async fn behaviour<T: Trade>(State(desk): State<Arc<Desk<T>>>) -> axum::Json<Behaviour> {
    axum::Json(desk.mood.get())
}

async fn behave<T: Trade>(
    State(desk): State<Arc<Desk<T>>>,
    Json(behaviour): Json<Behaviour>,
) -> Result<axum::Json<Behaviour>, Problem> {
    check_behaviour(&behaviour)?;
    desk.mood.set(behaviour);
    Ok(axum::Json(behaviour))
}

async fn figures<T: Trade>(State(desk): State<Arc<Desk<T>>>) -> axum::Json<Figures<T::Done>> {
    axum::Json(desk.figures())
}

/// Whether a provider can behave like that.
pub(crate) fn check_behaviour(behaviour: &Behaviour) -> Result<(), Problem> {
    match behaviour.fault() {
        None => Ok(()),
        Some((field, value, valid)) => {
            Err(Problem::invalid_body(vec![Violation::new(field, format!("must be {valid}")).value(&value)]))
        }
    }
}
