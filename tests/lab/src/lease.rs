//! What a client's interface shows of its lease.

use std::net::Ipv6Addr;
use std::time::Duration;

use anyhow::Result;

use crate::{Namespace, Program, poll};

/// Waits until the interface has a leased address that is ready for use, as long as the client runs.
pub(crate) fn wait_for(
    client: &mut Program,
    namespace: &Namespace,
    interface: &str,
    limit: Duration,
) -> Result<Ipv6Addr> {
    client.poll("a usable leased address", limit, || {
        let addresses = namespace.addresses(interface).ok()?;
        addresses
            .iter()
            .find(|address| address.is_leased() && address.usable)
            .map(|address| address.ip)
    })
}

/// Takes leased addresses off the interface, as a power cut does: what a killed client left there would pass for the
/// lease of the next.
pub(crate) fn forget(namespace: &Namespace, interface: &str) -> Result<()> {
    let addresses = namespace.addresses(interface)?;
    for address in addresses.iter().filter(|address| address.is_leased()) {
        namespace.ip(&format!(
            "-6 address delete {}/{} dev {interface}",
            address.ip, address.prefix
        ))?;
    }
    Ok(())
}

/// Waits until the interface has no leased address.
pub(crate) fn wait_until_gone(namespace: &Namespace, interface: &str, limit: Duration) -> Result<()> {
    poll("the released address to be gone", limit, || {
        let addresses = namespace.addresses(interface).ok()?;
        (!addresses.iter().any(|address| address.is_leased())).then_some(())
    })
}
