use std::net::{IpAddr, Ipv4Addr};

use axum::extract::Request;

use crate::http::Peer;

/// Where a request comes from, decided here and nowhere else: the other end of its connection.
///
/// An IPv4 address is one, however the listener wrote it. Requests of which nobody knows it count for the unspecified address.
pub(super) fn client_address(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical())
}
