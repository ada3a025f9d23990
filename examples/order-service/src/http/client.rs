//! Whose request it is, by its address.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::Request;
use seawall_rate_limit::http::ClientAddress;

use super::Peer;

/// The address that a request comes from, an extension of every request: decided here and nowhere else.
///
/// It is that of the connection's other end, or behind trusted proxies what they say. An IPv4 address is one, however it is
/// written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client(pub(crate) IpAddr);

impl Client {
    /// The one that sent `request`. Requests of which nobody knows the other end count for the unspecified address.
    pub(super) fn of(request: &Request, addresses: &ClientAddress) -> Self {
        let peer = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        Self(addresses.of(peer, request.headers()))
    }
}
