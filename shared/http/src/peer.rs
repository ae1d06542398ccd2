//! Where a request comes from.

use std::net::IpAddr;

use axum::http::{Extensions, HeaderMap};

/// The address at the other end of a request's connection; whoever serves the router puts it into the
/// request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The address that a request is counted by: that of its connection, and behind a proxy that is trusted the
/// last that `X-Forwarded-For` has. The ones before it are whatever the client liked to write.
pub(crate) fn address(
    extensions: &Extensions,
    headers: &HeaderMap,
    trusts_proxy: bool,
) -> Option<IpAddr> {
    let connection = extensions.get::<Peer>().map(|peer| peer.0);
    if !trusts_proxy {
        return connection;
    }
    let last = headers.get_all("x-forwarded-for").iter().next_back();
    let text = last.and_then(|value| value.to_str().ok()?.rsplit(',').next());
    text.and_then(|text| text.trim().parse().ok()).or(connection)
}
