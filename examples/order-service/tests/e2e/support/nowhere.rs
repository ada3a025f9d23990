//! An address where nobody answers.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of the loopback interface that refuses every connection as long as this lives.
///
/// It is held, and not merely free: a free port is given to whoever asks for one next, such as a test beside this one, whose
/// service would answer.
#[derive(Debug)]
pub(crate) struct Nowhere {
    _held: TcpSocket,
    address: SocketAddr,
}

impl Nowhere {
    pub(crate) fn new() -> Self {
        // Bound and never listened on.
        let held = TcpSocket::new_v4().expect("a socket");
        held.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = held.local_addr().expect("an address");
        Self { _held: held, address }
    }

    /// The URL of what is not there.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }
}
