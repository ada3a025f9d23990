//! Connections: accepted, bounded in what they may hold up, and closed when their requests are done.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use seawall_core::time::Clock;
use seawall_retry::Timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::peer::WithPeer;
use crate::shutdown::Drain;

/// How long a caller may take to send a request's head, the first one or any that follows on the same connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of a head, or of a body not yet read, is held.
const BUFFER: usize = 64 * 1024;

/// The pause after a connection that could not be accepted, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound port.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `port`, or a free one for 0. The unspecified IPv6 address takes IPv4 connections as well, and stands for its
    /// IPv4 counterpart on a machine without IPv6.
    pub(crate) async fn bind(ip: IpAddr, port: u16) -> io::Result<Self> {
        let socket = match TcpListener::bind((ip, port)).await {
            Err(error) if ip == Ipv6Addr::UNSPECIFIED && error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
            }
            bound => bound,
        }?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// What was bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The connections of one listener, served in the background until closed; dropped, they are cut off.
#[derive(Debug)]
pub(crate) struct Connections {
    closing: Drain,
    serving: JoinHandle<Served>,
}

type PeerService = WithPeer<TowerToHyperService<Router>>;

/// What is left when no more connections are accepted.
#[derive(Debug)]
struct Served {
    graceful: GracefulShutdown,
    connections: JoinSet<()>,
}

impl Connections {
    /// Serves `router` to whoever connects.
    pub(crate) fn serve(listener: Listener, router: Router, clock: Clock) -> Self {
        let closing = Drain::new();
        let serving = tokio::spawn(accept(listener.socket, router, closing.clone(), clock));
        Self { closing, serving }
    }

    /// Accepts no more, lets requests under way finish for at most `grace`, and cuts off the others. Whether all finished.
    pub(crate) async fn close(self, patience: &Timeout, grace: Duration) -> bool {
        let Some(Served { graceful, mut connections }) = self.stop_accepting().await else { return false };
        let finished = patience.run(graceful.shutdown()).within(grace).await.is_ok();
        connections.shutdown().await;
        finished
    }

    /// Accepts no more, and cuts off the requests under way.
    pub(crate) async fn cut_off(self) {
        if let Some(mut served) = self.stop_accepting().await {
            served.connections.shutdown().await;
        }
    }

    async fn stop_accepting(mut self) -> Option<Served> {
        self.closing.begin();
        (&mut self.serving).await.ok()
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(socket: TcpListener, router: Router, closing: Drain, clock: Clock) -> Served {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(BUFFER);
    let service = TowerToHyperService::new(router);
    let mut served = Served { graceful: GracefulShutdown::new(), connections: JoinSet::new() };
    let mut closing = pin!(closing.begun());
    loop {
        tokio::select! {
            biased;
            () = &mut closing => return served,
            Some(_) = served.connections.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => served.serve(stream, &builder, WithPeer::new(service.clone(), peer)),
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    clock.sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

impl Served {
    fn serve(&mut self, stream: TcpStream, builder: &http1::Builder, service: PeerService) {
        // Small answers are not held back; where this fails they are merely slower.
        let _ = stream.set_nodelay(true);
        let connection = self.graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        self.connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }
}
