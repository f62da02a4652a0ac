//! What the configuration says of the endpoint for health and metrics.

use std::net::SocketAddr;

use deserr::Deserr;
use serde::Serialize;

use super::problem::Problems;

/// The endpoint for health and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
pub struct HttpConfig {
    /// Where it listens: an address of this machine alone, with a port.
    #[deserr(try_from(&String) = address -> String)]
    pub listen: SocketAddr,
}

/// Nobody has to log in there, so it is for this machine alone.
fn address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| {
        format!("`{text}` is no address with a port; write such as \"127.0.0.1:9464\"")
    })?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "`{text}` can be reached from elsewhere, and nobody has to log in there; write an address of this machine alone, such as \"127.0.0.1:9464\""
        ));
    }
    if address.port() == 0 {
        return Err("Write a port other than 0, such as 9464".to_owned());
    }
    Ok(address)
}
